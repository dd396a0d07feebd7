#include "json/utf8.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace llmgw::json {
namespace {

#if defined(__x86_64__)
#define LLMGW_WIDE __attribute__((target("avx2")))

bool has_wide() {
  static const bool kHasWide = __builtin_cpu_supports("avx2");
  return kHasWide;
}

// The faults of a pair of bytes, one bit each: three tables of 16 say which are possible by the first byte's high half,
// by its low half and by the second byte's high half, and what all three say is one (Keiser and Lemire, "Validating
// UTF-8 In Less Than One Instruction Per Byte", 2020, section 6.1).
enum Fault : uint8_t {
  kTooShort = 1 << 0,   // 11______ 0_______ and 11______ 11______
  kTooLong = 1 << 1,    // 0_______ 10______
  kOverlong3 = 1 << 2,  // 11100000 100_____
  kTooLarge = 1 << 3,   // 11110100 1001____, 11110100 101_____, 111101_1 and 1111_1__ likewise
  kSurrogate = 1 << 4,  // 11101101 101_____
  kOverlong2 = 1 << 5,  // 1100000_ 10______
  kOverlong4 = 1 << 6,  // 11110000 1000____; too large with another first byte: 11110101 1000____ and so on
  kTwoConts = 1 << 7,   // 10______ 10______, right as the third or fourth byte only
};
constexpr uint8_t kTooLarge1000 = kOverlong4;
constexpr uint8_t kAnyLow = kTooShort | kTooLong | kTwoConts;  // what the low half of the first byte cannot tell
constexpr uint8_t kHighLow = kAnyLow | kTooLarge | kTooLarge1000;

alignas(16) constexpr uint8_t kFirstHigh[16] = {kTooLong,
                                                kTooLong,
                                                kTooLong,
                                                kTooLong,
                                                kTooLong,
                                                kTooLong,
                                                kTooLong,
                                                kTooLong,
                                                kTwoConts,
                                                kTwoConts,
                                                kTwoConts,
                                                kTwoConts,
                                                kTooShort | kOverlong2,
                                                kTooShort,
                                                kTooShort | kOverlong3 | kSurrogate,
                                                kTooShort | kTooLarge | kTooLarge1000 | kOverlong4};
alignas(16) constexpr uint8_t kFirstLow[16] = {kAnyLow | kOverlong2 | kOverlong3 | kOverlong4,
                                               kAnyLow | kOverlong2,
                                               kAnyLow,
                                               kAnyLow,
                                               kAnyLow | kTooLarge,
                                               kHighLow,
                                               kHighLow,
                                               kHighLow,
                                               kHighLow,
                                               kHighLow,
                                               kHighLow,
                                               kHighLow,
                                               kHighLow,
                                               kHighLow | kSurrogate,
                                               kHighLow,
                                               kHighLow};
constexpr uint8_t kContinuation = kTooLong | kOverlong2 | kTwoConts;
alignas(16) constexpr uint8_t kSecondHigh[16] = {kTooShort,
                                                 kTooShort,
                                                 kTooShort,
                                                 kTooShort,
                                                 kTooShort,
                                                 kTooShort,
                                                 kTooShort,
                                                 kTooShort,
                                                 kContinuation | kOverlong3 | kTooLarge1000 | kOverlong4,
                                                 kContinuation | kOverlong3 | kTooLarge,
                                                 kContinuation | kSurrogate | kTooLarge,
                                                 kContinuation | kSurrogate | kTooLarge,
                                                 kTooShort,
                                                 kTooShort,
                                                 kTooShort,
                                                 kTooShort};

LLMGW_WIDE inline __m256i look_up(const uint8_t (&table)[16], __m256i halves) {
  const __m256i both = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
  return _mm256_shuffle_epi8(both, halves);
}

LLMGW_WIDE inline __m256i high_halves(__m256i bytes) {
  return _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0F));
}

// The bytes that stand 1, 2 and 3 before those of `bytes`, which `before` precedes.
struct Earlier {
  __m256i one, two, three;
};
LLMGW_WIDE inline Earlier earlier(__m256i bytes, __m256i before) {
  const __m256i middle = _mm256_permute2x128_si256(before, bytes, 0x21);
  return {_mm256_alignr_epi8(bytes, middle, 15), _mm256_alignr_epi8(bytes, middle, 14),
          _mm256_alignr_epi8(bytes, middle, 13)};
}

