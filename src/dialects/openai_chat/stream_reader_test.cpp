// What vendors make of OpenAI's stream, and what comes of it.
#include <gmock/gmock.h>

#include "dialects/codec_test_support.h"
#include "dialects/openai_chat/codec.h"

namespace llmgw::dialects::openai_chat {
namespace {

using namespace testing_support;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<WireText> stream_of(std::initializer_list<std::string_view> events) {
  std::vector<WireText> list;
  for (const std::string_view event : events) list.push_back({.name = {}, .data = std::string(event)});
  return list;
}

// A chunk with one choice of this delta.
std::string chunk(std::string_view delta, std::string_view rest = R"("finish_reason":null)") {
  return R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":)"
         R"([{"index":0,"delta":)" +
         std::string(delta) + "," + std::string(rest) + "}]}";
}

std::string calls(std::string_view elements) {
  return chunk(R"({"tool_calls":[)" + std::string(elements) + "]}");
}

World::Streamed run(World& world, std::initializer_list<std::string> chunks, bool done = true) {
  std::vector<WireText> events;
  for (const std::string& data : chunks) events.push_back({.name = {}, .data = data});
  if (done) events.push_back({.name = {}, .data = "[DONE]"});
  return world.stream(events);
}

struct CallVariant {
  std::string_view name;
  std::vector<std::string> chunks;  // elements of tool_calls, a chunk each
  std::vector<std::string> calls;   // id, name, arguments; "*" for an id that was made up
};

const CallVariant kVariants[] = {
    {"OpenAI: head, then pieces",
     {R"({"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}})",
      R"({"index":0,"function":{"arguments":"{\"x\""}})", R"({"index":0,"function":{"arguments":":1}"}})"},
     {R"(a f {"x":1})"}},
    {"two interleaved",
     {R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x"}})",
      R"({"index":1,"id":"b","function":{"name":"g","arguments":"{\"y"}})",
      R"({"index":0,"function":{"arguments":"\":1}"}})", R"({"index":1,"function":{"arguments":"\":2}"}})"},
     {R"(a f {"x":1})", R"(b g {"y":2})"}},
    {"both in one chunk, whole",
     {R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}},)"
      R"({"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}})"},
     {"a f {}", R"(b g {"y":2})"}},
    {"no index, with ids",
     {R"({"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}})",
      R"({"id":"b","function":{"name":"f","arguments":"{\"x\":2}"}})"},
     {R"(a f {"x":1})", R"(b f {"x":2})"}},
    {"no index, no ids",
     {R"({"function":{"name":"f","arguments":"{\"x\":1}"}})", R"({"function":{"name":"f","arguments":"{\"x\":2}"}})"},
     {R"(* f {"x":1})", R"(* f {"x":2})"}},
    {"Google: one index for all",
     {R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}})",
      R"({"index":0,"id":"b","function":{"name":"f","arguments":"{\"x\":2}"}})"},
     {R"(a f {"x":1})", R"(b f {"x":2})"}},
    {"Google: one index and empty ids",
     {R"({"index":0,"id":"","function":{"name":"f","arguments":"{\"x\":1}"}})",
      R"({"index":0,"id":"","function":{"name":"f","arguments":"{\"x\":2}"}})"},
     {R"(* f {"x":1})", R"(* f {"x":2})"}},
    {"id and name every time",
     {R"({"index":0,"id":"0","function":{"name":"f","arguments":""}})",
      R"({"index":0,"id":"0","function":{"name":"f","arguments":"{\"x\":"}})",
      R"({"index":0,"id":"0","function":{"name":"f","arguments":"1}"}})"},
     {R"(0 f {"x":1})"}},
    {"an empty object before the arguments",
     {R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}})",
      R"({"index":0,"function":{"arguments":"{\"x\":1}"}})"},
     {R"(a f {"x":1})"}},
    {"nothing, then an empty object",
     {R"({"index":0,"id":"a","function":{"name":"f","arguments":""}})", R"({"index":0,"function":{"arguments":"{}"}})"},
     {"a f {}"}},
    {"null arguments", {R"({"index":0,"id":"a","function":{"name":"f","arguments":null}})"}, {"a f {}"}},
    {"no arguments", {R"({"index":0,"id":"a","function":{"name":"f"}})"}, {"a f {}"}},
    {"an object for arguments",
     {R"({"index":0,"id":"a","function":{"name":"f","arguments":{"x": 12345678901234567}}})"},
     {R"(a f {"x":12345678901234567})"}},
    {"the name comes late",
     {R"({"index":0,"id":"a","function":{"arguments":"{\"x\":"}})",
      R"({"index":0,"function":{"name":"f","arguments":"1}"}})"},
     {R"(a f {"x":1})"}},
    {"the same id twice",
     {R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}})",
      R"({"index":1,"id":"a","function":{"name":"f","arguments":"{\"x\":2}"}})"},
     {R"(a f {"x":1})", R"(* f {"x":2})"}},
    {"filled with zeros", {R"({"index":0,"id":"","type":"","function":{"name":"","arguments":""}})"}, {}},
};

