#include "dialects/openai_chat/vendor_body.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::dialects::openai_chat {
namespace {

chat::Target mistral() {
  chat::Target target;
  target.max_tokens_name = chat::MaxTokensName::max_tokens;
  target.stream_options = false;
  target.tool_id_rule = chat::ToolIdRule::mistral;
  target.tool_id_max = 9;
  return target;
}

std::string fitted(std::string_view body, const chat::Target& target) {
  json::Parser parser;
  base::Arena arena;
  return std::string(fit_vendor_body(body, target, parser, arena));
}

TEST(VendorBody, TheOlderNameOfMaxTokens) {
  EXPECT_EQ(fitted(R"({"model":"m", "max_completion_tokens": 5})", mistral()), R"({"model":"m", "max_tokens": 5})");
  const std::string both = R"({"max_tokens":4,"max_completion_tokens":5})";
  EXPECT_EQ(fitted(both, mistral()), both);
}

TEST(VendorBody, StreamOptionsAreCutWithOneComma) {
  EXPECT_EQ(fitted(R"({"a":1, "stream_options":{"include_usage":true} ,"b":2})", mistral()), R"({"a":1 ,"b":2})");
  EXPECT_EQ(fitted(R"({"stream_options":{"include_usage":true},"b":2})", mistral()), R"({"b":2})");
  EXPECT_EQ(fitted(R"({"a":1,"stream_options":null})", mistral()), R"({"a":1})");
  EXPECT_EQ(fitted(R"({"stream_options":null})", mistral()), "{}");
}

TEST(VendorBody, IdsOfToolCallsAreTheVendorsOwnAndStillPair) {
  const std::string body = R"({"messages":[{"role":"user","content":"toolu_1"},{"role":"assistant","tool_calls":[)"
                           R"({"id":"toolu_1","type":"function","function":{"name":"f","arguments":"{}"}},)"
                           R"({"id":"abcdefgh1","type":"function","function":{"name":"f","arguments":"{}"}}]},)"
                           R"({"role":"tool","tool_call_id":"toolu_1","content":"1"},)"
                           R"({"role":"tool","tool_call_id":"abcdefgh1","content":"2"}]})";
  const std::string text = fitted(body, mistral());
  const size_t at = text.find(R"("id":")") + 6;
  const std::string id = text.substr(at, text.find('"', at) - at);
  EXPECT_EQ(id.size(), 9U);
  EXPECT_NE(text.find(R"("tool_call_id":")" + id + '"'), std::string::npos) << text;
  EXPECT_NE(text.find(R"("content":"toolu_1")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"({"id":"abcdefgh1")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("tool_call_id":"abcdefgh1")"), std::string::npos) << text;
}

TEST(VendorBody, WhatNeedsNothingStaysAsItIs) {
  for (const std::string_view body : {R"({"max_tokens":5,"messages":[]})", "[]", "{", ""}) {
    EXPECT_EQ(fitted(body, mistral()), body);
    EXPECT_FALSE(may_need_fitting(body, mistral()));
  }
  const std::string_view modern =
      R"({"max_completion_tokens":5,"stream_options":{},"messages":[{"tool_call_id":"x"}]})";
  EXPECT_TRUE(may_need_fitting(modern, mistral()));
  EXPECT_FALSE(may_need_fitting(modern, {}));
  EXPECT_EQ(fitted(modern, {}), modern);
}

}  // namespace
}  // namespace llmgw::dialects::openai_chat
