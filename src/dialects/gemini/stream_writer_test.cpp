// Streams and answers of our own making: what is read, what is written, what is refused.
#include <gtest/gtest.h>

#include "dialects/codec_test_support.h"
#include "dialects/gemini/codec.h"

namespace llmgw::dialects::gemini {
namespace {

using namespace testing_support;

std::vector<WireText> chunks(std::initializer_list<const char*> texts) {
  std::vector<WireText> events;
  for (const char* const text : texts) events.push_back({.name = {}, .data = text});
  return events;
}

TEST(GeminiStream, TextsGoOutAsTheyComeAndCallsWhole) {
  World world(codec());
  world.request.from = chat::Dialect::gemini;
  const auto streamed = world.stream(chunks({
      R"({"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}],"responseId":"abc","modelVersion":"g"})",
      R"({"candidates":[{"content":{"parts":[{"text":"Let"}]}}]})",
      R"({"candidates":[{"content":{"parts":[{"text":" me"},{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"QUJD"}]}}]})",
      R"({"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3,"thoughtsTokenCount":2,"cachedContentTokenCount":4,"totalTokenCount":14}})",
  }));
  ASSERT_FALSE(streamed.error);
  EXPECT_EQ(streamed.answer.choices.front().finish, chat::Finish::tool);
  std::vector<std::string> data;
  for (const WireText& event : streamed.wire) data.push_back(event.data);
  const std::string id(streamed.answer.choices.front().parts.back().id);
  const std::string tail = R"(,"modelVersion":"alias","responseId":"abc"})";
  const auto chunk = [&](const std::string& part) {
    return R"({"candidates":[{"content":{"parts":[)" + part + R"(],"role":"model"},"index":0}])" + tail;
  };
  const std::vector<std::string> expected{
      chunk(R"({"text":"hm","thought":true})"), chunk(R"({"text":"Let"})"), chunk(R"({"text":" me"})"),
      chunk(R"({"functionCall":{"id":")" + id + R"(","name":"f","args":{"a":1}},"thoughtSignature":"QUJD"})"),
      R"({"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3,"totalTokenCount":14,"cachedContentTokenCount":4,"thoughtsTokenCount":2})" +
          tail};
  EXPECT_EQ(data, expected);
}

TEST(GeminiStream, ArgumentsInPieces) {
  World world(codec());
  const auto streamed = world.stream(chunks({
      R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","willContinue":true}}]}}]})",
      R"({"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.a.b[1]['c d']","stringValue":"x","willContinue":true}],"willContinue":true}}]}}]})",
      R"({"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.a.b[1]['c d']","stringValue":"y"},{"jsonPath":"$.n","numberValue":1.50},{"jsonPath":"$.t","boolValue":true},{"jsonPath":"$.z","nullValue":"NULL_VALUE"}],"willContinue":true}}]}}]})",
      R"({"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]})",
      R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"g","partialArgs":[{"jsonPath":"$.q","stringValue":"v"}],"willContinue":true}}]},"finishReason":"STOP"}]})",
  }));
  ASSERT_FALSE(streamed.error);
  const auto& parts = streamed.answer.choices.front().parts;
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].text, R"({"a":{"b":[null,{"c d":"xy"}]},"n":1.50,"t":true,"z":null})");
  EXPECT_EQ(parts[1].name, "g") << "the end of its pieces was never said";
  EXPECT_EQ(parts[1].text, R"({"q":"v"})");
  EXPECT_NE(parts[0].id, parts[1].id);
}

TEST(GeminiStream, OnlyAReasonToEndMakesAnEnd) {
  struct Row {
    const char* last;
    bool fails;
  };
  const Row rows[] = {
      {R"({"candidates":[{"finishReason":"MAX_TOKENS"}]})", false},
      {R"({"promptFeedback":{"blockReason":"SAFETY"}})", false},
      {R"({"usageMetadata":{"promptTokenCount":1}})", true},
      {R"({"candidates":[{"finishReason":"FINISH_REASON_UNSPECIFIED"}]})", true},
      {R"({"candidates":[{"finishReason":"STOP"}],"error":{"code":503,"status":"UNAVAILABLE","message":"gone"}})",
       true},
      {R"([{"error":{"code":500,"message":"x"}}])", true},
      {"data: nonsense", true},
      {"7", true},
  };
  for (const Row& row : rows) {
    World world(codec());
    const auto streamed = world.stream(chunks({R"({"candidates":[{"content":{"parts":[{"text":"a"}]}}]})", row.last}));
    EXPECT_EQ(streamed.error.has_value(), row.fails) << row.last;
    if (row.fails) EXPECT_NE(streamed.wire.back().data.find("\"error\""), std::string::npos);
  }
}