TEST(OpenaiChatStream, CallsOfAllVendors) {
  for (const CallVariant& variant : kVariants) {
    SCOPED_TRACE(variant.name);
    World world(codec());
    std::vector<WireText> events = stream_of({chunk(R"({"role":"assistant","content":""})")});
    for (const std::string& elements : variant.chunks) events.push_back({.name = {}, .data = calls(elements)});
    events.push_back({.name = {}, .data = chunk("{}", R"("finish_reason":"tool_calls")")});
    events.push_back({.name = {}, .data = "[DONE]"});
    const auto streamed = world.stream(events);
    ASSERT_FALSE(streamed.error) << streamed.error->message;
    Reading reading = reading_of(streamed.answer);
    EXPECT_EQ(reading.finish, variant.calls.empty() ? "stop" : "tool");
    // What is written again is OpenAI's own form, and means the same.
    const auto again = world.stream(streamed.wire);
    ASSERT_FALSE(again.error);
    EXPECT_EQ(reading_of(again.answer), reading);
    ASSERT_EQ(reading.calls.size(), variant.calls.size()) << describe(reading);
    for (size_t i = 0; i < reading.calls.size(); ++i) {
      std::string call = reading.calls[i];
      if (variant.calls[i].starts_with("* ")) {
        EXPECT_EQ(call.substr(0, 5), "call_");
        call = "*" + call.substr(call.find(' '));
      }
      EXPECT_EQ(call, variant.calls[i]);
    }
  }
}

TEST(OpenaiChatStream, TheOldFunctionCall) {
  World world(codec());
  world.request.legacy_functions = true;
  const auto streamed = run(
      world, {chunk(R"({"function_call":{"name":"f","arguments":"{\"x\""}})"),
              chunk(R"({"function_call":{"arguments":":1}"}})"), chunk("{}", R"("finish_reason":"function_call")")});
  ASSERT_FALSE(streamed.error);
  const Reading reading = reading_of(streamed.answer);
  ASSERT_EQ(reading.calls.size(), 1U);
  EXPECT_THAT(reading.calls[0], HasSubstr(R"( f {"x":1})"));
  std::string wire;
  for (const WireText& event : streamed.wire) wire += event.data;
  EXPECT_THAT(wire, HasSubstr(R"("function_call":{"name":"f","arguments":""})"));
  EXPECT_THAT(wire, HasSubstr(R"("finish_reason":"function_call")"));
  EXPECT_THAT(wire, testing::Not(HasSubstr("tool_calls")));
}

TEST(OpenaiChatStream, AzureBeginsWithItsFilter) {
  World world(codec());
  const auto streamed =
      run(world,
          {R"({"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]})",
           chunk(R"({"content":"Hi","role":"assistant"})"), chunk("{}", R"("finish_reason":"stop")"),
           R"({"choices":[],"id":"chatcmpl-1","model":"m","usage":{"prompt_tokens":9,"completion_tokens":1,)"
           R"("total_tokens":10,"prompt_tokens_details":{"cached_tokens":4}}})"});
  ASSERT_FALSE(streamed.error);
  EXPECT_EQ(streamed.answer.id, "chatcmpl-1");
  EXPECT_EQ(streamed.answer.usage.input, 5U);
  EXPECT_EQ(streamed.answer.usage.cache_read, 4U);
  ASSERT_EQ(streamed.wire.size(), 5U);
  EXPECT_EQ(streamed.wire[0].data,
            R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"alias","choices":[{"index":0,)"
            R"("delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],)"
            R"("usage":null})");
  EXPECT_THAT(streamed.wire[3].data, HasSubstr(R"("choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1,)"));
  EXPECT_EQ(streamed.wire[4].data, "[DONE]");
}

TEST(OpenaiChatStream, UsageOnlyWhereItWasAskedFor) {
  World world(codec());
  world.request.include_usage = false;
  const auto streamed =
      run(world, {chunk(R"({"content":"Hi"})"), chunk("{}", R"("finish_reason":"stop")"),
                  R"({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}})"});
  EXPECT_EQ(streamed.answer.usage.output, 1U);
  for (const WireText& event : streamed.wire) EXPECT_THAT(event.data, testing::Not(HasSubstr("usage")));
}

