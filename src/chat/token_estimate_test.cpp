#include "chat/token_estimate.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::chat {
namespace {

TEST(TextCounts, Classes) {
  TextCounts counts;
  counts.add("Hello, extraordinary world!!  12345\n\n\xC3\xA9\xD0\x96\xE4\xB8\xAD\xF0\x9F\x98\x80");
  EXPECT_EQ(counts.words, 3U);
  EXPECT_EQ(counts.long_letters, 7U) << "extraordinary has 13";
  EXPECT_EQ(counts.digits, 2U);
  EXPECT_EQ(counts.digit_chars, 5U);
  EXPECT_EQ(counts.marks, 2U) << "a comma, and two exclamation marks together";
  EXPECT_EQ(counts.mark_chars, 3U);
  EXPECT_EQ(counts.lines, 1U);
  EXPECT_EQ(counts.indents, 1U);
  EXPECT_EQ(counts.letters, 2U);
  EXPECT_EQ(counts.ideographs, 1U);
  EXPECT_EQ(counts.symbols, 1U);
  TextCounts broken;
  broken.add("\xF0\x9F");
  broken.add("\xFF\xC3");
  EXPECT_LE(broken.letters + broken.symbols + broken.ideographs, 4U);
}

TEST(TokenFamily, OfModels) {
  struct Row {
    const char* model;
    TokenFamily family;
  };
  const Row rows[] = {
      {"gpt-4o-mini", TokenFamily::openai},
      {"openai/gpt-5.2", TokenFamily::openai_reasoning},
      {"o3-mini", TokenFamily::openai_reasoning},
      {"openai/gpt-oss-120b", TokenFamily::gpt_oss},
      {"us.anthropic.claude-sonnet-4-5-20250929-v1:0", TokenFamily::claude_45},
      {"claude-sonnet-4-20250514", TokenFamily::claude_4},
      {"claude-3-7-sonnet-latest", TokenFamily::claude_35},
      {"anthropic.claude-3-sonnet-20240229-v1:0", TokenFamily::claude_3},
      {"claude-opus-4-8", TokenFamily::claude_5},
      {"claude-sonnet-9", TokenFamily::claude_5},
      {"publishers/google/models/gemini-2.5-flash", TokenFamily::gemini},
      {"gemini-2.0-flash", TokenFamily::gemini_2},
      {"gemini-3.1-pro-preview", TokenFamily::gemini_3},
      {"gemini-flash-latest", TokenFamily::gemini_3},
      {"us.amazon.nova-2-lite-v1:0", TokenFamily::nova_2},
      {"grok-4.3", TokenFamily::grok},
      {"llama-3.3-70b", TokenFamily::other},
      {"", TokenFamily::other},
  };
  for (const Row& row : rows) EXPECT_EQ(token_family(row.model), row.family) << row.model;
}

// Token counts of tokenizers in the open (o200k and its kin), which do not depend on a provider's prompt.
TEST(Estimate, TextsWithinATenth) {
  struct Row {
    const char* text;
    double tokens;
  };
  const Row rows[] = {
      {"The quick brown fox jumps over the lazy dog.", 10},
      {"The capital of France is Paris, and its largest river is the Seine.", 15},
      {"Please write a short summary of the following article in three sentences.", 13},
  };
  for (const Row& row : rows) {
    const auto estimate = static_cast<double>(estimate_tokens(std::string_view(row.text), TokenFamily::openai));
    EXPECT_NEAR(estimate, row.tokens, row.tokens * 0.1) << row.text;
  }
  EXPECT_EQ(estimate_tokens(std::string_view(), TokenFamily::gemini), 0U);
}

class EstimateRequest : public testing::Test {
 protected:
  Message& say(std::string_view text) {
    Message message{.role = Role::user};
    message.parts.push(arena_, {.kind = PartKind::text, .text = text});
    return request_.messages.push(arena_, message);
  }
  uint64_t estimate(TokenFamily family) { return estimate_tokens(request_, family, Dialect::openai_chat); }

