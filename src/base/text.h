// Small ASCII text helpers the protocols share. Any thread; no allocation unless a std::string is returned.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace llmgw::base {

constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Equality without regard to ASCII case.
bool equals_ignoring_case(std::string_view a, std::string_view b);
// Without leading and trailing spaces and tabs.
std::string_view trim(std::string_view text);
// Decimal digits only, no sign, no overflow; nothing else is accepted.
std::optional<uint64_t> parse_decimal(std::string_view text);
// "%41" -> "A". Refuses broken escapes; '+' stays '+'.
std::optional<std::string> percent_decode(std::string_view text);
// Everything but A-Z a-z 0-9 - . _ ~ (RFC 3986, section 2.3) becomes %XX.
std::string percent_encode(std::string_view text);
std::string hex(std::span<const uint8_t> bytes);
// The member of `candidates` closest to `word` if it is close enough to be a typing error, else empty.
std::string_view closest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace llmgw::base
