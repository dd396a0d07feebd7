// Masks over 64 bytes of JSON: which are quotes, brackets, inside strings. The carries make a text of any length, cut
// anywhere, one sequence. The method is simdjson's first stage (Langdale and Lemire, "Parsing Gigabytes of JSON per
// Second", 2019, section 3.1), without its validation. One thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "json/string_mask.h"

namespace llmgw::accounting {

struct StructureCarry {
  uint64_t in_string = 0;  // all ones: the next byte is inside a string
  uint64_t escaped = 0;    // 1: the next byte is escaped
  uint64_t opened = 0;     // 1: the byte before was an opening quote
};

struct StructureMasks {
  uint64_t opens = 0;    // { and [ outside strings
  uint64_t closes = 0;   // } and ] outside strings
  uint64_t letters = 0;  // `letter` as the first byte of a string
};

inline constexpr size_t kScanBlock = json::kMaskBlock;

// How many bytes from the front have neither a quote nor a backslash, give or take the last step. Inside a string that
// begins before `text` and with nothing carried over but that, they need no scan.
size_t plain_bytes(const char* text, size_t size);

// `block` has kScanBlock readable bytes, of which the first `size` (1 to 64) count; the rest must be zero.
StructureMasks scan_structure(const char* block, size_t size, char letter, StructureCarry& carry);
// What it does on a processor without AVX2. For the test that compares the two.
StructureMasks scan_structure_narrow(const char* block, size_t size, char letter, StructureCarry& carry);

}  // namespace llmgw::accounting