TEST(OpenaiChatStream, ReasoningAndItsSignatures) {
  World world(codec());
  // OpenRouter: the text twice, the signature at the end; then an encrypted one.
  const auto streamed = run(
      world,
      {chunk(
           R"({"content":"","reasoning":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm","index":0}]})"),
       chunk(R"({"reasoning":"m.","reasoning_details":[{"type":"reasoning.text","text":"m.","index":0}]})"),
       chunk(R"({"reasoning_details":[{"type":"reasoning.text","signature":"c2ln","index":0}]})"),
       chunk(R"({"reasoning_details":[{"type":"reasoning.encrypted","data":"c2VjcmV0","index":1}]})"),
       chunk(R"({"content":"Yes."})"), chunk("{}", R"("finish_reason":"stop")")});
  ASSERT_FALSE(streamed.error);
  const Reading reading = reading_of(streamed.answer);
  EXPECT_EQ(reading.reasoning, "Hmm.");
  EXPECT_EQ(reading.text, "Yes.");
  EXPECT_THAT(reading.signatures, ElementsAre("c2ln", "c2VjcmV0"));
  const auto again = world.stream(streamed.wire);
  EXPECT_EQ(reading_of(again.answer), reading);
}

TEST(OpenaiChatStream, SeveralChoicesLogprobsAnnotationsRefusals) {
  World world(codec());
  const auto streamed = run(
      world,
      {R"({"id":"x","choices":[{"index":1,"delta":{"content":"B"},"logprobs":{"content":[{"token":"B",)"
       R"("logprob":-1.50}]}},)"
       R"({"index":0,"delta":{"content":"A"}}]})",
       chunk(R"({"content":"","annotations":[{"type":"url_citation","url_citation":{"url":"https://a.example"}}]})"),
       R"({"id":"x","choices":[{"index":1,"delta":{"refusal":"No."},"finish_reason":"stop"}]})",
       chunk("{}", R"("finish_reason":"length")")});
  ASSERT_FALSE(streamed.error);
  ASSERT_EQ(streamed.answer.choices.size(), 2U);
  const auto again = world.stream(streamed.wire);
  for (const auto& answer : {streamed.answer, again.answer}) {
    for (const chat::Choice& choice : answer.choices) {
      chat::Answer one;
      one.choices.push(world.arena, choice);
      const Reading reading = reading_of(one);
      EXPECT_EQ(reading.text, choice.index == 0 ? "A" : "B");
      EXPECT_EQ(reading.refusal, choice.index == 0 ? "" : "No.");
      EXPECT_EQ(reading.finish, choice.index == 0 ? "length" : "stop");
      EXPECT_EQ(reading.citations, choice.index == 0 ? 1U : 0U);
      EXPECT_EQ(choice.logprobs, choice.index == 0 ? "" : R"([{"token":"B","logprob":-1.50}])");
    }
  }
}

TEST(OpenaiChatStream, ErrorsEndIt) {
  struct Broken {
    std::string_view name;
    std::string_view data;
    chat::ErrorKind kind;
    std::string_view message;
  };
  const Broken cases[] = {
      {"error", R"({"error":{"message":"bad call","type":"invalid_request_error","status_code":400}})",
       chat::ErrorKind::invalid_request, "bad call"},
      {"", R"({"error":{"message":"gone","code":502},"choices":[{"index":0,"delta":{"content":""}}]})",
       chat::ErrorKind::upstream_failed, "gone"},
      {"", R"({"error":"overloaded_error"})", chat::ErrorKind::upstream_failed, "overloaded_error"},
      {"", R"({"error":{"type":"rate_limit_exceeded","message":"slow down"}})", chat::ErrorKind::rate_limited,
       "slow down"},
      {"error", R"({"message":"text","type":"server_error"})", chat::ErrorKind::upstream_failed, "text"},
      {"", R"({"choices":[{"index":0,"delta":{},"error":{"code":429,"message":"later"}}]})",
       chat::ErrorKind::rate_limited, "later"},
      {"", "<html>", chat::ErrorKind::upstream_failed, "the provider's stream has an event that is no JSON object"},
  };
  for (const Broken& broken : cases) {
    SCOPED_TRACE(broken.data);
    World world(codec());
    const auto streamed = world.stream({{.name = {}, .data = chunk(R"({"content":"Hi"})")},
                                        {.name = std::string(broken.name), .data = std::string(broken.data)},
                                        {.name = {}, .data = "[DONE]"}});
    ASSERT_TRUE(streamed.error);
    EXPECT_EQ(streamed.error->kind, broken.kind);
    EXPECT_EQ(streamed.error->message, broken.message);
    EXPECT_THAT(streamed.wire.back().data, testing::StartsWith(R"({"error":{"message":)"));
  }
}

TEST(OpenaiChatStream, ACutIsNoEnd) {
  World world(codec());
  EXPECT_TRUE(run(world, {chunk(R"({"content":"Hi"})")}, false).error);
  // Some vendors leave [DONE] out; the reason to stop is an end as well, if the connection says the same.
  EXPECT_FALSE(run(world, {chunk(R"({"content":"Hi"})"), chunk("{}", R"("finish_reason":"stop")")}, false).error);
}

// What was used comes behind the word, and is paid.
TEST(OpenaiChatStream, WhatTheVendorBrokeOffIsNoEnd) {
  struct Row {
    std::string_view word;
    chat::ErrorKind kind;
  };
  for (const Row& row : {Row{"insufficient_system_resource", chat::ErrorKind::overloaded},
                         Row{"abort", chat::ErrorKind::upstream_failed}, Row{"error", chat::ErrorKind::upstream_failed},
                         Row{"network_error", chat::ErrorKind::upstream_failed}}) {
    const std::string finish = R"("finish_reason":")" + std::string(row.word) + '"';
    for (const bool done : {true, false}) {
      World world(codec());
      const auto streamed =
          run(world,
              {chunk(R"({"content":"Hi"})"), chunk("{}", finish),
               R"({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}})"},
              done);
      ASSERT_TRUE(streamed.error) << row.word;
      EXPECT_EQ(streamed.error->kind, row.kind) << row.word;
      EXPECT_THAT(streamed.error->message, HasSubstr(row.word));
      EXPECT_THAT(streamed.wire.back().data, testing::StartsWith(R"({"error":{"message":)"));
    }
    World world(codec());
    chat::Answer answer;
    const std::string body = R"({"choices":[{"index":0,"message":{"content":"Hi"},)" + finish +
                             R"(}],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}})";
    const auto read = codec().read_answer(body, world.provider(), answer);
    ASSERT_FALSE(read) << row.word;
    EXPECT_EQ(read.error().kind, row.kind) << row.word;
    EXPECT_EQ(answer.usage.output, 1U) << "it is paid for";
  }
}

