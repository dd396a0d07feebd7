#include "json/direct_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "base/text.h"
#include "json/block_masks.h"
#include "json/number.h"
#include "json/token.h"
#include "json/utf8.h"

namespace llmgw::json {
namespace {

constexpr bool stops_string(char c) {
  return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
}

const char* find_stop_bytewise(const char* p, const char* end, bool& ascii) {
  for (; p < end && !stops_string(*p); ++p) {
    if (static_cast<unsigned char>(*p) >= 0x80) ascii = false;
  }
  return p;
}

#if defined(__x86_64__)
constexpr ptrdiff_t kNarrow = 16;
constexpr ptrdiff_t kWide = 32;
// From here on the wide step pays for its call.
constexpr ptrdiff_t kLongString = 64;

// A byte is a control character if it is its own minimum with 0x1F.
const char* find_stop_narrow(const char* p, const char* end, bool& ascii) {
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i control = _mm_set1_epi8(0x1F);
  for (; end - p >= kNarrow; p += kNarrow) {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i found = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(text, quote), _mm_cmpeq_epi8(text, backslash)),
                                       _mm_cmpeq_epi8(_mm_min_epu8(text, control), text));
    if (_mm_movemask_epi8(text) != 0) ascii = false;
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(found));
    if (mask != 0) return p + __builtin_ctz(mask);
  }
  return find_stop_bytewise(p, end, ascii);
}

__attribute__((target("avx2"))) const char* find_stop_wide(const char* p, const char* end, bool& ascii) {
  const __m256i quote = _mm256_set1_epi8('"');
  const __m256i backslash = _mm256_set1_epi8('\\');
  const __m256i control = _mm256_set1_epi8(0x1F);
  __m256i all = _mm256_setzero_si256();
  for (; end - p >= 2 * kWide; p += 2 * kWide) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + kWide));
    const __m256i least = _mm256_min_epu8(first, second);
    const __m256i quotes = _mm256_or_si256(_mm256_cmpeq_epi8(first, quote), _mm256_cmpeq_epi8(second, quote));
    const __m256i backslashes =
        _mm256_or_si256(_mm256_cmpeq_epi8(first, backslash), _mm256_cmpeq_epi8(second, backslash));
    const __m256i found = _mm256_or_si256(_mm256_or_si256(quotes, backslashes),
                                          _mm256_cmpeq_epi8(_mm256_min_epu8(least, control), least));
    if (_mm256_testz_si256(found, found) == 0) break;
    all = _mm256_or_si256(all, _mm256_or_si256(first, second));
  }
  unsigned mask = 0;
  for (; end - p >= kWide; p += kWide) {
    const __m256i text = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i found =
        _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(text, quote), _mm256_cmpeq_epi8(text, backslash)),
                        _mm256_cmpeq_epi8(_mm256_min_epu8(text, control), text));
    all = _mm256_or_si256(all, text);
    mask = static_cast<unsigned>(_mm256_movemask_epi8(found));
    if (mask != 0) break;
  }
  if (_mm256_movemask_epi8(all) != 0) ascii = false;
  return mask != 0 ? p + __builtin_ctz(mask) : find_stop_narrow(p, end, ascii);
}
#endif

// Names are short: most end within the first step.
inline const char* find_stop(const char* p, const char* end, bool& ascii) {
#if defined(__x86_64__)
  if (end - p >= kNarrow) {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i found =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(text, _mm_set1_epi8('"')), _mm_cmpeq_epi8(text, _mm_set1_epi8('\\'))),
                     _mm_cmpeq_epi8(_mm_min_epu8(text, _mm_set1_epi8(0x1F)), text));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(found));
    const int high = _mm_movemask_epi8(text);
    if (mask != 0) {
      if ((high & static_cast<int>(mask ^ (mask - 1))) != 0) ascii = false;
      return p + __builtin_ctz(mask);
    }
    if (high != 0) ascii = false;
    p += kNarrow;
  }
