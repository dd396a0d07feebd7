// Cohere's chat, both ways: what is read, what is written, and that the one is the other's reverse.
#include "dialects/cohere/codec.h"

#include <gmock/gmock.h>

#include "dialects/codec_test_support.h"

namespace llmgw::dialects::cohere {
namespace {

using namespace testing_support;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

chat::Target command_a() {
  return {.dialect = chat::Dialect::cohere,
          .model = "command-a",
          .temperature_max = 1.0,
          .top_k = true,
          .stop_max = 5,
          .strict_tools = true,
          .tool_choice_named = false,
          .parallel_tool_calls = false,
          .output_schema = chat::SchemaSubset::any,
          .reasoning = chat::ReasoningStyle::anthropic_budget,
          .reasons_by_default = true};
}

constexpr std::string_view kConversation = R"({
  "model":"alias","stream":true,
  "messages":[
    {"role":"system","content":"Be brief."},
    {"role":"user","content":[{"type":"text","text":"What is this?"},
      {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0K","detail":"low"}}]},
    {"role":"assistant","content":[{"type":"thinking","thinking":"Look it up."}],"tool_plan":"I will look.",
     "tool_calls":[{"id":"look_1","type":"function","function":{"name":"look","arguments":"{\"at\":\"it\"}"}}]},
    {"role":"tool","tool_call_id":"look_1","content":[
      {"type":"document","document":{"id":"d1","data":{"text":"A tree.","height":12345678901234567}}}]},
    {"role":"assistant","content":"A tree.","citations":[{"start":2,"end":6,"text":"tree","sources":[]}]},
    {"role":"user","content":"Sure?"}],
  "documents":["Trees are tall.",{"id":"d2","data":{"title":"Oaks","text":"Oaks are trees."}}],
  "tools":[{"type":"function","function":{"name":"look","description":"Looks.",
    "parameters":{"type":"object","properties":{"at":{"type":"string"}}}}}],
  "strict_tools":true,"tool_choice":"REQUIRED","thinking":{"type":"enabled","token_budget":200},
  "max_tokens":100,"temperature":0.5,"p":0.7,"k":40,"seed":7,"frequency_penalty":0.5,
  "stop_sequences":["END"],"logprobs":true,"safety_mode":"STRICT","citation_options":{"mode":"FAST"}})";

TEST(CohereRequest, SurvivesItsOwnDialect) {
  World world(codec());
  ASSERT_TRUE(world.read_request(kConversation));
  EXPECT_TRUE(world.request.stream);
  EXPECT_EQ(world.request.messages.size(), 6U);
  EXPECT_EQ(world.request.messages[2].parts.size(), 3U);
  EXPECT_EQ(world.request.messages[5].parts[0].kind, chat::PartKind::document);
  EXPECT_EQ(world.request.messages[5].parts[1].media->data, "Oaks are trees.");
  EXPECT_EQ(world.request.top_k, "40");
  EXPECT_EQ(world.request.extras.size(), 2U);
  const std::string written = world.write_request(command_a());
  World again(codec());
  ASSERT_TRUE(again.read_request(written)) << written;
  EXPECT_EQ(canonical(again.write_request(command_a())), canonical(written));
  for (const std::string_view kept :
       {R"("height":12345678901234567)", R"("tool_plan":"I will look.")", R"("thinking":"Look it up.")",
        R"("safety_mode":"STRICT")", R"("strict_tools":true)", R"("tool_choice":"REQUIRED")", R"("p":0.7)",
        R"("token_budget":200)", R"("detail":"low")", R"("stop_sequences":["END"])", R"("model":"command-a")",
        R"("citations":[{"start":2,"end":6,"text":"tree","sources":[]}])",
        R"({"id":"d2","data":{"title":"Oaks","text":"Oaks are trees."}})"}) {
    EXPECT_THAT(written, HasSubstr(kept));
  }
  EXPECT_THAT(world.warned(), testing::IsEmpty());
}

TEST(CohereRequest, WrongFieldsAreNamed) {
  struct Wrong {
    std::string_view body;
    std::string_view param;
  };
  for (const auto& [body, param] : std::initializer_list<Wrong>{
           {R"({"model":"m"})", "messages"},
           {R"({"messages":[{"role":"king","content":""}]})", "messages[0].role"},
           {R"({"messages":[{"role":"user","content":[{"no":1}]}]})", "messages[0].content[0]"},
           {R"({"messages":[],"temperature":"hot"})", "temperature"},
           {R"({"messages":[],"tool_choice":"auto"})", "tool_choice"},
           {R"({"messages":[],"response_format":{"type":"xml"}})", "response_format.type"}}) {
    World world(codec());
    const auto read = world.read_request(body);
    ASSERT_FALSE(read) << body;
    EXPECT_EQ(read.error().kind, chat::ErrorKind::invalid_request);
    EXPECT_EQ(read.error().param, param);
  }
}

TEST(CohereRequest, SaysWhatItCannotCarry) {
  World world(codec());
  ASSERT_TRUE(world.read_request(R"({"messages":[{"role":"user","content":"Hi"}]})"));
  chat::Request& request = world.request;
  request.from = chat::Dialect::openai_chat;
  request.top_p = "1";
  request.frequency_penalty = "-1";
  request.logit_bias = R"({"1":2})";
  request.tools.push(world.arena, {.name = "a"});
  request.tools.push(world.arena, {.kind = chat::ToolKind::custom, .name = "b"});
  request.tool_choice = {.mode = chat::ToolChoiceMode::named, .name = "b"};
  request.format = {.kind = chat::FormatKind::json_schema, .schema = R"({"type":"object"})"};
  const std::string written = world.write_request(command_a());
  EXPECT_THAT(written, HasSubstr(R"("tool_choice":"REQUIRED")"));
  EXPECT_THAT(written, Not(HasSubstr(R"("name":"a")")));
  EXPECT_THAT(written, HasSubstr(R"("properties":{"input":{"type":"string"}})"));
  EXPECT_THAT(written, Not(HasSubstr(R"("p":)")));
  EXPECT_THAT(written, Not(HasSubstr("response_format")));
  EXPECT_THAT(written, HasSubstr("fits this JSON schema"));
  EXPECT_THAT(world.warned(), Contains("changed frequency_penalty"));
  EXPECT_THAT(world.warned(), Contains("dropped logit_bias"));
  EXPECT_THAT(world.warned(), Contains("emulated response_format"));
  EXPECT_THAT(world.warned(), Contains("emulated tools[1]"));
  request.n = 2;
  EXPECT_THAT(world.write_request(command_a()), HasSubstr("error: n:"));
}

chat::Usage counts(uint64_t input, std::optional<uint64_t> cache_read, uint64_t output) {
  chat::Usage usage;
  usage.input = input;
  usage.cache_read = cache_read;
  usage.output = output;
  return usage;
}

constexpr std::string_view kAnswer = R"({"id":"c14c80c3-18eb-4519-9460-6c92edd8cfb4","finish_reason":"COMPLETE",
  "message":{"role":"assistant","content":[{"type":"thinking","thinking":"Hm."},{"type":"text","text":"A tree."}],
    "citations":[{"start":2,"end":6,"text":"tree","sources":[{"type":"document","id":"d1"}]}]},
  "usage":{"billed_units":{"input_tokens":9,"output_tokens":4},"tokens":{"input_tokens":71.0,"output_tokens":5},
    "cached_tokens":64}})";

TEST(CohereAnswer, IsReadAndWritten) {
  World world(codec());
  const auto answer = world.read_answer(kAnswer);
  ASSERT_TRUE(answer) << answer.error().message;
  const Reading reading = reading_of(*answer);
  EXPECT_EQ(reading.text, "A tree.");
  EXPECT_EQ(reading.reasoning, "Hm.");
  EXPECT_EQ(reading.citations, 1U);
  EXPECT_EQ(reading.finish, "stop");
  EXPECT_EQ(reading.usage, counts(7, 64, 5));
  const std::string written = world.write_answer(*answer);
  EXPECT_THAT(written, HasSubstr(R"({"id":"c14c80c3-18eb-4519-9460-6c92edd8cfb4",)"));
  EXPECT_THAT(written, HasSubstr(R"("tokens":{"input_tokens":71,"output_tokens":5},"cached_tokens":64)"));
  const auto again = world.read_answer(written);
  ASSERT_TRUE(again);
  EXPECT_EQ(reading_of(*again), reading);
  const auto streamed = world.stream(world.explode(*answer));
  ASSERT_FALSE(streamed.error);
  EXPECT_EQ(reading_of(streamed.answer), reading);
}

TEST(CohereAnswer, PlansAndSignaturesComeBack) {
  World world(codec());
  auto answer = world.read_answer(
      R"({"id":"1","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_plan":"I will look.",
        "tool_calls":[{"id":"look_1","type":"function","function":{"name":"look","arguments":"{\"n\":1}"}},
                      {"id":"","type":"function","function":{"name":"look","arguments":""}}]}})");
  ASSERT_TRUE(answer);
  const chat::Signature signature{.minter = chat::Minter::gemini, .model = "g", .data = "c2lnbg=="};
  for (chat::Part& part : answer->choices[0].parts) {
    if (part.id == "look_1") part.signature = &signature;
  }
  const Reading reading = reading_of(*answer);
  EXPECT_EQ(reading.text, "I will look.");
  ASSERT_EQ(reading.calls.size(), 2U);
  EXPECT_EQ(reading.calls[0], R"(look_1 look {"n":1})");
  EXPECT_THAT(reading.calls[1], HasSubstr(" look {}"));
  EXPECT_EQ(reading.finish, "tool");
  const std::string written = world.write_answer(*answer);
  // Streamed, nobody knows that calls will come: it is content there, and so it is here.
  EXPECT_THAT(written, HasSubstr(R"("content":[{"type":"text","text":"I will look."}])"));
  const auto again = world.read_answer(written);
  ASSERT_TRUE(again);
  EXPECT_EQ(reading_of(*again), reading);
  const auto streamed = world.stream(world.explode(*answer));
  ASSERT_FALSE(streamed.error);
  EXPECT_EQ(reading_of(streamed.answer), reading);
}

