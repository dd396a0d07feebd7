// The lexical rules that the HTTP/1.1 parser, the chunked decoder and the writers share: character classes and field
// lines (RFC 9110, section 5; RFC 9112, section 5). For the .cpp files of this folder. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "http/h1_parser.h"
#include "http/message.h"

namespace llmgw::http::grammar {

enum CharClass : uint8_t {
  kToken = 1,        // RFC 9110, section 5.6.2
  kFieldValue = 2,   // VCHAR, obs-text, SP and HTAB: everything but the other control characters
  kTarget = 4,       // what a request target may hold: visible ASCII but '"', '#', '<' and '>'
  kHostName = 8,     // reg-name and IPv4 without sub-delims, which no real host name has
  kPathRefused = 16  // '\', which some servers take for '/'
};

consteval std::array<uint8_t, 256> make_char_classes() {
  std::array<uint8_t, 256> table{};
  for (size_t c = 0; c < 256; ++c) {
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    const auto one_of = [c](std::string_view set) {
      return c != 0 && c < 128 && set.find(static_cast<char>(c)) != std::string_view::npos;
    };
    unsigned classes = 0;
    if (alphanumeric || one_of("!#$%&'*+-.^_`|~")) classes |= kToken;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) classes |= kFieldValue;
    if (c > 0x20 && c < 0x7f && !one_of("\"#<>")) classes |= kTarget;
    if (alphanumeric || one_of("-._~%")) classes |= kHostName;
    if (c == '\\') classes |= kPathRefused;
    table[c] = static_cast<uint8_t>(classes);
  }
  return table;
}
inline constexpr std::array<uint8_t, 256> kCharClasses = make_char_classes();

inline bool is(char c, CharClass wanted) {
  return (kCharClasses[static_cast<unsigned char>(c)] & wanted) != 0;
}

// The first byte in [at, end) that is not of the class, else `end`.
inline const char* skip(const char* at, const char* end, CharClass wanted) {
  while (at != end && is(*at, wanted)) ++at;
  return at;
}

inline bool all(std::string_view text, CharClass wanted) {
  return skip(text.data(), text.data() + text.size(), wanted) == text.data() + text.size();
}

// The same as skip(kFieldValue), 16 bytes at a time.
inline const char* skip_value(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i last_control = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  while (end - at >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    const __m128i refused =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), control), _mm_cmpeq_epi8(bytes, del));
    const int mask = _mm_movemask_epi8(refused);
    if (mask != 0) return at + __builtin_ctz(static_cast<unsigned>(mask));
    at += 16;
  }
#endif
  return skip(at, end, kFieldValue);
}

// The same as skip(kToken). Letters, digits and '-', of which names are made, go 16 at a time.
inline const char* skip_token(const char* at, const char* end) {
#if defined(__SSE2__)
  const auto below = [](__m128i bytes, char first, char count) {  // first <= byte < first + count
    const __m128i shifted = _mm_add_epi8(bytes, _mm_set1_epi8(static_cast<char>(-128 - first)));
    return _mm_cmplt_epi8(shifted, _mm_set1_epi8(static_cast<char>(-128 + count)));
  };
  while (end - at >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i letter = below(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 26);
    const __m128i other = _mm_or_si128(below(bytes, '0', 10), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')));
    const int mask = _mm_movemask_epi8(_mm_or_si128(letter, other)) ^ 0xffff;
    if (mask == 0) {
      at += 16;
      continue;
    }
    at += __builtin_ctz(static_cast<unsigned>(mask));
    if (!is(*at, kToken)) return at;
    ++at;
  }
#endif
  return skip(at, end, kToken);
}

// The same as skip(kTarget), 16 bytes at a time.
inline const char* skip_target(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i space = _mm_set1_epi8(' ');
  const __m128i del = _mm_set1_epi8(0x7f);
  const __m128i bit1 = _mm_set1_epi8(2);
  const auto is = [](__m128i bytes, char c) { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)); };
  while (end - at >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // As signed bytes those outside ASCII are negative, and so not above the space. '<' is '>' without bit 1.
    const __m128i low = _mm_cmpgt_epi8(bytes, space);
    const __m128i refused = _mm_or_si128(_mm_or_si128(is(bytes, '"'), is(bytes, '#')),
                                         _mm_or_si128(is(_mm_or_si128(bytes, bit1), '>'), _mm_cmpeq_epi8(bytes, del)));
    const int mask = _mm_movemask_epi8(_mm_andnot_si128(refused, low)) ^ 0xffff;
    if (mask != 0) return at + __builtin_ctz(static_cast<unsigned>(mask));
    at += 16;
  }
#endif
  return skip(at, end, kTarget);
}

// Field lines from `at` up to and including the empty line that ends them, appended to `headers`. On `complete`, `at`
// stands behind the empty line; on `error`, `error` says why; on `incomplete`, [at, end) ended first.
ParseStatus parse_fields(const char*& at, const char* end, size_t headers_max, Headers& headers, ParseError& error);

}  // namespace llmgw::http::grammar
