// Tokens of sound and pictures in a call: parts of its input and output that some providers price apart. Plain data.
#pragma once

#include <cstdint>

namespace llmgw::accounting {

struct MediaTokens {
  uint64_t audio_input = 0;
  uint64_t image_input = 0;
  uint64_t audio_output = 0;
  uint64_t image_output = 0;

  bool any() const { return (audio_input | image_input | audio_output | image_output) != 0; }
  bool operator==(const MediaTokens&) const = default;
};

}  // namespace llmgw::accounting
