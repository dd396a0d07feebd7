#include "base/find_text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace llmgw::base {
namespace {

constexpr size_t kBlock = 64;
constexpr size_t kCompared = 3;

using Bytes = unsigned char __attribute__((vector_size(16)));

Bytes load(const char* from) {
  Bytes bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

// Whether it may begin in the block: compilers make no vectors of the plain loop that would be worth it.
bool begins_in(const char* block, std::string_view needle) {
  const auto byte = [needle](size_t i) { return static_cast<unsigned char>(needle[i]); };
  Bytes found{};
  for (size_t i = 0; i < kBlock; i += sizeof(Bytes)) {
    const char* const at = block + i;
    found |= Bytes(load(at) == byte(0)) & Bytes(load(at + 1) == byte(1)) & Bytes(load(at + 2) == byte(2));
  }
  const auto halves = std::bit_cast<std::array<uint64_t, 2>>(found);
  return (halves[0] | halves[1]) != 0;
}

// The first block from `at` on in which it may begin, or where less than a block and what is compared behind it is
// left.
size_t next_block_narrow(std::string_view text, std::string_view needle, size_t at) {
  while (at + kBlock + kCompared <= text.size() && !begins_in(text.data() + at, needle)) at += kBlock;
  return at;
}

#if defined(__x86_64__)
#define LLMGW_WIDE __attribute__((target("avx2")))

bool has_wide() {
  static const bool kHasWide = __builtin_cpu_supports("avx2") != 0;
  return kHasWide;
}

// The same with AVX2.
LLMGW_WIDE size_t next_block_wide(std::string_view text, std::string_view needle, size_t at) {
  const __m256i first = _mm256_set1_epi8(needle[0]);
  const __m256i second = _mm256_set1_epi8(needle[1]);
  const __m256i third = _mm256_set1_epi8(needle[2]);
  const auto begins_at = [&](const char* from) LLMGW_WIDE {
    const auto equal = [from](size_t i, __m256i byte) LLMGW_WIDE {
      return _mm256_cmpeq_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i)), byte);
    };
    return _mm256_and_si256(_mm256_and_si256(equal(0, first), equal(1, second)), equal(2, third));
  };
  for (; at + kBlock + kCompared <= text.size(); at += kBlock) {
    const char* const block = text.data() + at;
    const __m256i found = _mm256_or_si256(begins_at(block), begins_at(block + kBlock / 2));
    if (_mm256_testz_si256(found, found) == 0) break;
  }
  return at;
}
#endif

template <class NextBlock>
size_t find_by(NextBlock next_block, std::string_view text, std::string_view needle, size_t from) {
  size_t at = std::min(from, text.size());
  for (; (at = next_block(text, needle, at)) + kBlock + kCompared <= text.size(); at += kBlock) {
    const size_t found = text.substr(at, kBlock - 1 + needle.size()).find(needle);
    if (found != std::string_view::npos) return at + found;
  }
  return text.find(needle, at);
}

}  // namespace

size_t find_text(std::string_view text, std::string_view needle, size_t from) {
#if defined(__x86_64__)
  if (has_wide()) return find_by(next_block_wide, text, needle, from);
#endif
  return find_text_narrow(text, needle, from);
}

size_t find_text_narrow(std::string_view text, std::string_view needle, size_t from) {
  return find_by(next_block_narrow, text, needle, from);
}

}  // namespace llmgw::base
