#include "chat/token_estimate.h"

#include <gtest/gtest.h>

#include <string>

#include "base/base64.h"

namespace llmgw::chat {
namespace {

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
      {"claude-3-5-haiku-latest", TokenFamily::claude_35_haiku},
      {"us.anthropic.claude-opus-4-6-v1", TokenFamily::claude_opus_46},
      {"us.amazon.nova-2-lite-v1:0", TokenFamily::nova_2},
      {"us.amazon.nova-pro-v1:0", TokenFamily::nova},
      {"grok-4.3", TokenFamily::grok_4_3},
      {"grok-4-1-fast", TokenFamily::grok},
      {"llama-3.3-70b", TokenFamily::other},
      {"", TokenFamily::other},
  };
  for (const Row& row : rows) EXPECT_EQ(token_model(row.model, Dialect::openai_chat).family, row.family) << row.model;
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
    const auto estimate = static_cast<double>(estimate_tokens(std::string_view(row.text), TokenVendor::openai));
    EXPECT_NEAR(estimate, row.tokens, row.tokens * 0.1) << row.text;
  }
  EXPECT_EQ(estimate_tokens(std::string_view(), TokenVendor::gemini), 0U);
}

class EstimateRequest : public testing::Test {
 protected:
  Message& say(std::string_view text) {
    Message message{.role = Role::user};
    message.parts.push(arena_, {.kind = PartKind::text, .text = text});
    return request_.messages.push(arena_, message);
  }
  uint64_t estimate(std::string_view model) { return estimate_tokens(request_, token_model(model, dialect_)); }
  PromptCounts count(std::string_view model) { return count_prompt(request_, token_model(model, dialect_)); }

  base::Arena arena_;
  Request request_;
  Dialect dialect_ = Dialect::openai_chat;
};

TEST_F(EstimateRequest, GrowsWithWhatIsAdded) {
  say("Hello there");
  const uint64_t plain = estimate("claude-sonnet-4-5");
  EXPECT_GE(plain, 7U);
  EXPECT_LE(plain, 11U);
  request_.tools.push(arena_, {.name = "weather",
                               .description = "The weather of a city.",
                               .schema = R"({"type":"object","properties":{"city":{"type":"string"}}})"});
  const uint64_t tools = estimate("claude-sonnet-4-5");
  EXPECT_GT(tools, plain + 480) << "Claude's own prompt for tools";
  EXPECT_LT(tools, plain + 640);
  EXPECT_LT(estimate("gemini-2.5-flash"), 60U);
  request_.reasoning.mode = ReasoningMode::on;
  EXPECT_NEAR(static_cast<double>(estimate("claude-sonnet-4-5")), static_cast<double>(tools + 28), 3);
  request_.reasoning.mode = ReasoningMode::unset;
  request_.tool_choice.mode = ToolChoiceMode::required;
  EXPECT_GT(estimate("claude-sonnet-4-5"), tools + 50) << "a longer one where a tool must be called";
  request_.tool_choice.mode = ToolChoiceMode::automatic;
  request_.parallel_tool_calls = false;
  EXPECT_LT(estimate("claude-sonnet-4-5"), tools - 150) << "and a shorter one without parallel calls";
}