TEST(OpenaiChatStream, NoChoiceIsNoAnswer) {
  World world(codec());
  EXPECT_TRUE(run(world, {R"({"id":"x","choices":[]})"}).error);
  chat::Answer answer;
  EXPECT_FALSE(codec().read_answer(R"({"id":"x","choices":[]})", world.provider(), answer));
}

// A choice that only began, while another one was said to be over.
TEST(OpenaiChatStream, AChoiceWithoutAnEndIsACut) {
  World world(codec());
  const std::string other = R"({"id":"x","choices":[{"index":1,"delta":{"content":"B"},"finish_reason":"stop"}]})";
  EXPECT_TRUE(run(world, {chunk(R"({"role":"assistant"})"), other}).error);
  EXPECT_FALSE(run(world, {chunk(R"({"role":"assistant"})"), other, chunk("{}", R"("finish_reason":"stop")")}).error);
  EXPECT_FALSE(run(world, {chunk(R"({"content":"Hi"})")}).error) << "who never says why may end without";
}

TEST(OpenaiChatStream, TheAnswerInAToolIsText) {
  World world(codec());
  world.format_tool = "json_answer";
  const auto streamed = run(
      world, {calls(R"({"index":0,"id":"a","function":{"name":"json_answer","arguments":"{\"x\":"}})"),
              calls(R"({"index":0,"function":{"arguments":"1}"}})"), chunk("{}", R"("finish_reason":"tool_calls")")});
  const Reading reading = reading_of(streamed.answer);
  EXPECT_EQ(reading.text, R"({"x":1})");
  EXPECT_EQ(reading.finish, "stop");
  EXPECT_TRUE(reading.calls.empty());
}

TEST(OpenaiChatStream, AnEndAloneIsNoAnswer) {
  World world(codec());
  EXPECT_TRUE(run(world, {}).error);
  World said_something(codec());
  EXPECT_FALSE(run(said_something, {chunk(R"({"content":""})", R"("finish_reason":"stop")")}).error);
}

}  // namespace
}  // namespace llmgw::dialects::openai_chat
