#include "gateway/entrance/conversation.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::gateway {
namespace {

using chat::Dialect;

uint64_t of(std::string_view body, Dialect dialect = Dialect::openai_chat) {
  return conversation_of(body, dialect, 7);
}

struct Grows {
  const char* name;
  Dialect dialect;
  std::string_view first;
  std::string_view grown;
  std::string_view other;
};

const Grows kGrows[] = {
    {"chat", Dialect::openai_chat,
     R"({"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":"Hi"}]})",
     R"({"temperature":1,"messages": [ {"content":"S","role":"system"},{"role":"user","content":"Hi"},)"
     R"({"role":"assistant","content":"Hello"},{"role":"user","content":"More"}],"model":"n"})",
     R"({"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":"Ho"}]})"},
    {"several_texts_of_the_user", Dialect::openai_chat,
     R"({"messages":[{"role":"user","content":"Where I am"},{"role":"user","content":"Hi"}]})",
     R"({"messages":[{"role":"user","content":"Where I am"},{"role":"user","content":"Hi"},{"role":"assistant",)"
     R"("tool_calls":[]},{"role":"tool","content":"x"}]})",
     R"({"messages":[{"role":"user","content":"Where I am"},{"role":"user","content":"Ho"}]})"},
    {"the_model_greets", Dialect::openai_chat,
     R"({"messages":[{"role":"assistant","content":"How can I help?"},{"role":"user","content":"Hi"}]})",
     R"({"messages":[{"role":"assistant","content":"How can I help?"},{"role":"user","content":"Hi"},)"
     R"({"role":"assistant","content":"So"},{"role":"user","content":"Ho"}]})",
     R"({"messages":[{"role":"assistant","content":"How can I help?"},{"role":"user","content":"Ho"}]})"},
    {"a_cache_that_begins_elsewhere", Dialect::anthropic,
     R"({"system":[{"type":"text","text":"S"}],"messages":[{"role":"user","content":[{"type":"text","text":"Hi",)"
     R"("cache_control":{"type":"ephemeral"}}]}]})",
     R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"user","content":)"
     R"([{"type":"text","text":"More","cache_control":{"type":"ephemeral"}}]}],"system":"S"})",
     R"({"system":"S2","messages":[{"role":"user","content":"Hi"}]})"},
    {"contents", Dialect::gemini,
     R"({"systemInstruction":{"parts":[{"text":"S"}]},"contents":[{"parts":[{"text":"Hi"}]}]})",
     R"({"contents":[{"parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"Hello"}]},{"role":"user","parts":)"
     R"([{"text":"More"}]}],"systemInstruction":{"parts":[{"text":"S"}]}})",
     R"({"systemInstruction":{"parts":[{"text":"S"}]},"contents":[{"parts":[{"text":"Ho"}]}]})"},
    {"converse", Dialect::bedrock,
     R"({"system":[{"text":"S"},{"cachePoint":{"type":"default"}}],"messages":[{"role":"user","content":[{"text":"Hi"}]}]})",
     R"({"system":[{"text":"S"}],"messages":[{"role":"user","content":[{"text":"Hi"},{"cachePoint":{"type":"default"}}]},)"
     R"({"role":"assistant","content":[{"text":"Hello"}]}]})",
     R"({"system":[{"text":"S"}],"messages":[{"role":"user","content":[{"text":"Ho"}]}]})"},
    {"items", Dialect::openai_responses,
     R"({"instructions":"S","input":[{"role":"user","content":[{"type":"input_text","text":"Hi"}]}]})",
     R"({"instructions":"S","input":[{"type":"message","role":"user","content":"Hi"},{"type":"reasoning","summary":[]},)"
     R"({"type":"function_call","name":"f"},{"role":"user","content":"More"}]})",
     R"({"instructions":"S","input":[{"role":"user","content":"Ho"}]})"},
    {"a_conversation_by_its_id", Dialect::openai_responses, R"({"conversation":"conv_1","input":"Hi"})",
     R"({"input":"More","conversation":{"id":"conv_1"}})", R"({"conversation":"conv_2","input":"Hi"})"},
    {"a_response_before_it", Dialect::openai_responses, R"({"previous_response_id":"resp_1","input":"Hi"})",
     R"({"instructions":"Other","input":"More","previous_response_id":"resp_1"})",
     R"({"previous_response_id":"resp_2","input":"Hi"})"},
    {"completions", Dialect::openai_chat, R"({"prompt":"Hi"})", R"({"n":2,"prompt":"Hi"})", R"({"prompt":"Ho"})"},
};

class EveryConversation : public testing::TestWithParam<Grows> {};

TEST_P(EveryConversation, StaysItselfAsItGrows) {
  const Grows& each = GetParam();
  const uint64_t first = of(each.first, each.dialect);
  EXPECT_NE(first, 0U);
  EXPECT_EQ(of(each.grown, each.dialect), first);
  EXPECT_NE(of(each.other, each.dialect), first);
  EXPECT_NE(conversation_of(each.first, each.dialect, 8), first) << "of another model";
}

INSTANTIATE_TEST_SUITE_P(All, EveryConversation, testing::ValuesIn(kGrows),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(Conversation, OneSystemPromptIsNotOneConversation) {
  const std::string before =
      R"({"messages":[{"role":"system","content":")" + std::string(100'000, 's') + R"("},{"role":"user","content":")";
  EXPECT_NE(of(before + "one\"}]}"), of(before + "two\"}]}"));
  EXPECT_EQ(of(before + "one\"}]}"), of(before + R"(one"},{"role":"assistant","content":"x"}]})"));
}

TEST(Conversation, ARequestThatGoesOnIsFoundByTheResponseBefore) {
  EXPECT_EQ(of(R"({"input":"x","previous_response_id":"resp_1"})", Dialect::openai_responses),
            conversation_after("resp_1", 7));
  EXPECT_NE(of(R"({"input":"x","previous_response_id":null})", Dialect::openai_responses), 0U);
}

TEST(Conversation, AResponseTellsItsIdEarly) {
  EXPECT_EQ(response_id_in("{\n  \"object\": \"response\",\n  \"id\": \"resp_1\",\n  \"output\": [{\"ty"), "resp_1");
  for (const std::string_view text : {"", "{", R"({"id":"resp_)", R"({"output":[{"id":"msg_1"}],"st)", R"({"id":1})"}) {
    EXPECT_EQ(response_id_in(text), "") << text;
  }
}

TEST(Conversation, SomeBodiesTellNone) {
  for (const std::string_view body :
       {"", "[]", "{}", "no JSON", R"({"messages":[]})", R"({"messages":[{"role":"system","content":"S"}]})",
        R"({"input":"a text to embed"})", R"({"messages":[{"role":"user","content":"cut)"}) {
    EXPECT_EQ(of(body), 0U) << body;
  }
}

}  // namespace
}  // namespace llmgw::gateway
