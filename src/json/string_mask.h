// Where strings begin and end in 64 bytes of JSON, as bit masks with what one block hands to the next. The method is
// simdjson's (Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019, section 3.1). Any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace llmgw::json {

inline constexpr size_t kMaskBlock = 64;

// Bit i of the result is the parity of bits 0 to i.
[[gnu::always_inline]] inline uint64_t prefix_parity(uint64_t bits) {
  for (int shift = 1; shift < 64; shift *= 2) bits ^= bits << shift;
  return bits;
}

// The bytes behind an odd run of backslashes among the first `size` (1 to 64) of a block. `carry` is 1 if the byte
// behind the block before is escaped, and told anew for the next.
[[gnu::always_inline]] inline uint64_t find_escaped(uint64_t backslashes, size_t size, uint64_t& carry) {
  if (backslashes == 0) {
    const uint64_t escaped = carry;
    carry = 0;
    return escaped;
  }
  constexpr uint64_t kEven = 0x5555555555555555;
  backslashes &= ~carry;
  const uint64_t follows = backslashes << 1 | carry;
  const uint64_t odd_starts = backslashes & ~kEven & ~follows;
  unsigned long long runs_from_even = 0;
  const bool overflow = __builtin_uaddll_overflow(odd_starts, backslashes, &runs_from_even);
  const uint64_t invert = runs_from_even << 1;
  const uint64_t escaped = (kEven ^ invert) & follows;
  carry = size < kMaskBlock ? (escaped >> size) & 1 : (overflow ? 1 : 0);
  return escaped;
}

// All ones if the top bit is set.
[[gnu::always_inline]] inline uint64_t spread_top_bit(uint64_t bits) {
  return static_cast<uint64_t>(static_cast<int64_t>(bits) >> 63);
}

}  // namespace llmgw::json