TEST_F(EstimateRequest, ImagesByTheirSize) {
  // The head of a PNG of 1000 x 500.
  Media media{
      .source = MediaSource::base64, .data = "iVBORw0KGgoAAAANSUhEUgAAA+gAAAH0CAYAAAAx", .media_type = "image/png"};
  Message& message = say("");
  message.parts.push(arena_, {.kind = PartKind::image, .media = &media});
  const auto tokens = [this](std::string_view model) { return count(model).media_tokens; };
  EXPECT_EQ(tokens("claude-sonnet-4-5"), 667U + 6);
  EXPECT_EQ(tokens("gemini-2.5-flash"), 258U);
  EXPECT_EQ(tokens("gpt-4o"), 85U + 170 * 2);
  EXPECT_EQ(tokens("gpt-4o-mini"), 2833U + 5667 * 2);
  EXPECT_EQ(tokens("gpt-5"), 70U + 140 * 2);
  EXPECT_EQ(tokens("gpt-5-mini"), 615U) << "512 patches";
  EXPECT_EQ(tokens("gpt-5-nano"), 768U);
  EXPECT_EQ(tokens("gpt-4.1-mini"), 830U);
  EXPECT_EQ(tokens("gpt-5.4"), 615U);
  media.detail = "low";
  EXPECT_EQ(tokens("gpt-4o"), 85U);
  EXPECT_EQ(tokens("gpt-5-mini"), 615U) << "has no effect there";
  // WebP (VP8X) of 300 x 200, GIF of 320 x 240.
  media = {.source = MediaSource::base64, .data = "UklGRgAAAABXRUJQVlA4WAoAAAAAAAAAKwEAxwAA"};
  EXPECT_EQ(tokens("claude-sonnet-4-5"), 80U + 6);
  media.data = "R0lGODlhQAHwAA==";
  EXPECT_EQ(tokens("claude-sonnet-4-5"), 103U + 6);
  media = {.source = MediaSource::url, .data = "https://example.com/x.png"};
  EXPECT_EQ(tokens("claude-sonnet-4-5"), 787U + 6) << "unknown: as a usual one";
  media = {.source = MediaSource::base64, .data = "!!!"};
  EXPECT_EQ(tokens("claude-sonnet-4-5"), 787U + 6);
}

TEST_F(EstimateRequest, DocumentsByWhatTheySay) {
  const std::string_view text = base::base64_encode(
      "%PDF-1.4 << /Type /Pages >> << /Type /Page >> << /Type/Page >> stream\n"
      "BT (Hello, \\(round\\) world) Tj ET\nendstream",
      arena_);
  Media media{.source = MediaSource::base64, .data = text, .media_type = "application/pdf"};
  Message& message = say("");
  message.parts.push(arena_, {.kind = PartKind::document, .media = &media});
  EXPECT_EQ(count("gemini-2.5-flash").media_tokens, 2 * 258U);
  EXPECT_EQ(count("claude-sonnet-4-5").media_tokens, 2 * 1570U + 8);
  dialect_ = Dialect::openai_responses;
  EXPECT_EQ(count("gpt-5").media_tokens, 6U);
  const std::string plain(base::base64_encode("One two three.", arena_));
  media = {.source = MediaSource::base64, .data = plain, .media_type = "text/plain"};
  EXPECT_EQ(count("gpt-5").media_tokens, 0U);
  EXPECT_EQ(count("gpt-5").prose.words, 3U);
}

TEST(SchemaCounts, NamesAndDescriptions) {
  SchemaCounts counts;
  counts.add(R"({"type":"object","required":["kind"],"properties":{
    "description":{"type":"string","description":"The \"whole\" text"},"kind":{"enum":["big","small one"],"title":"Kind"}}})");
  EXPECT_EQ(counts.members, 2U);
  EXPECT_EQ(counts.optional, 1U);
  EXPECT_EQ(counts.described, 1U) << "a member of that name is none";
  EXPECT_EQ(counts.enum_items, 2U);
  EXPECT_EQ(counts.titles, 1U);
  EXPECT_EQ(counts.objects, 1U);
  EXPECT_EQ(counts.words.words, 2 + 3 + 3U);
  EXPECT_EQ(counts.raw.lines, 0U) << "white space of JSON is nobody's";
  const SchemaCounts before = counts;
  counts.add(R"({"description":)");
  EXPECT_EQ(counts.described, before.described);
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
  const PromptCounts live = count("gpt-5");
  EXPECT_EQ(live.thought_words, 3U);
  EXPECT_EQ(live.sealed_bytes, 2000U);
  EXPECT_EQ(live.sealed_bytes_above, 1100U);
  const uint64_t during = estimate("gpt-5");
  say("And then?");
  const PromptCounts old = count("gpt-5");
  EXPECT_EQ(old.thought_words, 0U);
  EXPECT_EQ(old.old_thought_words, 3U);
  EXPECT_EQ(old.sealed_bytes, 0U);
  EXPECT_LT(estimate("gpt-5"), during);
}

}  // namespace
}  // namespace llmgw::chat
