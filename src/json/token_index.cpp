#include "json/token_index.h"

#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "json/string_mask.h"
#include "json/utf8.h"

namespace llmgw::json {
namespace {

struct Masks {
  uint64_t quotes;
  uint64_t backslashes;
  uint64_t punctuation;  // { } [ ] : ,
  uint64_t spaces;
  uint64_t controls;
  uint64_t beyond_ascii;
};

constexpr char kBit5 = 0x20;  // '[' and ']' with it are '{' and '}', and nothing else is

#if defined(__x86_64__)
Masks classify(const char* block) {
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

bool has_wide() {
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
Masks classify(const char* block) {
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

class Indexer {
 public:
  explicit Indexer(uint32_t* tokens) : begin_(tokens), at_(tokens) {}

  // The next 64 bytes, which begin at `position`.
  [[gnu::always_inline]] inline void add(const Masks& masks, uint32_t position) {
    const uint64_t quotes = masks.quotes & ~find_escaped(masks.backslashes, kMaskBlock, escaped_);
    const uint64_t in_string = prefix_parity(quotes) ^ in_string_;  // opening quotes are, closing ones are not
    in_string_ = spread_top_bit(in_string);
    const uint64_t others = ~(masks.punctuation | masks.spaces);  // of strings, numbers, words and what is none of them
    const uint64_t unquoted = others & ~quotes;
    const uint64_t starts = others & ~(unquoted << 1 | unquoted_);
    unquoted_ = unquoted >> (kMaskBlock - 1);
    const uint64_t behind_quotes = in_string ^ quotes;  // and closing quotes
    write((masks.punctuation | starts) & ~behind_quotes, position);
    controls_ |= masks.controls & in_string;
    beyond_ascii_ |= masks.beyond_ascii;
  }

  base::Result<uint32_t> finish(std::string_view text) const {
    const auto invalid = [](const char* what) { return base::fail(base::ErrorCode::invalid_argument, what); };
    if (in_string_ != 0) return invalid("the JSON document ends inside a string");
    if (controls_ != 0) return invalid("a string of the JSON document contains a control character");
    if (at_ == begin_) return invalid("the JSON document is empty");
    if (beyond_ascii_ != 0 && !is_utf8(text)) return invalid("the JSON document is not valid UTF-8");
    return static_cast<uint32_t>(at_ - begin_);
  }

 private:
  // Eight at a time without a question: most blocks have no more, and a loop for each would be mispredicted.
  [[gnu::always_inline]] inline void write(uint64_t bits, uint32_t position) {
    constexpr int kAtOnce = 8;
    const int count = std::popcount(bits);
    for (int written = 0; written < count; written += kAtOnce) {
      for (int i = 0; i < kAtOnce; ++i) {
        at_[written + i] = position + static_cast<uint32_t>(std::countr_zero(bits));
        bits &= bits - 1;
      }
    }
    at_ += count;
  }

  uint32_t* begin_;
  uint32_t* at_;
  uint64_t escaped_ = 0;       // 1: the next byte is escaped
  uint64_t in_string_ = 0;     // all ones: the next byte is inside a string
  uint64_t unquoted_ = 0;      // 1: the byte before belongs to a number, a word or something invalid
  uint64_t controls_ = 0;      // those in strings
  uint64_t beyond_ascii_ = 0;  // bytes above 127
};

// Hands every 64 bytes of the text to `add`, the last ones with spaces behind them.
template <typename Add>
[[gnu::always_inline]] inline void for_each_block(std::string_view text, const Add& add) {
  size_t done = 0;
  for (; text.size() - done >= kMaskBlock; done += kMaskBlock) add(text.data() + done, static_cast<uint32_t>(done));
  if (done == text.size()) return;
  char rest[kMaskBlock];
  std::memset(rest, ' ', sizeof rest);
  std::memcpy(rest, text.data() + done, text.size() - done);
  add(rest, static_cast<uint32_t>(done));
}

#if defined(__x86_64__)
LLMGW_WIDE base::Result<uint32_t> index_wide(std::string_view text, uint32_t* tokens) {
  Indexer indexer(tokens);
  for_each_block(text,
                 [&](const char* block, uint32_t position) LLMGW_WIDE { indexer.add(classify_wide(block), position); });
  return indexer.finish(text);
}
#endif

}  // namespace

base::Result<uint32_t> index_tokens_narrow(std::string_view text, uint32_t* tokens) {
  Indexer indexer(tokens);
  for_each_block(text, [&](const char* block, uint32_t position) { indexer.add(classify(block), position); });
  return indexer.finish(text);
}

base::Result<uint32_t> index_tokens(std::string_view text, uint32_t* tokens) {
#if defined(__x86_64__)
  if (has_wide()) return index_wide(text, tokens);
#endif
  return index_tokens_narrow(text, tokens);
}

}  // namespace llmgw::json