#endif
  return find_string_stop(p, end, ascii);
}

// Behind the first escape: 64 bytes at a time whatever stands in them, since texts with one escape have many.
template <typename Classify>
[[gnu::always_inline]] inline const char* find_end(const char* p, const char* end, bool& ascii,
                                                   const Classify& classify_block) {
  uint64_t escaped = 0;
  uint64_t beyond_ascii = 0;
  uint64_t ends = 0;
  char rest[kMaskBlock];
  while (p < end) {
    const size_t size = std::min(kMaskBlock, static_cast<size_t>(end - p));
    const Masks masks = classify_block(size == kMaskBlock ? p : padded_block(p, size, rest));
    ends = (masks.quotes & ~find_escaped(masks.backslashes, kMaskBlock, escaped)) | masks.controls;
    beyond_ascii |= masks.beyond_ascii & (ends ^ (ends - 1));
    if (ends != 0) break;
    p += size;
  }
  if (beyond_ascii != 0) ascii = false;
  return ends == 0 ? end : p + std::countr_zero(ends);
}

#if defined(__x86_64__)
LLMGW_WIDE const char* find_end_wide(const char* p, const char* end, bool& ascii) {
  return find_end(p, end, ascii, [](const char* block) LLMGW_WIDE { return classify_wide(block); });
}
#endif

}  // namespace

const char* find_string_end_narrow(const char* from, const char* end, bool& ascii) {
  return find_end(from, end, ascii, [](const char* block) { return classify(block); });
}

const char* find_string_end(const char* from, const char* end, bool& ascii) {
#if defined(__x86_64__)
  if (has_wide()) return find_end_wide(from, end, ascii);
#endif
  return find_string_end_narrow(from, end, ascii);
}

const char* find_string_stop(const char* from, const char* end, bool& ascii) {
#if defined(__x86_64__)
  if (end - from <= kLongString || !has_wide()) return find_stop_narrow(from, end, ascii);
  const char* const first = find_stop_narrow(from, from + kLongString, ascii);
  return first != from + kLongString ? first : find_stop_wide(first, end, ascii);
#else
  return find_stop_bytewise(from, end, ascii);
#endif
}

DirectReader::DirectReader(std::string_view text)
    : text_(text), end_(text.data() + text.size()), at_(text.data()), consumed_(text.data()) {
  if (text.size() > kDocumentBytesMax) {
    fail();
    return;
  }
  while (at_ < end_ && is_space(*at_)) ++at_;
}

bool DirectReader::fail() {
  failed_ = true;
  at_ = end_;
  return false;
}

inline void DirectReader::advance(const char* to) {
  consumed_ = at_ = to;
  while (at_ < end_ && is_space(*at_)) ++at_;
}

Kind DirectReader::kind() const {
  return kind_of(current());
}

bool DirectReader::enter_object() {
  if (current() != '{' || ++depth_ > kDepthMax) return fail();
  step();
  first_ = true;
  return true;
}

bool DirectReader::enter_array() {
  if (current() != '[' || ++depth_ > kDepthMax) return fail();
  step();
  first_ = true;
  return true;
}

bool DirectReader::next_member(std::string_view& key) {
  if (failed_) return false;
  const bool first = std::exchange(first_, false);
  if (current() == '}') {
    step();
    --depth_;
    return false;
  }
  if (!first) {
    if (current() != ',') return fail();
    step();
  }
  if (!read_string(key) || current() != ':') return fail();
  step();
  return true;
}

bool DirectReader::next_element() {
  if (failed_) return false;
  const bool first = std::exchange(first_, false);
  if (current() == ']') {
    step();
    --depth_;
    return false;
  }
  if (!first) {
    if (current() != ',') return fail();
    step();
  }
  return at_ < end_ || fail();
}

