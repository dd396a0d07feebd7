// How a client tells a model to reason, over pairs of dialects.
#include <gtest/gtest.h>

#include "dialects/losses_test_support.h"

namespace llmgw::dialects {
namespace {

using namespace testing_support;

std::string anthropic(std::string_view members) {
  return R"({"max_tokens":9000,"messages":[{"role":"user","content":"q"}],)" + std::string(members) + "}";
}

std::string gemini(std::string_view thinking) {
  return R"({"contents":[{"role":"user","parts":[{"text":"q"}]}],"generationConfig":{"maxOutputTokens":9000,)"
         R"("thinkingConfig":)" +
         std::string(thinking) + "}}";
}

bool has(const Conversion& done, std::string_view text) {
  return done.body.find(text) != std::string::npos;
}

TEST(Reasoning, AnAdaptiveThoughtIsAskedOfTheResponsesApi) {
  struct Row {
    std::string members;
    std::string_view sent;
  };
  const Row rows[] = {
      {R"("thinking":{"type":"adaptive"})", R"("reasoning":{"effort":"medium","summary":"auto"})"},
      {R"("thinking":{"type":"adaptive"},"output_config":{"effort":"high"})",
       R"("reasoning":{"effort":"high","summary":"auto"})"},
      {R"("thinking":{"type":"adaptive","display":"omitted"})", R"("reasoning":{"effort":"medium"})"},
      {R"("thinking":{"type":"enabled","budget_tokens":2000})", R"("reasoning":{"effort":"low","summary":"auto"})"},
      {R"("output_config":{"effort":"high"})", R"("reasoning":{"effort":"high"})"},
  };
  for (const Row& row : rows) {
    const Conversion done = convert(Dialect::anthropic, anthropic(row.members), generous(Dialect::openai_responses));
    EXPECT_TRUE(has(done, row.sent)) << row.members << done.body << done.list();
  }
  // Where the model does so unasked only the summary is to be asked for.
  chat::Target reasons = generous(Dialect::openai_responses);
  reasons.reasons_by_default = true;
  const Conversion done = convert(Dialect::anthropic, anthropic(R"("thinking":{"type":"adaptive"})"), reasons);
  EXPECT_TRUE(has(done, R"("reasoning":{"summary":"auto"})")) << done.body;
  // Where it cannot reason, that is told.
  chat::Target none = generous(Dialect::openai_responses);
  none.reasoning = chat::ReasoningStyle::none;
  EXPECT_TRUE(convert(Dialect::anthropic, anthropic(R"("thinking":{"type":"adaptive"})"), none).warned("thinking"));
}

// The steps are in compatibility.md.
TEST(Reasoning, OneBudgetIsOneEffort) {
  using chat::ReasoningStyle;
  chat::Target nova = generous(Dialect::bedrock);
  nova.bedrock = chat::BedrockFamily::nova;
  nova.reasoning = ReasoningStyle::nova;
  chat::Target gpt_oss = nova;
  gpt_oss.bedrock = chat::BedrockFamily::gpt_oss;
  gpt_oss.reasoning = ReasoningStyle::effort;
  for (const int budget : {1024, 1025, 2048, 2049, 8192, 8193, 8999}) {
    const std::string body =
        anthropic(R"("thinking":{"type":"enabled","budget_tokens":)" + std::to_string(budget) + "}");
    const std::string effort = budget <= 2048 ? "low" : budget <= 8192 ? "medium" : "high";
    const std::string level = budget <= 2048 ? "LOW" : budget <= 8192 ? "MEDIUM" : "HIGH";
    chat::Target gemini3 = generous(Dialect::gemini);
    gemini3.reasoning = ReasoningStyle::gemini_level;
    const std::pair<chat::Target, std::string> rows[] = {
        {generous(Dialect::openai_chat), R"("reasoning_effort":")" + effort + '"'},
        {generous(Dialect::openai_responses), R"("effort":")" + effort + '"'},
        {nova, R"("reasoningConfig":{"type":"enabled","maxReasoningEffort":")" + effort + '"'},
        {gpt_oss, R"("reasoning_effort":")" + effort + '"'},
        {gemini3, R"("thinkingLevel":")" + level + '"'},
    };
    for (const auto& [target, sent] : rows) {
      const Conversion done = convert(Dialect::anthropic, body, target);
      EXPECT_TRUE(has(done, sent)) << budget << done.body << done.list();
      EXPECT_TRUE(done.warned("thinking.budget_tokens") || done.warned("thinking")) << done.list();
    }
  }
}

TEST(Reasoning, AnEffortBeyondTheLargestBudgetIsTold) {
  chat::Target flash = generous(Dialect::gemini);
  flash.budget_max = 24'576;
  for (const std::string_view effort : {"high", "xhigh"}) {
    const std::string body =
        R"({"messages":[{"role":"user","content":"q"}],"reasoning_effort":")" + std::string(effort) + "\"}";
    const Conversion done = convert(Dialect::openai_chat, body, flash);
    EXPECT_TRUE(has(done, R"("thinkingBudget":24576)")) << done.body;
    EXPECT_EQ(done.warned("reasoning_effort"), effort == "xhigh") << done.list();
  }
}

// Google's models think by default: who asks to see it wants it done.
TEST(Reasoning, WhoWantsToSeeThoughtsWantsThem) {
  const std::string body = gemini(R"({"includeThoughts":true})");
  struct Row {
    Dialect dialect;
    chat::ReasoningStyle style;
    std::string_view sent;
  };
  using chat::ReasoningStyle;
  const Row rows[] = {
      {Dialect::anthropic, ReasoningStyle::anthropic_budget, R"("thinking":{"type":"enabled","budget_tokens":4500})"},
      {Dialect::anthropic, ReasoningStyle::anthropic_adaptive,
       R"("thinking":{"type":"adaptive","display":"summarized"})"},
      {Dialect::bedrock, ReasoningStyle::anthropic_budget, R"("thinking":{"type":"enabled","budget_tokens":4500})"},
      {Dialect::cohere, ReasoningStyle::effort, R"("thinking":{"type":"enabled")"},
      {Dialect::openai_chat, ReasoningStyle::enable_thinking, R"("chat_template_kwargs":{"enable_thinking":true})"},
      {Dialect::openai_responses, ReasoningStyle::effort, R"("reasoning":{"effort":"medium","summary":"auto"})"},
      {Dialect::gemini, ReasoningStyle::gemini_budget, R"("thinkingConfig":{"includeThoughts":true})"},
      {Dialect::gemini, ReasoningStyle::gemini_level, R"("thinkingConfig":{"includeThoughts":true})"},
  };
  for (const Row& row : rows) {
    chat::Target target = generous(row.dialect);
    target.reasoning = row.style;
    const Conversion done = convert(Dialect::gemini, body, target);
    EXPECT_TRUE(has(done, row.sent)) << done.body << done.list();
    target.reasoning = ReasoningStyle::none;
    const Conversion told = convert(Dialect::gemini, body, target);
    EXPECT_FALSE(told.warnings.empty()) << told.body;
  }
  const Conversion off =
      convert(Dialect::gemini, gemini(R"({"includeThoughts":true,"thinkingBudget":0})"), generous(Dialect::anthropic));
  EXPECT_FALSE(has(off, "enabled")) << off.body;
}

}  // namespace
}  // namespace llmgw::dialects
