// UTF-8 (RFC 3629; Unicode 15, table 3-7): no overlong sequences, no surrogates, nothing above U+10FFFF. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace llmgw::json {

// True if every byte belongs to well-formed UTF-8.
bool is_utf8(std::string_view text);
// True if it is UTF-8 without control characters: they would reach logs, labels and the lines of reports.
bool is_plain_text(std::string_view text);
// What it does on a processor without AVX2, a character at a time. For the test that compares the two.
bool is_utf8_narrow(std::string_view text);

struct Sequence {
  uint8_t length;                                    // bytes to consume, at least 1
  enum : uint8_t { valid, surrogate, broken } kind;  // surrogate: one of WTF-8
};

// The sequence that begins with the byte at `text`, which is above 127; `left` bytes are readable. A broken one is as
// long as its maximal subpart (Unicode 15, section 3.9).
Sequence read_sequence(const char* text, size_t left);

}  // namespace llmgw::json