TEST(CohereAnswer, WhatIsNoneIsAnError) {
  for (const std::string_view body :
       {R"({"message":"too many tokens"})", R"({"finish_reason":"ERROR","message":{"role":"assistant"}})",
        R"({"finish_reason":"TIMEOUT","message":{"role":"assistant"}})",
        R"({"finish_reason":"USER_CANCEL","message":{"role":"assistant"}})", "[]", "<html>", R"({"id":"x"})"}) {
    World world(codec());
    EXPECT_FALSE(world.read_answer(body)) << body;
  }
}

std::vector<WireText> stream_of(std::initializer_list<std::string_view> events) {
  std::vector<WireText> list;
  for (const std::string_view event : events) list.push_back({.name = {}, .data = std::string(event)});
  return list;
}

TEST(CohereStream, IsReadAndWritten) {
  World world(codec());
  const auto streamed = world.stream(stream_of(
      {R"({"id":"29f14a5a","type":"message-start","delta":{"message":{"content":[],"role":"assistant"}}})",
       R"({"type":"content-start","index":0,"delta":{"message":{"content":{"thinking":"","type":"thinking"}}}})",
       R"({"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"Hm"}}}})",
       R"({"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"."}}}})",
       R"({"type":"content-end","index":0})",
       R"({"type":"content-start","index":1,"delta":{"message":{"content":{"text":"","type":"text"}}}})",
       R"({"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"A tr"}}},)"
       R"("logprobs":{"text":"A tr","token_ids":[3],"logprobs":[-0.25]}})",
       R"({"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"ee."}}}})",
       R"({"type":"content-end","index":1})",
       R"({"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":2,"end":6,"text":"tree"}}}})",
       R"({"type":"citation-end","index":0})",
       R"({"type":"message-end","delta":{"finish_reason":"MAX_TOKENS","usage":{"tokens":)"
       R"({"input_tokens":17,"output_tokens":14}}}})"}));
  ASSERT_FALSE(streamed.error) << streamed.error->message;
  const Reading reading = reading_of(streamed.answer);
  EXPECT_EQ(reading.text, "A tree.");
  EXPECT_EQ(reading.reasoning, "Hm.");
  EXPECT_EQ(reading.citations, 1U);
  EXPECT_EQ(reading.finish, "length");
  EXPECT_EQ(reading.usage, counts(17, std::nullopt, 14));
  EXPECT_THAT(std::string(streamed.answer.choices[0].logprobs), HasSubstr(R"("logprob":-0.25)"));
  std::string types;
  for (const WireText& event : streamed.wire) {
    EXPECT_THAT(event.data, HasSubstr("\"type\":\"" + event.name + "\""));
    types += event.name + " ";
  }
  EXPECT_EQ(types,
            "message-start content-start content-delta content-delta content-end content-start content-delta "
            "content-delta citation-start citation-end content-end message-end ");
  const auto again = world.stream(streamed.wire);
  ASSERT_FALSE(again.error);
  EXPECT_EQ(reading_of(again.answer), reading);
}

