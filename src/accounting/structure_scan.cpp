#include "accounting/structure_scan.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace llmgw::accounting {
namespace {

struct Bytes {
  uint64_t quotes = 0;
  uint64_t backslashes = 0;
  uint64_t opens = 0;
  uint64_t closes = 0;
  uint64_t letters = 0;
};

// '{' is '[' with bit 5 set, and '}' is ']' with it.
constexpr char kBit5 = 0x20;

#if defined(__SSE2__)
Bytes classify(const char* block, char letter) {
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i bit5 = _mm_set1_epi8(kBit5);
  const __m128i open = _mm_set1_epi8('{');
  const __m128i close = _mm_set1_epi8('}');
  const __m128i wanted = _mm_set1_epi8(letter);
  const auto mask = [](__m128i equal) {
    return static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(equal)));
  };
  Bytes bytes;
  for (int lane = 0; lane < 4; ++lane) {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + lane * 16));
    const __m128i folded = _mm_or_si128(text, bit5);
    const int shift = lane * 16;
    bytes.quotes |= mask(_mm_cmpeq_epi8(text, quote)) << shift;
    bytes.backslashes |= mask(_mm_cmpeq_epi8(text, backslash)) << shift;
    bytes.opens |= mask(_mm_cmpeq_epi8(folded, open)) << shift;
    bytes.closes |= mask(_mm_cmpeq_epi8(folded, close)) << shift;
    bytes.letters |= mask(_mm_cmpeq_epi8(text, wanted)) << shift;
  }
  return bytes;
}
#else
Bytes classify(const char* block, char letter) {
  Bytes bytes;
  for (size_t i = 0; i < kScanBlock; ++i) {
    const char c = block[i];
    const char folded = static_cast<char>(c | kBit5);
    bytes.quotes |= uint64_t{c == '"'} << i;
    bytes.backslashes |= uint64_t{c == '\\'} << i;
    bytes.opens |= uint64_t{folded == '{'} << i;
    bytes.closes |= uint64_t{folded == '}'} << i;
    bytes.letters |= uint64_t{c == letter} << i;
  }
  return bytes;
}
#endif

// Bit i of the result is the parity of bits 0 to i.
uint64_t prefix_parity(uint64_t bits) {
  for (int shift = 1; shift < 64; shift *= 2) bits ^= bits << shift;
  return bits;
}

// The bytes behind an odd run of backslashes; bit `size` of the block, if there is one, goes into the carry.
uint64_t find_escaped(uint64_t backslashes, size_t size, uint64_t& carry) {
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
  carry = size < kScanBlock ? (escaped >> size) & 1 : (overflow ? 1 : 0);
  return escaped;
}

}  // namespace

StructureMasks scan_structure(const char* block, size_t size, char letter, StructureCarry& carry) {
  const Bytes bytes = classify(block, letter);
  const uint64_t quotes = bytes.quotes & ~find_escaped(bytes.backslashes, size, carry.escaped);
  const uint64_t in_string = prefix_parity(quotes) ^ carry.in_string;
  const uint64_t opening = quotes & in_string;
  const StructureMasks masks{.opens = bytes.opens & ~in_string,
                             .closes = bytes.closes & ~in_string,
                             .letters = bytes.letters & (opening << 1 | carry.opened)};
  carry.in_string = static_cast<uint64_t>(static_cast<int64_t>(in_string) >> 63);
  carry.opened = (opening >> (size - 1)) & 1;
  return masks;
}

}  // namespace llmgw::accounting
