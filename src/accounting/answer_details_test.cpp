#include "accounting/answer_details.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::accounting {
namespace {

struct Case {
  const char* name;
  chat::Framing framing;
  std::string_view text;
  std::string_view tier = {};
  bool told = false;
  uint32_t web_searches = 0;
  uint32_t file_searches = 0;
  uint32_t google_queries = 0;
  uint32_t google_maps = 0;
  uint32_t containers = 0;
  uint32_t images = 0;
  uint32_t advisors = 0;
};

constexpr auto kJson = chat::Framing::json;
constexpr auto kSse = chat::Framing::sse;

constexpr Case kCases[] = {
    {"openai_flex", kJson, R"({"id":"x", "service_tier": "flex","usage":{}})", "flex", true},
    {"openai_standard", kJson, R"({"service_tier":"default"})", "", true},
    {"openai_fast", kJson, R"({"service_tier":"fast"})", "priority", true},
    {"what_was_asked_for_is_no_answer", kJson, R"({"service_tier":"auto"})"},
    {"null", kJson, R"({"service_tier":null,"type":"x"})"},
    {"priority_that_was_taken_back", kSse,
     "data: {\"response\":{\"service_tier\":\"priority\"}}\n\ndata: {\"response\":{\"service_tier\":\"default\"}}\n\n",
     "", true},
    {"in_a_text", kJson, R"({"text":"\"service_tier\":\"flex\" and \\\"type\\\":\"web_search_call\""})"},
    {"a_member_of_a_schema", kJson, R"({"service_tier":"flex","properties":{"service_tier":{"type":"string"}}})",
     "flex", true},
    {"anthropic", kJson,
     R"({"usage":{"input_tokens":1,"server_tool_use":{"web_search_requests":3,"web_fetch_requests":9},"service_tier":"priority"}})",
     "priority", true, 3},
    {"anthropic_stream", kSse,
     "event: message_start\ndata: "
     "{\"usage\":{\"server_tool_use\":{\"web_search_requests\":0},\"service_tier\":\"standard\"}}\n\n"
     "event: message_delta\ndata: {\"usage\":{\"server_tool_use\":{\"web_search_requests\":2}}}\n\n",
     "", true, 2},
    {"gemini", kJson,
     R"({"candidates":[{"groundingMetadata":{"webSearchQueries":["a, \"b\"","c"],"x":["y"]}}],"usageMetadata":{"trafficType":"ON_DEMAND","serviceTier":"flex"}})",
     "flex", true, 0, 0, 2},
    {"vertex", kJson, R"({"usageMetadata":{"trafficType":"PROVISIONED_THROUGHPUT"}})", "provisioned", true},
    {"bedrock", kJson, R"({"serviceTier":{"type":"priority"},"usage":{"type":"web_search_call_not"}})", "priority",
     true},
    {"responses", kJson,
     R"({"output":[{"type":"web_search_call","action":{"type":"search","queries":["a","b"]}},{"action":{"type":"open_page"},"type":"web_search_call"},{"type":"file_search_call"}],"tools":[{"type":"web_search"}]})",
     "", false, 1, 1},
    {"responses_stream_repeats_itself", kSse,
     "event: response.output_item.added\ndata: {\"item\":{\"type\":\"web_search_call\"}}\n\n"
     "event: response.output_item.done\ndata: "
     "{\"item\":{\"type\":\"web_search_call\",\"action\":{\"type\":\"search\"}}}\n\n"
     "data: {\"response\":{\"output\":[{\"type\":\"web_search_call\"},{\"type\":\"web_search_call\"}]}}\n\n",
     "", false, 2},
    {"code_ran_at_openai", kSse,
     "data: {\"item\":{\"type\":\"code_interpreter_call\"}}\n\n"
     "data: {\"response\":{\"output\":[{\"type\":\"code_interpreter_call\"},{\"type\":\"code_interpreter_call\"},"
     "{\"type\":\"image_generation_call\"},{\"type\":\"image_generation_call\"}],"
     "\"tools\":[{\"type\":\"code_interpreter\",\"container\":{\"type\":\"auto\"}}]}}\n\n",
     "", false, 0, 0, 0, 0, 1, 2},
    {"a_tool_that_was_offered_is_not_used", kJson,
     R"({"output":[{"type":"message"}],"tools":[{"type":"code_interpreter","container":{"type":"auto"}}]})"},
    {"a_shell_in_a_container", kJson,
     R"({"output":[{"type":"shell_call","environment":{"type":"container_reference","container_id":"c"}}]})", "", false,
     0, 0, 0, 0, 1},
    {"code_ran_at_anthropic", kSse,
     "data: {\"content_block\":{\"type\":\"text_editor_code_execution_tool_result\",\"content\":{}}}\n\n"
     "data: {\"content_block\":{\"type\":\"advisor_tool_result\"}}\n\ndata: {\"usage\":{\"speed\":\"standard\"}}\n\n",
     "", false, 0, 0, 0, 0, 1, 0, 1},
    {"maps", kJson, R"({"groundingMetadata":{"groundingChunks":[{"maps":{"uri":"u"}},{"maps":{"uri":"v"}}]}})", "",
     false, 0, 0, 0, 1},
    {"fast", kJson, R"({"usage":{"service_tier":"standard","speed":"fast","inference_geo":"global"}})", "fast", true},
    {"one_part_of_the_world", kJson, R"({"usage":{"service_tier":"standard","inference_geo":"us"}})", "regional", true},
    {"and_at_the_usual_speed", kJson, R"({"usage":{"inference_geo":"us","speed":"standard"}})", "regional", true},
    {"not_fast_after_all", kSse,
     "data: {\"usage\":{\"service_tier\":\"standard\",\"speed\":\"fast\"}}\n\ndata: "
     "{\"usage\":{\"speed\":\"standard\"}}\n\n",
     "", true},
    {"optimized", kJson, R"({"metrics":{"latencyMs":5},"performanceConfig":{"latency":"optimized"}})", "optimized",
     true},
    {"a_comment_with_a_quote", kSse, ": it\"s alive\n\ndata: {\"service_tier\":\"flex\"}\n\n", "flex", true},
};

class AnswerDetailsTest : public testing::TestWithParam<Case> {};

TEST_P(AnswerDetailsTest, InAnyCuts) {
  const Case& each = GetParam();
  for (size_t step = 1; step <= each.text.size(); step = step < 8 ? step + 1 : step * 3) {
    AnswerDetails details(each.framing);
    for (size_t at = 0; at < each.text.size(); at += step) details.feed(each.text.substr(at, step));
    EXPECT_EQ(details.tier_told(), each.told) << step;
    if (each.told) EXPECT_EQ(details.tier(), each.tier) << step;
    const std::array<uint32_t, kProviderTools> uses = {each.web_searches, each.file_searches, each.google_queries,
                                                       each.google_maps,  each.containers,    each.images,
                                                       each.advisors};
    for (size_t i = 0; i < kProviderTools; ++i) {
      EXPECT_EQ(details.uses(static_cast<ProviderTool>(i)), uses[i]) << step << " " << i;
    }
  }
}
TEST(AnswerDetails, WhatTheHeadSaysStands) {
  AnswerDetails details(kJson);
  details.tier_in_head("");
  EXPECT_FALSE(details.tier_told());
  details.tier_in_head("flex");
  details.feed(R"({"usage":{"service_tier":"standard"}})");
  EXPECT_EQ(details.tier(), "flex");
}

INSTANTIATE_TEST_SUITE_P(All, AnswerDetailsTest, testing::ValuesIn(kCases),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace llmgw::accounting