TEST(CohereStream, CallsTools) {
  World world(codec());
  const auto streamed = world.stream(stream_of(
      {R"({"type":"message-start","id":"x"})",
       R"({"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}})",
       R"({"type":"tool-plan-delta","delta":{"message":{"tool_plan":" look."}}})",
       R"({"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"look_1","type":"function",)"
       R"("function":{"name":"look","arguments":""}}}}})",
       R"({"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"at"}}}}})",
       R"({"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"\":1}"}}}}})",
       R"({"type":"tool-call-end","index":0})",
       R"({"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"now_1","type":"function",)"
       R"("function":{"name":"now","arguments":""}}}}})",
       R"({"type":"tool-call-end","index":1})", R"({"type":"message-end","delta":{"finish_reason":"TOOL_CALL"}})"}));
  ASSERT_FALSE(streamed.error) << streamed.error->message;
  const Reading reading = reading_of(streamed.answer);
  EXPECT_EQ(reading.text, "I will look.");
  EXPECT_THAT(reading.calls, testing::ElementsAre(R"(look_1 look {"at":1})", "now_1 now {}"));
  EXPECT_EQ(reading.finish, "tool");
  // Arguments are always JSON.
  EXPECT_EQ(streamed.wire[streamed.wire.size() - 3].name, "tool-call-delta");
  EXPECT_THAT(streamed.wire[streamed.wire.size() - 3].data, HasSubstr(R"("arguments":"{}")"));
}