// The raw text between the quotes. What follows a backslash is only looked at as far as it hides a quote.
inline bool DirectReader::read_string(std::string_view& raw) {
  if (current() != '"') return fail();
  const char* const start = at_ + 1;
  const char* p = find_stop(start, end_, ascii_);
  if (p != end_ && *p == '\\') p = find_string_end(p, end_, ascii_);
  if (p == end_ || *p != '"') return fail();
  raw = {start, static_cast<size_t>(p - start)};
  advance(p + 1);
  return true;
}

std::string_view DirectReader::string() {
  std::string_view raw;
  read_string(raw);
  return raw;
}

bool DirectReader::word(std::string_view text) {
  if (!std::string_view(at_, end_).starts_with(text)) return fail();
  advance(at_ + text.size());
  return true;
}

bool DirectReader::boolean() {
  const bool truth = current() == 't';
  return word(truth ? "true" : "false") && truth;
}

void DirectReader::null() {
  word("null");
}

std::string_view DirectReader::number_text() const {
  const char* p = at_;
  while (p < end_ && (base::is_digit(*p) || *p == '-' || *p == '+' || *p == '.' || *p == 'e' || *p == 'E')) ++p;
  return {at_, p};
}

// What follows must be a separator, which whoever reads it checks.
bool DirectReader::read_scalar() {
  switch (current()) {
    case 't': return word("true");
    case 'f': return word("false");
    case 'n': return word("null");
    default: break;
  }
  const std::string_view number = number_text();
  if (!is_json_number(number)) return fail();
  advance(number.data() + number.size());
  return true;
}

std::optional<uint64_t> DirectReader::unsigned_integer() {
  if (kind() != Kind::number) {
    skip();
    return std::nullopt;
  }
  const std::string_view number = number_text();
  return read_scalar() ? base::parse_decimal(number) : std::nullopt;
}

void DirectReader::skip() {
  std::string_view raw;
  switch (current()) {
    case '{':
    case '[': skip_container(); break;
    case '"': read_string(raw); break;
    default: read_scalar();
  }
}

bool DirectReader::skip_key() {
  std::string_view key;
  if (!read_string(key) || current() != ':') return fail();
  step();
  return true;
}

// As Reader::skip_container: without recursion, one bit a level says whether it is an object.
void DirectReader::skip_container() {
  std::array<uint64_t, kDepthMax / 64> objects;
  size_t level = 0;
  const size_t level_max = kDepthMax - depth_;
  bool in_object = false;
  std::string_view raw;
  for (;;) {
    // On a value.
    const char c = current();
    if (c == '{' || c == '[') {
      if (level == level_max) {
        fail();
        return;
      }
      in_object = c == '{';
      const uint64_t bit = uint64_t{1} << (level % 64);
      objects[level / 64] = (level % 64 == 0 ? 0 : objects[level / 64] & (bit - 1)) | (in_object ? bit : 0);
      ++level;
      step();
      if (current() != (in_object ? '}' : ']')) {
        if (in_object && !skip_key()) return;
        continue;
      }
    } else if (c == '"' ? !read_string(raw) : !read_scalar()) {
      return;
    }
    // Behind a value, or on the bracket of an empty container: leave what ends here, then on to the next value.
    for (;;) {
      const char separator = current();
      if (separator == ',') {
        step();
        if (in_object && !skip_key()) return;
        break;
      }
      if (separator != (in_object ? '}' : ']')) {
        fail();
        return;
      }
      step();
      if (--level == 0) return;
      in_object = ((objects[(level - 1) / 64] >> ((level - 1) % 64)) & 1) != 0;
    }
  }
}

base::Result<void> DirectReader::finish() {
  if (failed_ || at_ != end_ || depth_ != 0 || consumed_ == text_.data()) {
    return base::fail(base::ErrorCode::invalid_argument, "not one JSON document");
  }
  return {};
}

bool DirectReader::is_utf8() const {
  return ascii_ || json::is_utf8(text_);
}

}  // namespace llmgw::json
