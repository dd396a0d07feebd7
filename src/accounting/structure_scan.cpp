#include "accounting/structure_scan.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "json/string_mask.h"

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

#if defined(__x86_64__)
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

inline StructureMasks combine(const Bytes& bytes, uint64_t quotes, uint64_t parity, size_t size,
                              StructureCarry& carry) {
  const uint64_t in_string = parity ^ carry.in_string;
  const uint64_t opening = quotes & in_string;
  const StructureMasks masks{.opens = bytes.opens & ~in_string,
                             .closes = bytes.closes & ~in_string,
                             .letters = bytes.letters & (opening << 1 | carry.opened)};
  carry.in_string = json::spread_top_bit(in_string);
  carry.opened = (opening >> (size - 1)) & 1;
  return masks;
}

#if defined(__x86_64__)
#define LLMGW_WIDE __attribute__((target("avx2,pclmul")))

bool has_wide() {
  static const bool kHasWide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul");
  return kHasWide;
}

LLMGW_WIDE inline uint64_t equal_mask(__m256i low, __m256i high, char c) {
  const __m256i wanted = _mm256_set1_epi8(c);
  const auto mask = [](__m256i equal) LLMGW_WIDE {
    return static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(equal)));
  };
  return mask(_mm256_cmpeq_epi8(low, wanted)) | mask(_mm256_cmpeq_epi8(high, wanted)) << 32;
}

// The same with AVX2, and a multiplication without carries by all ones for the parities.
LLMGW_WIDE StructureMasks scan_wide(const char* block, size_t size, char letter, StructureCarry& carry) {
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 32));
  const __m256i bit5 = _mm256_set1_epi8(kBit5);
  const __m256i low_folded = _mm256_or_si256(low, bit5);
  const __m256i high_folded = _mm256_or_si256(high, bit5);
  const Bytes bytes{.quotes = equal_mask(low, high, '"'),
                    .backslashes = equal_mask(low, high, '\\'),
                    .opens = equal_mask(low_folded, high_folded, '{'),
                    .closes = equal_mask(low_folded, high_folded, '}'),
                    .letters = equal_mask(low, high, letter)};
  const uint64_t quotes = bytes.quotes & ~json::find_escaped(bytes.backslashes, size, carry.escaped);
  const __m128i product = _mm_clmulepi64_si128(_mm_set_epi64x(0, static_cast<int64_t>(quotes)), _mm_set1_epi8(-1), 0);
  return combine(bytes, quotes, static_cast<uint64_t>(_mm_cvtsi128_si64(product)), size, carry);
}
#endif

}  // namespace

StructureMasks scan_structure_narrow(const char* block, size_t size, char letter, StructureCarry& carry) {
  const Bytes bytes = classify(block, letter);
  const uint64_t quotes = bytes.quotes & ~json::find_escaped(bytes.backslashes, size, carry.escaped);
  return combine(bytes, quotes, json::prefix_parity(quotes), size, carry);
}

size_t plain_bytes(const char* text, size_t size) {
#if defined(__x86_64__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const auto hits = [&](const char* at) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    return _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
  };
  size_t done = 0;
  for (; size - done >= 32; done += 32) {
    if (_mm_movemask_epi8(_mm_or_si128(hits(text + done), hits(text + done + 16))) != 0) break;
  }
  return done;
#else
  size_t done = 0;
  while (done < size && text[done] != '"' && text[done] != '\\') ++done;
  return done;
#endif
}

StructureMasks scan_structure(const char* block, size_t size, char letter, StructureCarry& carry) {
#if defined(__x86_64__)
  if (has_wide()) return scan_wide(block, size, letter, carry);
#endif
  return scan_structure_narrow(block, size, letter, carry);
}

}  // namespace llmgw::accounting
