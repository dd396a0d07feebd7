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
  target.seed_name = "random_seed";
  target.refused_members = "logit_bias logprobs user";
  return target;
}

std::string fitted(std::string_view body, const chat::Target& target, std::string* warned = nullptr) {
  json::Parser parser;
  base::Arena arena;
  chat::Warnings warnings(arena);
  const std::string text(fit_vendor_body(body, target, parser, arena, warnings));
  if (warned != nullptr) *warned = warnings.header();
  return text;
}

TEST(VendorBody, TheOlderNameOfMaxTokens) {
  EXPECT_EQ(fitted(R"({"model":"m", "max_completion_tokens": 5})", mistral()), R"({"model":"m", "max_tokens": 5})");
  const std::string both = R"({"max_tokens":4,"max_completion_tokens":5})";
  EXPECT_EQ(fitted(both, mistral()), both);
}

TEST(VendorBody, StreamOptionsAreCutWithOneComma) {
  EXPECT_EQ(fitted(R"({"a":1, "stream_options":{"include_usage":true} ,"b":2})", mistral()), R"({"a":1, "b":2})");
  EXPECT_EQ(fitted(R"({"stream_options":{"include_usage":true},"b":2})", mistral()), R"({"b":2})");
  EXPECT_EQ(fitted(R"({"a":1,"stream_options":null})", mistral()), R"({"a":1})");
  EXPECT_EQ(fitted(R"({"stream_options":null})", mistral()), "{}");
}

TEST(VendorBody, TheSeedHasTheVendorsName) {
  EXPECT_EQ(fitted(R"({"model":"m","seed":5})", mistral()), R"({"model":"m","random_seed":5})");
  const std::string both = R"({"random_seed":4,"seed":5})";
  EXPECT_EQ(fitted(both, mistral()), both);
  EXPECT_TRUE(may_need_fitting(R"({"seed":5})", mistral()));
  EXPECT_FALSE(may_need_fitting(R"({"seed":5})", {}));
}

TEST(VendorBody, WhatMakesTheCallFailIsLeftOutAndToldOf) {
  std::string warned;
  EXPECT_EQ(fitted(R"({"user":"u", "logit_bias":{"1":2} ,"a":1,"logprobs":false,"b":2,"user":"v" , "logprobs":true })",
                   mistral(), &warned),
            R"({"a":1,"b":2 })");
  EXPECT_EQ(warned, R"(dropped;field="user";reason="this provider refuses requests with it", )"
                    R"(dropped;field="logit_bias";reason="this provider refuses requests with it", )"
                    R"(dropped;field="logprobs";reason="this provider refuses requests with it")");
  EXPECT_EQ(fitted(R"({"user":null,"a":{"user":1},"logprobs":false})", mistral(), &warned), R"({"a":{"user":1}})");
  EXPECT_EQ(warned, "") << "it said nothing";
  EXPECT_EQ(fitted(R"({ "user":"u" , "logit_bias":{} })", mistral()), "{  }");
  const std::string_view body = R"({"user":"u","logit_bias":{},"logprobs":true,"seed":1})";
  EXPECT_TRUE(may_need_fitting(body, mistral()));
  EXPECT_TRUE(may_need_fitting(R"({"role":"user", "user" : "u"})", mistral()));
  EXPECT_EQ(fitted(body, {}), body);
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
  for (const std::string_view body :
       {R"({"max_tokens":5,"messages":[{"role" : "user","content":"seed"}]})", "[]", "{", ""}) {
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