TEST(CohereStream, FailuresAreNoAnswers) {
  const std::string_view start = R"({"type":"message-start","id":"x"})";
  for (const std::string_view last : {R"({"type":"message-end","delta":{"finish_reason":"ERROR","error":"no luck"}})",
                                      "not JSON", R"({"message":"internal"})", R"({"type":"content-end","index":0})"}) {
    World world(codec());
    const auto streamed = world.stream(stream_of({start, last}));
    EXPECT_TRUE(streamed.error) << last;
    EXPECT_THAT(streamed.wire.back().data, HasSubstr(R"("finish_reason":"ERROR","error":)"));
  }
}

TEST(CohereError, IsRead) {
  World world(codec());
  const auto error = [&](int status, std::string_view body) {
    return codec().read_error(status, body, {}, world.provider());
  };
  EXPECT_EQ(error(401, R"({"id":"1","message":"invalid api token"})").kind, chat::ErrorKind::authentication);
  EXPECT_EQ(error(498, R"({"message":"blocked"})").kind, chat::ErrorKind::authentication);
  EXPECT_EQ(error(429, R"({"message":"trial key, 10 calls / minute"})").kind, chat::ErrorKind::rate_limited);
  EXPECT_EQ(error(404, R"({"message":"model 'x' not found"})").kind, chat::ErrorKind::model_not_found);
  EXPECT_EQ(error(400, R"({"message":"too many tokens"})").message, "too many tokens");
}

}  // namespace
}  // namespace llmgw::dialects::cohere
