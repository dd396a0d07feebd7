// The smallest files that are what they say they are: for image and audio answers. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace llmgw::simulator {

std::string base64(std::string_view bytes);

// A square of one colour, made from the seed (PNG, 8-bit RGB).
std::string make_png(uint64_t seed);

// `seconds` of a quiet tone (WAV, PCM: 24 kHz, 16 bit, one channel) or of silence (MP3: 44.1 kHz, 128 kbit/s).
// Nothing for a format the simulator cannot make.
struct Sound {
  std::string bytes;
  std::string_view content_type;
};
std::optional<Sound> make_sound(std::string_view format, double seconds);

}  // namespace llmgw::simulator