// Not zero where a sequence goes wrong in `bytes`; one that ends behind them is not wrong yet.
LLMGW_WIDE inline __m256i faults(__m256i bytes, __m256i before) {
  const Earlier previous = earlier(bytes, before);
  const __m256i first_low = _mm256_and_si256(previous.one, _mm256_set1_epi8(0x0F));
  const __m256i pairs =
      _mm256_and_si256(_mm256_and_si256(look_up(kFirstHigh, high_halves(previous.one)), look_up(kFirstLow, first_low)),
                       look_up(kSecondHigh, high_halves(bytes)));
  // The top bit where a third or fourth byte has to stand, and so two continuations are no fault, and one is missing.
  const __m256i third = _mm256_subs_epu8(previous.two, _mm256_set1_epi8(0xE0 - 0x80));
  const __m256i fourth = _mm256_subs_epu8(previous.three, _mm256_set1_epi8(0xF0 - 0x80));
  const __m256i wanted = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8(static_cast<char>(0x80)));
  return _mm256_xor_si256(wanted, pairs);
}

LLMGW_WIDE bool is_utf8_wide(std::string_view text) {
  constexpr size_t kStep = 32;
  __m256i before = _mm256_setzero_si256();
  __m256i wrong = _mm256_setzero_si256();
  bool ascii_before = true;
  const auto check = [&](const char* at) LLMGW_WIDE {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const bool ascii = _mm256_movemask_epi8(bytes) == 0;
    // Behind plain text plain text needs no look; before it something may be unfinished.
    if (!ascii || !ascii_before) wrong = _mm256_or_si256(wrong, faults(bytes, before));
    ascii_before = ascii;
    before = bytes;
  };
  size_t done = 0;
  for (; text.size() - done >= kStep; done += kStep) check(text.data() + done);
  // The rest, and behind it a zero at least: what is unfinished at the end is too short there.
  char rest[kStep] = {};
  if (done < text.size()) std::memcpy(rest, text.data() + done, text.size() - done);
  check(rest);
  return _mm256_testz_si256(wrong, wrong) != 0;
}
#endif

}  // namespace

Sequence read_sequence(const char* text, size_t left) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto within = [&](size_t i, uint8_t low, uint8_t high) {
    return i < left && byte(i) >= low && byte(i) <= high;
  };
  const uint8_t lead = byte(0);
  if (lead < 0xC2 || lead > 0xF4) return {1, Sequence::broken};
  if (lead < 0xE0) return within(1, 0x80, 0xBF) ? Sequence{2, Sequence::valid} : Sequence{1, Sequence::broken};
  if (lead < 0xF0) {
    if (lead == 0xED && within(1, 0xA0, 0xBF) && within(2, 0x80, 0xBF)) return {3, Sequence::surrogate};
    if (!within(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF)) return {1, Sequence::broken};
    return within(2, 0x80, 0xBF) ? Sequence{3, Sequence::valid} : Sequence{2, Sequence::broken};
  }
  if (!within(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF)) return {1, Sequence::broken};
  if (!within(2, 0x80, 0xBF)) return {2, Sequence::broken};
  return within(3, 0x80, 0xBF) ? Sequence{4, Sequence::valid} : Sequence{3, Sequence::broken};
}

bool is_utf8_narrow(std::string_view text) {
  const char* p = text.data();
  size_t left = text.size();
  while (left > 0) {
    size_t used = 1;
    if (static_cast<uint8_t>(*p) >= 0x80) {
      const Sequence sequence = read_sequence(p, left);
      if (sequence.kind != Sequence::valid) return false;
      used = sequence.length;
    }
    p += used;
    left -= used;
  }
  return true;
}

bool is_utf8(std::string_view text) {
#if defined(__x86_64__)
  if (has_wide()) return is_utf8_wide(text);
#endif
  return is_utf8_narrow(text);
}

bool is_plain_text(std::string_view text) {
  const bool printable =
      std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  return printable && is_utf8(text);
}

}  // namespace llmgw::json
