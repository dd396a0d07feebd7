// What stands in 64 bytes of JSON, as bit masks: bit i is the byte at i. What a caller does not look at costs nothing,
// since all of it is inlined. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "json/string_mask.h"

namespace llmgw::json {

struct Masks {
  uint64_t quotes;
  uint64_t backslashes;
  uint64_t punctuation;  // { } [ ] : ,
  uint64_t spaces;
  uint64_t controls;      // below 0x20
  uint64_t beyond_ascii;  // above 127
};

inline constexpr char kBit5 = 0x20;  // '[' and ']' with it are '{' and '}', and nothing else is

#if defined(__x86_64__)
inline Masks classify(const char* block) {
  Masks masks{};
  for (int lane = 0; lane < 4; ++lane) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + lane * 16));
    const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(kBit5));
    const auto is = [&](char c) { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)); };
    const auto folds_to = [&](char c) { return _mm_cmpeq_epi8(folded, _mm_set1_epi8(c)); };
    const auto either = [](__m128i a, __m128i b) { return _mm_or_si128(a, b); };
    const auto mask = [&](__m128i lanes) {
      return static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(lanes))) << (lane * 16);
    };
    masks.quotes |= mask(is('"'));
    masks.backslashes |= mask(is('\\'));
    masks.punctuation |= mask(either(either(folds_to('{'), folds_to('}')), either(is(':'), is(','))));
    masks.spaces |= mask(either(either(is(' '), is('\n')), either(is('\r'), is('\t'))));
    masks.controls |= mask(_mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes));
    masks.beyond_ascii |= mask(bytes);
  }
  return masks;
}

#define LLMGW_WIDE __attribute__((target("avx2,bmi,popcnt")))

// Whether the processor can what functions marked so do.
inline bool has_wide() {
  static const bool kHasWide =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt");
  return kHasWide;
}

// The same with AVX2.
LLMGW_WIDE inline Masks classify_wide(const char* block) {
  Masks masks{};
  for (int lane = 0; lane < 2; ++lane) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + lane * 32));
    const __m256i folded = _mm256_or_si256(bytes, _mm256_set1_epi8(kBit5));
    const auto is = [&](char c) LLMGW_WIDE { return _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(c)); };
    const auto folds_to = [&](char c) LLMGW_WIDE { return _mm256_cmpeq_epi8(folded, _mm256_set1_epi8(c)); };
    const auto either = [](__m256i a, __m256i b) LLMGW_WIDE { return _mm256_or_si256(a, b); };
    const auto mask = [&](__m256i lanes) LLMGW_WIDE {
      return static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(lanes))) << (lane * 32);
    };
    masks.quotes |= mask(is('"'));
    masks.backslashes |= mask(is('\\'));
    masks.punctuation |= mask(either(either(folds_to('{'), folds_to('}')), either(is(':'), is(','))));
    masks.spaces |= mask(either(either(is(' '), is('\n')), either(is('\r'), is('\t'))));
    masks.controls |= mask(_mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1F)), bytes));
    masks.beyond_ascii |= mask(bytes);
  }
  return masks;
}
#else
inline Masks classify(const char* block) {
  Masks masks{};
  for (size_t i = 0; i < kMaskBlock; ++i) {
    const char c = block[i];
    const char folded = static_cast<char>(c | kBit5);
    masks.quotes |= uint64_t{c == '"'} << i;
    masks.backslashes |= uint64_t{c == '\\'} << i;
    masks.punctuation |= uint64_t{folded == '{' || folded == '}' || c == ':' || c == ','} << i;
    masks.spaces |= uint64_t{c == ' ' || c == '\n' || c == '\r' || c == '\t'} << i;
    masks.controls |= uint64_t{static_cast<uint8_t>(c) < 0x20} << i;
    masks.beyond_ascii |= uint64_t{static_cast<uint8_t>(c) >= 0x80} << i;
  }
  return masks;
}
#endif

// The last bytes of a text, fewer than a block, with spaces behind them.
inline const char* padded_block(const char* text, size_t size, char (&block)[kMaskBlock]) {
  std::memset(block, ' ', sizeof block);
  std::memcpy(block, text, size);
  return block;
}

}  // namespace llmgw::json
