#include "simulator/tokenize.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace llmgw::simulator {
namespace {

TEST(Tokenize, AsciiIsFourBytesAToken) {
  EXPECT_EQ(count_tokens(""), 0u);
  EXPECT_EQ(count_tokens("a"), 1u);
  EXPECT_EQ(count_tokens("abcd"), 1u);
  EXPECT_EQ(count_tokens("abcde"), 2u);
  EXPECT_EQ(first_tokens("abcdefghij", 2), "abcdefgh");
  EXPECT_EQ(first_tokens("abc", 5), "abc");
  EXPECT_EQ(first_tokens("abc", 0), "");
}

TEST(Tokenize, NeverSplitsACharacter) {
  const std::string text = "aé日b🚀xyé";
  std::string joined;
  for (size_t at = 0; at < text.size();) {
    const size_t end = token_end(text, at);
    ASSERT_GT(end, at);
    EXPECT_LE(end - at, kTokenBytes);
    if (end < text.size()) {
      EXPECT_NE(static_cast<unsigned char>(text[end]) & 0xC0U, 0x80u);
    }
    joined += text.substr(at, end - at);
    at = end;
  }
  EXPECT_EQ(joined, text);
}

TEST(Tokenize, BrokenUtf8StillAdvances) {
  const std::string text(11, '\x80');
  EXPECT_EQ(count_tokens(text), 3u);
}

TEST(PromptTokens, AContinuedConversationBeginsWithTheSameBlocks) {
  PromptTokens before(4);
  before.mark(1);
  before.text("Hello, who are you?");
  before.mark(2);
  PromptTokens answered = before;
  answered.text("sol nox lux pax.");
  PromptTokens next(4);
  next.mark(1);
  next.text("Hello, who are you?");
  next.mark(2);
  next.text("sol nox lux pax.");
  next.mark(1);
  next.text("And then?");
  EXPECT_EQ(before.count(), 7u);
  ASSERT_GE(next.block_hashes().size(), answered.block_hashes().size());
  EXPECT_TRUE(std::equal(answered.block_hashes().begin(), answered.block_hashes().end(), next.block_hashes().begin()));
  EXPECT_EQ(answered.block_hashes().size(), 2u);
}

TEST(PromptTokens, TellsPromptsApart) {
  const auto blocks = [](std::string_view text) {
    PromptTokens prompt(1);
    prompt.text(text);
    return prompt.block_hashes();
  };
  EXPECT_NE(blocks("abcd")[0], blocks("abce")[0]);
  EXPECT_NE(blocks("abc")[0], blocks("abc ")[0]);
  EXPECT_NE(blocks("abcdefgh")[1], blocks("abcxefgh")[1]) << "a block depends on all before it";
  PromptTokens mark(1);
  mark.mark(7, 3);
  EXPECT_EQ(mark.count(), 3u);
}

TEST(MakeText, HasExactlyTheTokensAndIsDeterministic) {
  for (const Vocabulary vocabulary : {Vocabulary::words, Vocabulary::unicode}) {
    for (const size_t tokens : {0, 1, 2, 50, 1000}) {
      const std::string text = make_text(tokens, 42, vocabulary, true);
      EXPECT_EQ(count_tokens(text), tokens);
      EXPECT_EQ(text, make_text(tokens, 42, vocabulary, true));
    }
  }
  EXPECT_NE(make_text(50, 1, Vocabulary::words, true), make_text(50, 2, Vocabulary::words, true));
  EXPECT_TRUE(make_text(5, 1, Vocabulary::words, true).ends_with('.'));
  EXPECT_FALSE(make_text(5, 1, Vocabulary::words, false).ends_with('.'));
}

}  // namespace
}  // namespace llmgw::simulator