TEST(GeminiStream, CandidatesInterleave) {
  World world(codec());
  const auto streamed = world.stream(chunks({
      R"({"candidates":[{"index":0,"content":{"parts":[{"text":"a"}]}},{"index":1,"content":{"parts":[{"text":"x"}]}}]})",
      R"({"candidates":[{"index":1,"content":{"parts":[{"text":"y"}]},"finishReason":"SAFETY"}]})",
      R"({"candidates":[{"index":0,"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]})",
  }));
  ASSERT_FALSE(streamed.error);
  ASSERT_EQ(streamed.answer.choices.size(), 2U);
  EXPECT_EQ(streamed.answer.choices[0].parts.front().text, "ab");
  EXPECT_EQ(streamed.answer.choices[1].parts.front().text, "xy");
  EXPECT_EQ(streamed.answer.choices[1].finish, chat::Finish::filter);
}

TEST(GeminiStream, TheToolThatStandsForAFormatIsText) {
  World world(codec());
  world.format_tool = "json_answer";
  const auto streamed = world.stream(chunks(
      {R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"json_answer","args":{"a":1}}}]},"finishReason":"STOP"}]})"}));
  EXPECT_EQ(reading_of(streamed.answer).text, R"({"a":1})");
  EXPECT_EQ(reading_of(streamed.answer).finish, "stop");
  const auto answer = world.read_answer(
      R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"json_answer","args":{"a":1}}}]},"finishReason":"STOP"}]})");
  EXPECT_EQ(reading_of(*answer), reading_of(streamed.answer));
}

TEST(GeminiAnswer, ReasonsAsWordsAndNumbers) {
  struct Row {
    const char* reason;
    chat::Minter minter;
    chat::Finish finish;
    const char* written;  // as a number, to a client of the same service
  };
  using chat::Finish;
  using chat::Minter;
  const Row rows[] = {
      {"\"STOP\"", Minter::gemini, Finish::stop, "1"},
      {"2", Minter::gemini, Finish::length, "2"},
      {"9", Minter::vertex, Finish::malformed_tool, "9"},
      {"9", Minter::gemini, Finish::filter, "9"},
      {"10", Minter::gemini, Finish::malformed_tool, "10"},
      {"\"MALFORMED_FUNCTION_CALL\"", Minter::vertex, Finish::malformed_tool, "9"},
      {"\"UNEXPECTED_TOOL_CALL\"", Minter::gemini, Finish::malformed_tool, "12"},
      {"\"RECITATION\"", Minter::gemini, Finish::filter, "4"},
      {"\"MODEL_ARMOR\"", Minter::vertex, Finish::filter, "10"},
      {"\"CONTINUATION\"", Minter::gemini, Finish::length, "2"},
      {"\"ESCALATION\"", Minter::vertex, Finish::filter, "5"},
      {"\"PUP_LIMITED_DISABLED\"", Minter::gemini, Finish::filter, "5"},
      {"\"SOMETHING_NEW\"", Minter::gemini, Finish::unknown, "1"},
      {"77", Minter::gemini, Finish::unknown, "5"},
      {"0", Minter::gemini, Finish::unknown, "1"},
  };
  for (const Row& row : rows) {
    World world(codec());
    ReadContext read = world.provider();
    read.minter = row.minter;
    const std::string body = std::string(R"({"candidates":[{"finishReason":)") + row.reason + "}]}";
    chat::Answer answer;
    ASSERT_TRUE(codec().read_answer(body, read, answer)) << row.reason;
    EXPECT_EQ(answer.choices.front().finish, row.finish) << row.reason;
    world.request.from = row.minter == Minter::vertex ? chat::Dialect::vertex : chat::Dialect::gemini;
    AnswerContext context = world.answer_context();
    context.enum_numbers = true;
    std::string out;
    codec().write_answer(answer, context, out);
    EXPECT_NE(out.find(std::string("\"finishReason\":") + row.written + ","), std::string::npos) << out;
  }
}

