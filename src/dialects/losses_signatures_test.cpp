// What proves a thought goes home to the model that made it, and to no other one of its provider's.
#include <gtest/gtest.h>

#include "dialects/losses_test_support.h"
#include "json/tree.h"

namespace llmgw::dialects {
namespace {

using namespace testing_support;

constexpr std::string_view kAnswer =
    R"({"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":{}},)"
    R"("thoughtSignature":"Z2Vt"}]},"finishReason":"STOP"}]})";

// The answer as a client of chat completions has it in its next request.
std::string next_request() {
  World world(*find_codec(Dialect::gemini));
  const auto answer = world.read_answer(kAnswer);
  EXPECT_TRUE(answer);
  world.request.from = Dialect::openai_chat;
  std::string document;
  find_codec(Dialect::openai_chat)->write_answer(*answer, world.answer_context(), document);
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, document, arena);
  EXPECT_TRUE(root);
  const json::Value message = (*root)["choices"].first_element()["message"];
  const std::string id(message["tool_calls"].first_element()["id"].string(arena));
  return R"({"messages":[{"role":"user","content":"q"},)" + std::string(message.raw()) +
         R"(,{"role":"tool","tool_call_id":")" + id + R"(","content":"1"}]})";
}

TEST(Signatures, OfGeminiGoToTheModelThatSigned) {
  const std::string body = next_request();
  chat::Target target = generous(Dialect::gemini);
  target.reasoning = chat::ReasoningStyle::gemini_level;
  target.model = "remote-model";
  EXPECT_NE(convert(Dialect::openai_chat, body, target).body.find("Z2Vt"), std::string::npos) << body;
  target.model = "another-model";
  EXPECT_EQ(convert(Dialect::openai_chat, body, target).body.find("Z2Vt"), std::string::npos) << body;
}

TEST(Losses, ArgumentsThatAreNoObjectAreSaidToBeChanged) {
  constexpr std::string_view kBody =
      R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"c","type":"function",)"
      R"("function":{"name":"f","arguments":"[1]"}}]},{"role":"tool","tool_call_id":"c","content":"1"}]})";
  for (const Dialect dialect : {Dialect::gemini, Dialect::anthropic, Dialect::bedrock}) {
    const Conversion done = convert(Dialect::openai_chat, kBody, generous(dialect));
    EXPECT_TRUE(done.warned("messages")) << done.body << done.list();
  }
}

}  // namespace
}  // namespace llmgw::dialects