  base::Arena arena_;
  Request request_;
};

TEST_F(EstimateRequest, GrowsWithWhatIsAdded) {
  say("Hello there");
  const uint64_t plain = estimate(TokenFamily::claude_45);
  EXPECT_GE(plain, 7U);
  EXPECT_LE(plain, 11U);
  request_.tools.push(arena_, {.name = "weather",
                               .description = "The weather of a city.",
                               .schema = R"({"type":"object","properties":{"city":{"type":"string"}}})"});
  const uint64_t tools = estimate(TokenFamily::claude_45);
  EXPECT_GT(tools, plain + 480) << "Claude's own prompt for tools";
  EXPECT_LT(tools, plain + 640);
  EXPECT_LT(estimate(TokenFamily::gemini), 60U);
  request_.reasoning.mode = ReasoningMode::on;
  EXPECT_NEAR(static_cast<double>(estimate(TokenFamily::claude_45)), static_cast<double>(tools + 28), 1);
}

TEST_F(EstimateRequest, ImagesByTheirSize) {
  // The head of a PNG of 1000 x 500.
  Media media{
      .source = MediaSource::base64, .data = "iVBORw0KGgoAAAANSUhEUgAAA+gAAAH0CAYAAAAx", .media_type = "image/png"};
  Message& message = say("");
  message.parts.push(arena_, {.kind = PartKind::image, .media = &media});
  EXPECT_EQ(count_prompt(request_, TokenFamily::claude_5).media_tokens, 667U);
  EXPECT_EQ(count_prompt(request_, TokenFamily::openai).media_tokens, 85U + 170 * 2);
  EXPECT_EQ(count_prompt(request_, TokenFamily::gemini).media_tokens, 258U);
  media.detail = "low";
  EXPECT_EQ(count_prompt(request_, TokenFamily::openai).media_tokens, 85U);
  media = {.source = MediaSource::url, .data = "https://example.com/x.png"};
  EXPECT_EQ(count_prompt(request_, TokenFamily::claude_5).media_tokens, 787U) << "unknown: as a usual one";
  media = {.source = MediaSource::base64, .data = "!!!"};
  EXPECT_EQ(count_prompt(request_, TokenFamily::claude_5).media_tokens, 787U);
}

TEST(SchemaCounts, DescriptionsCountApart) {
  SchemaCounts counts;
  counts.add(R"({"type":"object","properties":{"description":{"type":"string","description":"The \"whole\" text"}}})");
  EXPECT_EQ(counts.types, 2U);
  EXPECT_EQ(counts.described_words, 3U) << "a member of that name is none";
  counts.add(R"({"description":)");
  counts.add(R"({"description":"cut)");
  EXPECT_EQ(counts.described_words, 4U);
}

// What the model thought is in the prompt again as long as it goes on with the same turn.
TEST_F(EstimateRequest, ThoughtsOfTheTurnAtHand) {
  const std::string sealed(2000, 'A');
  const Signature signature{.minter = Minter::openai, .data = sealed};
  say("What now?");
  Message thinking{.role = Role::assistant};
  thinking.parts.push(arena_, {.kind = PartKind::thinking, .text = "one two three", .signature = &signature});
  thinking.parts.push(arena_, {.kind = PartKind::tool_call, .text = "{}", .id = "c", .name = "f"});
  request_.messages.push(arena_, thinking);
  Message result{.role = Role::user};
  result.parts.push(arena_, {.kind = PartKind::tool_result, .id = "c"});
  request_.messages.push(arena_, result);
  const PromptCounts live = count_prompt(request_, TokenFamily::openai_reasoning);
  EXPECT_EQ(live.thought_words, 3U);
  EXPECT_EQ(live.sealed_bytes, 2000U);
  EXPECT_EQ(live.sealed_bytes_above, 1100U);
  const uint64_t during = estimate(TokenFamily::openai_reasoning);
  say("And then?");
  const PromptCounts old = count_prompt(request_, TokenFamily::openai_reasoning);
  EXPECT_EQ(old.thought_words, 0U);
  EXPECT_EQ(old.old_thought_words, 3U);
  EXPECT_EQ(old.sealed_bytes, 0U);
  EXPECT_LT(estimate(TokenFamily::openai_reasoning), during);
}

}  // namespace
}  // namespace llmgw::chat
