// The simulator's tokens: cheap, deterministic, predictable by whoever writes a test. A token is the next 4 bytes of a
// text, fewer where a UTF-8 character would be split or the text ends. So n bytes of ASCII are ceil(n / 4) tokens.
//
// A prompt is a sequence of segments (each text of each message, each tool) and marks (one token where a message
// begins, a fixed number for an image). Segments are cut on their own, so a conversation that goes on begins with the
// same tokens as before, the answer included: that is what the prefix cache finds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace llmgw::simulator {

inline constexpr size_t kTokenBytes = 4;

// Where the token that begins at `begin` ends; `begin` must be below text.size().
size_t token_end(std::string_view text, size_t begin);
size_t count_tokens(std::string_view text);
// The longest beginning of `text` of at most `tokens` tokens.
std::string_view first_tokens(std::string_view text, size_t tokens);
// Of the bytes; the same on every machine.
uint64_t hash_text(std::string_view text, uint64_t seed = 0);

class PromptTokens {
 public:
  explicit PromptTokens(size_t block_tokens = 16) : block_tokens_(block_tokens == 0 ? 1 : block_tokens) {}

  void text(std::string_view segment);
  // `count` tokens that stand for something other than text, told apart by `identity`.
  void mark(uint64_t identity, size_t count = 1);

  size_t count() const { return count_; }
  uint64_t hash() const { return chain_; }
  // Of each full block with all that stands before it.
  const std::vector<uint64_t>& block_hashes() const { return blocks_; }

 private:
  void token(uint64_t value);

  size_t block_tokens_;
  size_t count_ = 0;
  uint64_t chain_ = 0x51'6d'75'6c'61'74'6f'72;
  std::vector<uint64_t> blocks_;
};

enum class Vocabulary : uint8_t {
  words,    // three-letter Latin words: one token each
  unicode,  // two-, three- and four-byte characters: one token each, to find clients that split them
};

// Exactly `tokens` tokens of text, the same for the same seed. Ends with a full stop if it is `complete`.
std::string make_text(size_t tokens, uint64_t seed, Vocabulary vocabulary, bool complete);

}  // namespace llmgw::simulator
