#include "simulator/media.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace llmgw::simulator {

namespace {

constexpr uint32_t kPngSide = 16;
constexpr uint32_t kSampleRate = 24'000;
constexpr double kTone = 440;      // Hz
constexpr double kLoudness = 800;  // of 32767
constexpr double kSecondsMax = 60;

void append_big_endian(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

void append_little_endian(std::string& out, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

// PNG specification (W3C, 2003), annex D.
uint32_t crc32(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? 0xEDB88320U ^ (crc >> 1U) : crc >> 1U;
  }
  return ~crc;
}

// RFC 1950, section 9.
uint32_t adler32(std::string_view bytes) {
  uint32_t a = 1, b = 0;
  for (const char c : bytes) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  return (b << 16U) | a;
}

// One stored block (RFC 1951, section 3.2.4) in a zlib envelope; enough for a few kilobytes.
std::string zlib_stored(std::string_view bytes) {
  std::string out("\x78\x01\x01", 3);
  append_little_endian(out, static_cast<uint32_t>(bytes.size()), 2);
  append_little_endian(out, ~static_cast<uint32_t>(bytes.size()), 2);
  out += bytes;
  append_big_endian(out, adler32(bytes));
  return out;
}

void append_chunk(std::string& png, std::string_view type, std::string_view data) {
  append_big_endian(png, static_cast<uint32_t>(data.size()));
  const std::string typed = std::string(type) + std::string(data);
  png += typed;
  append_big_endian(png, crc32(typed));
}

std::string make_pcm(double seconds) {
  const auto samples = static_cast<uint32_t>(seconds * kSampleRate);
  std::string pcm;
  pcm.reserve(size_t{samples} * 2);
  for (uint32_t i = 0; i < samples; ++i) {
    const double value = kLoudness * std::sin(2 * std::numbers::pi * kTone * i / kSampleRate);
    append_little_endian(pcm, static_cast<uint16_t>(static_cast<int16_t>(value)), 2);
  }
  return pcm;
}

std::string make_wav(const std::string& pcm) {
  std::string wav = "RIFF";
  append_little_endian(wav, static_cast<uint32_t>(36 + pcm.size()), 4);
  wav += "WAVEfmt ";
  append_little_endian(wav, 16, 4);
  append_little_endian(wav, 1, 2);  // PCM
  append_little_endian(wav, 1, 2);  // channels
  append_little_endian(wav, kSampleRate, 4);
  append_little_endian(wav, kSampleRate * 2, 4);
  append_little_endian(wav, 2, 2);
  append_little_endian(wav, 16, 2);
  wav += "data";
  append_little_endian(wav, static_cast<uint32_t>(pcm.size()), 4);
  return wav + pcm;
}

// MPEG-1 layer III frames whose side information is all zero: each decodes to 1152 samples of silence.
std::string make_mp3(double seconds) {
  constexpr size_t kFrameBytes = 417;  // 144 * 128000 / 44100
  const auto frames = static_cast<size_t>(std::ceil(seconds * 44'100 / 1152));
  std::string mp3;
  for (size_t i = 0; i < frames; ++i) {
    mp3 += std::string_view("\xFF\xFB\x90\xC4", 4);
    mp3.append(kFrameBytes - 4, '\0');
  }
  return mp3;
}

}  // namespace

std::string base64(std::string_view bytes) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - at);
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i) {
      group = (group << 8U) | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (size_t i = 0; i < 4; ++i) out += i <= count ? kLetters[(group >> (18 - 6 * i)) & 63U] : '=';
  }
  return out;
}

std::string make_png(uint64_t seed) {
  std::string rows;
  for (uint32_t y = 0; y < kPngSide; ++y) {
    rows += '\0';  // no filter
    for (uint32_t x = 0; x < kPngSide; ++x) append_little_endian(rows, static_cast<uint32_t>(seed), 3);
  }
  std::string header;
  append_big_endian(header, kPngSide);
  append_big_endian(header, kPngSide);
  header += std::string_view("\x08\x02\x00\x00\x00", 5);
  std::string png("\x89PNG\r\n\x1a\n", 8);
  append_chunk(png, "IHDR", header);
  append_chunk(png, "IDAT", zlib_stored(rows));
  append_chunk(png, "IEND", {});
  return png;
}

std::optional<Sound> make_sound(std::string_view format, double seconds) {
  const double length = std::clamp(seconds, 0.1, kSecondsMax);
  if (format == "mp3") return Sound{make_mp3(length), "audio/mpeg"};
  if (format == "pcm") return Sound{make_pcm(length), "audio/pcm"};
  if (format == "wav") return Sound{make_wav(make_pcm(length)), "audio/wav"};
  return std::nullopt;
}

}  // namespace llmgw::simulator