TEST(GeminiAnswer, BlockedPrompts) {
  World world(codec());
  world.request.from = chat::Dialect::vertex;
  const auto answer =
      world.read_answer(R"({"promptFeedback":{"blockReason":"MODEL_ARMOR","blockReasonMessage":"no"}})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->choices.front().finish, chat::Finish::filter);
  EXPECT_EQ(
      world.write_answer(*answer),
      R"({"promptFeedback":{"blockReason":"MODEL_ARMOR","blockReasonMessage":"no"},"modelVersion":"alias","createTime":"2025-10-09T08:53:20Z","responseId":"req-0123abc"})");
  EXPECT_NE(world.explode(*answer).back().data.find(R"({"promptFeedback":{"blockReason":"MODEL_ARMOR")"),
            std::string::npos);
}

TEST(GeminiAnswer, WhatOthersSay) {
  World world(codec());
  world.request.from = chat::Dialect::gemini;
  const chat::Signature foreign{.minter = chat::Minter::anthropic, .model = "c", .data = "s"};
  chat::Choice choice{.finish = chat::Finish::stop};
  choice.parts.push(world.arena, {.kind = chat::PartKind::thinking, .text = "t", .signature = &foreign});
  choice.parts.push(world.arena, {.kind = chat::PartKind::refusal, .text = "I will not."});
  choice.logprobs = R"([{"token":"I","logprob":-0.25,"bytes":null,"top_logprobs":[]}])";
  chat::Answer answer{.id = "chatcmpl-1"};
  answer.choices.push(world.arena, choice);
  answer.usage.output = 4;
  const std::string tagged(chat::wrap_signature_base64(foreign, world.arena));
  EXPECT_EQ(
      world.write_answer(answer),
      R"({"candidates":[{"content":{"parts":[{"text":"t","thought":true,"thoughtSignature":")" + tagged +
          R"("},{"text":"I will not."}],"role":"model"},"finishReason":"SAFETY","index":0,"logprobsResult":{"topCandidates":[{"candidates":[]}],"chosenCandidates":[{"token":"I","logProbability":-0.25}]}}],"usageMetadata":{"candidatesTokenCount":4,"totalTokenCount":4},"modelVersion":"alias","responseId":"req-0123abc"})");
}

TEST(GeminiAnswer, IsNone) {
  for (const char* const body : {"", "<html>", "{}", "[]", "7", R"({"text":"x"})", R"({"error":{"code":500}})"}) {
    World world(codec());
    const auto answer = world.read_answer(body);
    ASSERT_FALSE(answer.has_value()) << body;
    EXPECT_EQ(answer.error().kind, chat::ErrorKind::upstream_failed);
    EXPECT_FALSE(answer.error().message.empty());
  }
}

TEST(GeminiError, Bodies) {
  struct Row {
    int status;
    const char* body;
    chat::ErrorKind kind;
    const char* message;
    int retry_ms = -1;
  };
  using chat::ErrorKind;
  constexpr const char* kNone = "The provider answered with an error.";
  const Row rows[] = {
      {429,
       R"([{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[{"@type":"t","retryDelay":"34.4s"}]}}])",
       ErrorKind::rate_limited, "slow", 34'400},
      {400,
       R"({"error":{"code":400,"message":"bad key","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}})",
       ErrorKind::authentication, "bad key"},
      {404, R"({"error":{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}})",
       ErrorKind::model_not_found, "models/x is not found"},
      {503, R"({"error":{"message":"busy"}})", ErrorKind::overloaded, "busy"},
      {404, "<!DOCTYPE html><title>404</title>", ErrorKind::not_found, kNone},
      {500, "", ErrorKind::upstream_failed, kNone},
      {502, "bad gateway\n", ErrorKind::upstream_failed, "bad gateway"},
      {504, R"({"error":{"status":"DEADLINE_EXCEEDED","message":"late"}})", ErrorKind::upstream_timeout, "late"},
      {403, R"({"error":"denied"})", ErrorKind::permission, "denied"},
  };
  for (const Row& row : rows) {
    World world(codec());
    const chat::ClientError error = codec().read_error(row.status, row.body, {}, world.provider());
    EXPECT_EQ(error.kind, row.kind) << row.body;
    EXPECT_EQ(error.message, row.message);
    EXPECT_EQ(error.status, row.status);
    EXPECT_EQ(error.retry_after ? base::Duration(*error.retry_after) : base::Duration(std::chrono::milliseconds(-1)),
              base::Duration(std::chrono::milliseconds(row.retry_ms)));
  }
}

}  // namespace
}  // namespace llmgw::dialects::gemini
