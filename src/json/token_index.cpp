#include "json/token_index.h"

#include <bit>

#include "json/block_masks.h"
#include "json/string_mask.h"
#include "json/utf8.h"

namespace llmgw::json {
namespace {

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
  add(padded_block(text.data() + done, text.size() - done, rest), static_cast<uint32_t>(done));
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
