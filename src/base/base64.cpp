#include "base/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace llmgw::base {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr int8_t kBad = -1;
constexpr int8_t kSkip = -2;
constexpr int8_t kPad = -3;

constexpr std::array<int8_t, 256> make_values() {
  std::array<int8_t, 256> values{};
  values.fill(kBad);
  for (int i = 0; i < 64; ++i) values[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
  values['-'] = 62;
  values['_'] = 63;
  values['='] = kPad;
  for (const char c : {' ', '\t', '\r', '\n'}) values[static_cast<uint8_t>(c)] = kSkip;
  return values;
}

constexpr std::array<int8_t, 256> kValues = make_values();

}  // namespace

void base64_encode(std::string_view bytes, char* out) {
  const auto* p = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t left = bytes.size();
  for (; left >= 3; left -= 3, p += 3) {
    *out++ = kAlphabet[p[0] >> 2];
    *out++ = kAlphabet[(p[0] & 3) << 4 | p[1] >> 4];
    *out++ = kAlphabet[(p[1] & 15) << 2 | p[2] >> 6];
    *out++ = kAlphabet[p[2] & 63];
  }
  if (left == 0) return;
  const uint8_t second = left == 2 ? p[1] : uint8_t{0};
  *out++ = kAlphabet[p[0] >> 2];
  *out++ = kAlphabet[(p[0] & 3) << 4 | second >> 4];
  *out++ = left == 2 ? kAlphabet[(second & 15) << 2] : '=';
  *out++ = '=';
}

std::string_view base64_encode(std::string_view bytes, Arena& arena) {
  const std::span<char> out = arena.bytes(base64_size(bytes.size()));
  base64_encode(bytes, out.data());
  return {out.data(), out.size()};
}

std::string base64url_encode(std::string_view bytes) {
  std::string text(base64_size(bytes.size()), '=');
  base64_encode(bytes, text.data());
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  text.erase(text.find_last_not_of('=') + 1);
  return text;
}

std::optional<size_t> base64_decode(std::string_view text, char* out) {
  char* const start = out;
  uint32_t bits = 0;
  int count = 0;
  size_t padding = 0;
  for (const char c : text) {
    const int8_t value = kValues[static_cast<uint8_t>(c)];
    if (value == kSkip) continue;
    if (value == kPad) {
      ++padding;
      continue;
    }
    if (value == kBad || padding > 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (++count == 4) {
      *out++ = static_cast<char>(bits >> 16);
      *out++ = static_cast<char>(bits >> 8);
      *out++ = static_cast<char>(bits);
      bits = 0;
      count = 0;
    }
  }
  if (count == 1 || padding > 2 || (padding > 0 && (count + padding) != 4)) return std::nullopt;
  if (count >= 2) *out++ = static_cast<char>(bits >> (count == 2 ? 4 : 10));
  if (count == 3) *out++ = static_cast<char>(bits >> 2);
  return static_cast<size_t>(out - start);
}

bool is_base64(std::string_view text) {
  text = text.substr(0, text.find_last_not_of("= \t\r\n") + 1);
  constexpr size_t kGroup = 4;
  size_t letters = 0;
  size_t blanks = 0;
  // Without branches, so that compilers do many bytes at once.
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    const auto letter = static_cast<uint8_t>((byte | 0x20U) - 'a');
    const auto digit = static_cast<uint8_t>(byte - '0');
    letters += static_cast<size_t>((letter < 26) | (digit < 10) | (byte == '+') | (byte == '/') | (byte == '-') |
                                   (byte == '_'));
    blanks += static_cast<size_t>((byte == ' ') | (byte == '\t') | (byte == '\r') | (byte == '\n'));
  }
  return letters + blanks == text.size() && letters % kGroup != 1;
}

}  // namespace llmgw::base
