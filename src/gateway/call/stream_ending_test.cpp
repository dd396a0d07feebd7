#include "gateway/call/stream_ending.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "base/base64.h"
#include "gateway/call/error_filter.h"
#include "gateway/call/event_stream_tap.h"

namespace llmgw::gateway {
namespace {

using chat::Dialect;
using chat::ErrorKind;
using chat::Framing;
using Failure = std::optional<ErrorKind>;

constexpr Failure kWhole = std::nullopt;
constexpr Failure kCut = ErrorKind::upstream_failed;

struct Case {
  const char* name;
  Dialect dialect;
  std::string_view stream;
  Failure failure;
  Framing framing = Framing::sse;
};

void PrintTo(const Case& each, std::ostream* out) {
  *out << each.name;
}

constexpr std::string_view kChatBegun =
    R"(data: {"id":"c","choices":[{"index":0,"delta":{"content":"an \"error\": \"finish_reason\":\"stop\""},"finish_reason":null}],"error":null,"usage":null}

)";

const std::string kLong(9'000, 'x');
const std::string kChatAfterLong = R"(data: {"choices":[{"delta":{"content":")" + kLong +
                                   R"("}}]}

data: {"choices":[],"error":{"message":"no","type":"server_error","code":"rate_limit_exceeded"}}

)";
const std::string kChatBegunEnd = std::string(kChatBegun) + "data: [DONE]\n\n";
const std::string kChatBegunError =
    std::string(kChatBegun) + R"(data: {"error":{"message":"no","type":"overloaded_error"}}

)";
const std::string kChatErrorThenDone = kChatBegunError + "data: [DONE]\n\n";

const Case kCases[] = {
    {"chat", Dialect::openai_chat, kChatBegunEnd, kWhole},
    {"chat_cut", Dialect::openai_chat, kChatBegun, kCut},
    {"chat_nothing", Dialect::openai_chat, "", kCut},
    {"chat_cut_in_an_event", Dialect::openai_chat, kChatBegun.substr(0, 60), kCut},
    {"chat_without_done", Dialect::openai_chat,
     "data: {\"choices\":[{\"delta\":{},\"finish_reason\": \"length\"}]}\n\n", kWhole},
    {"chat_zero_filled", Dialect::openai_chat,
     "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"\"}],\"error\":{}}\n\n", kCut},
    {"chat_of_its_end_alone", Dialect::openai_chat, ": ping\n\ndata: [DONE]\n\n", kCut},
    {"chat_zero_filled_whole", Dialect::openai_chat,
     "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"\"}],\"error\":\"\"}\n\ndata: [DONE]\n\n", kWhole},
    {"chat_error", Dialect::openai_chat, kChatBegunError, ErrorKind::overloaded},
    {"chat_error_then_done", Dialect::openai_chat, kChatErrorThenDone, ErrorKind::overloaded},
    {"chat_error_behind_a_long_event", Dialect::openai_chat, kChatAfterLong, ErrorKind::rate_limited},
    {"openrouter", Dialect::openai_chat,
     R"(data: {"id":"gen-1","provider":"x","error":{"code":502,"message":"Provider disconnected"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}

)",
     ErrorKind::upstream_failed},
    {"openrouters_choice", Dialect::openai_chat,
     "data: {\"choices\":[{\"error\":{\"code\":429,\"message\":\"no\"}}]}\n\n", ErrorKind::rate_limited},
    {"vllm", Dialect::openai_chat, "data: {\"object\":\"error\",\"message\":\"no\",\"code\":400}\n\ndata: [DONE]\n\n",
     ErrorKind::invalid_request},
    {"vllm_by_its_type", Dialect::openai_completions,
     "data: {\"object\":\"error\",\"message\":\"no\",\"type\":\"BadRequestError\",\"param\":null}\n\n",
     ErrorKind::invalid_request},
    {"vllm_fails", Dialect::openai_chat,
     "data: {\"object\":\"error\",\"message\":\"no\",\"type\":\"InternalServerError\",\"code\":500}\n\n",
     ErrorKind::upstream_failed},
    {"vllm_for_responses", Dialect::openai_responses,
     "data: {\"object\":\"error\",\"message\":\"no\",\"type\":\"BadRequestError\",\"code\":400}\n\n",
     ErrorKind::invalid_request},
    {"vllm_for_messages", Dialect::anthropic,
     "data: {\"object\":\"error\",\"message\":\"no\",\"type\":\"BadRequestError\",\"code\":400}\n\n",
     ErrorKind::invalid_request},
    {"groq", Dialect::openai_chat,
     "event: error\ndata: {\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\"}}\n\n",
     ErrorKind::invalid_request},
    {"text_named_error", Dialect::openai_chat, "event: error\ndata: what\n\n", ErrorKind::upstream_failed},
    {"completions", Dialect::openai_completions,
     "data: {\"choices\":[{\"text\":\"a\",\"finish_reason\":\"stop\"}]}\n\n", kWhole},
    {"completions_cut", Dialect::openai_completions,
     "data: {\"choices\":[{\"text\":\"a\",\"finish_reason\":null}]}\n\n", kCut},
    {"completions_error", Dialect::openai_completions, "data: {\"error\":{\"message\":\"no\",\"code\":503}}\n\n",
     ErrorKind::overloaded},
    {"responses", Dialect::openai_responses,
     "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"error\"}\n\n"
     "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"error\":null}}\n\n",
     kWhole},
    {"responses_cut", Dialect::openai_responses,
     "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\n\n", kCut},
    {"responses_incomplete", Dialect::openai_responses,
     "data: {\"type\":\"response.incomplete\",\"response\":{\"error\":null}}\n\n", kWhole},
    {"responses_failed", Dialect::openai_responses,
     "event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":3,\"response\":{\"id\":\"r\","
     "\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"no\"}}}\n\n",
     ErrorKind::rate_limited},
    {"responses_error", Dialect::openai_responses,
     "event: error\ndata: {\"type\":\"error\",\"code\":\"insufficient_quota\",\"message\":\"no\",\"param\":null}\n\n",
     ErrorKind::quota_exceeded},
    {"responses_error_and_failed", Dialect::openai_responses,
     "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"no\"}\n\n"
     "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{"
     "\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"no\"}}}\n\n",
     ErrorKind::rate_limited},
    {"responses_a_tool_fails", Dialect::openai_responses,
     "event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"item\":{\"type\":\"mcp_call\","
     "\"error\":\"no\"}}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\"}\n\n",
     kWhole},
    {"anthropic", Dialect::anthropic,
     "event: message_start\r\ndata: {\"type\":\"message_start\"}\r\n\r\nevent: message_stop\r\n"
     "data: {\"type\":\"message_stop\"}\r\n\r\n",
     kWhole},
    {"anthropic_cut", Dialect::anthropic,
     "event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n", kCut},
    {"anthropic_error", Dialect::anthropic,
     "event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: error\n"
     "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
     ErrorKind::overloaded},
    {"anthropic_error_unnamed", Dialect::anthropic,
     "data: {\"type\": \"error\", \"error\": {\"type\": \"rate_limit_error\", \"message\": \"no\"}}\n\n",
     ErrorKind::rate_limited},
    {"anthropic_error_cut", Dialect::anthropic, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overl",
     ErrorKind::upstream_failed},
    {"gemini", Dialect::gemini,
     "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"args\":{\"error\":{\"a\":1}}}}]},"
     "\"finishReason\":\"STOP\"}]}\r\n\r\n",
     kWhole},
    {"gemini_cut", Dialect::gemini,
     "data: "
     "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"args\":{\"finishReason\":\"x\"}}}]}}]}\r\n\r\n",
     kCut},
    {"gemini_by_numbers", Dialect::gemini, "data: {\"candidates\":[{\"finishReason\":1}]}\r\n\r\n", kWhole},
    {"gemini_unspecified", Dialect::gemini, "data: {\"candidates\":[{\"finishReason\":0}]}\r\n\r\n", kCut},
    {"gemini_blocked", Dialect::vertex, "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\r\n\r\n", kWhole},
    {"gemini_error", Dialect::gemini,
     "data: {\"candidates\":[{}]}\r\n\r\n"
     "data: {\"error\":{\"code\":503,\"message\":\"overloaded\",\"status\":\"UNAVAILABLE\"}}\r\n\r\n",
     ErrorKind::overloaded},
    {"gemini_error_without_a_field", Dialect::gemini,
     "data: {\"candidates\":[{}]}\r\n\r\n{\n  \"error\": {\"code\": 429, \"status\": \"RESOURCE_EXHAUSTED\"}\n}\n",
     ErrorKind::rate_limited},
    {"gemini_array", Dialect::gemini,
     "[{\"candidates\":[{\"content\":{}}]}\r\n,\r\n{\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n]\n", kWhole,
     Framing::json_array},
    {"gemini_array_cut", Dialect::gemini, "[{\"candidates\":[{\"content\":{}}]}\r\n", kCut, Framing::json_array},
    {"gemini_array_error", Dialect::gemini,
     "[{\"candidates\":[{\"content\":{}}]}\r\n,\r\n{\"error\":{\"code\":500,\"status\":\"INTERNAL\"}}\r\n]\n",
     ErrorKind::upstream_failed, Framing::json_array},
    {"gemini_array_of_an_error", Dialect::gemini, "[{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\"}}]",
     ErrorKind::rate_limited, Framing::json_array},
    {"cohere", Dialect::cohere,
     "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\"}}\n\n", kWhole},
    {"cohere_cut", Dialect::cohere, "event: content-delta\ndata: {\"type\":\"content-delta\"}\n\n", kCut},
    {"cohere_error", Dialect::cohere,
     "event: message-end\ndata: "
     "{\"type\":\"message-end\",\"delta\":{\"error\":\"no\",\"finish_reason\":\"ERROR\"}}\n\n",
     ErrorKind::upstream_failed},
};

class StreamEndingTest : public testing::TestWithParam<Case> {
 protected:
  // The stream in pieces that end at each of `cuts`.
  Failure failure(const std::vector<size_t>& cuts) {
    const Case& own = GetParam();
    accounting::TextScanner text(own.dialect);
    StreamEnding ending(own.dialect, own.framing, true, parser_);
    size_t at = 0;
    for (const size_t cut : cuts) {
      const std::string_view piece = own.stream.substr(at, cut - at);
      at = cut;
      text.feed(piece);
      ending.feed(piece, at == own.stream.size(), &text);
      text.forget_error();
    }
    return ending.failure();
  }
  json::Parser parser_;
};

TEST_P(StreamEndingTest, IsSeenWhateverTheCuts) {
  const size_t size = GetParam().stream.size();
  const Failure wanted = GetParam().failure;
  const size_t step = size < 2'000 ? 1 : 61;
  for (size_t cut = 0; cut <= size; cut += step) ASSERT_EQ(failure({cut, size}), wanted) << cut;
  for (size_t each = 1; each < 80; each = each * 3 + 1) {
    std::vector<size_t> cuts;
    for (size_t at = each; at < size; at += each) cuts.push_back(at);
    cuts.push_back(size);
    ASSERT_EQ(failure(cuts), wanted) << "in pieces of " << each;
  }
}

INSTANTIATE_TEST_SUITE_P(Dialects, StreamEndingTest, testing::ValuesIn(kCases),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(StreamEnding, StreamsWithoutAKnownEndFailByTheirErrorsOnly) {
  json::Parser parser;
  for (const auto& [stream, failure] : std::initializer_list<std::pair<std::string_view, Failure>>{
           {"data: {\"type\":\"speech.audio.delta\"}\n\n", kWhole},
           {"data: {\"error\":{\"message\":\"no\",\"code\":\"timeout\"}}\n\n", ErrorKind::upstream_timeout}}) {
    accounting::TextScanner text(Dialect::openai_rest);
    StreamEnding ending(Dialect::openai_rest, Framing::sse, false, parser);
    text.feed(stream);
    ending.feed(stream, true, &text);
    EXPECT_EQ(ending.failure(), failure) << stream;
  }
}

TEST(StreamEnding, WhatComesBehindTheEndIsForNobody) {
  json::Parser parser;
  accounting::TextScanner text(Dialect::openai_chat);
  StreamEnding ending(Dialect::openai_chat, Framing::sse, true, parser);
  for (const std::string_view piece :
       {std::string_view(kChatBegunEnd), std::string_view("data: {\"error\":{\"message\":\"late\"}}\n\n")}) {
    text.feed(piece);
    ending.feed(piece, piece.find("late") != piece.npos, &text);
  }
  EXPECT_EQ(ending.failure(), kWhole);
}

TEST(StreamEnding, TheLastBytesSayThatAStreamIsOver) {
  const std::string long_event =
      "data: {\"choices\":[{\"delta\":{\"content\":\"" + std::string(500, 'x') + "\"}}]}\n\n";
  EXPECT_TRUE(ends_with_its_end(kChatBegunEnd));
  EXPECT_TRUE(ends_with_its_end("data: [DONE]"));
  EXPECT_TRUE(ends_with_its_end(long_event + "data: [DONE]\r\n\r\n"));
  EXPECT_TRUE(ends_with_its_end(long_event + "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
  EXPECT_FALSE(ends_with_its_end(long_event));
  EXPECT_FALSE(ends_with_its_end(long_event + "data: [DO"));
  // The tail begins inside a line.
  EXPECT_FALSE(ends_with_its_end("data: {\"text\":\"" + std::string(300, 'x') + "data: [DONE]\"}"));
  EXPECT_FALSE(ends_with_its_end(""));
}

TEST(StreamEnding, NothingIsSaidOfWhatCannotBeRead) {
  json::Parser parser;
  StreamEnding ending(Dialect::openai_chat, Framing::sse, true, parser);
  ending.feed("\x1f\x8b", true, nullptr);
  EXPECT_EQ(ending.failure(), kWhole);
  EXPECT_TRUE(ending.said_end());
}

TEST(StreamEnding, WhereOnlyTheConnectionEndsAStreamItMustHaveSaidSo) {
  struct Said {
    Dialect dialect;
    std::string_view stream;
    bool end;
  };
  json::Parser parser;
  for (const Said& each :
       {Said{Dialect::openai_chat, "data: [DONE]", true},
        Said{Dialect::openai_chat, "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n", true},
        Said{Dialect::openai_chat, "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}", false},
        Said{Dialect::openai_chat, "data: {\"choices\":[{\"finish_reason\":null}]}\n\n", false},
        Said{Dialect::azure, "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n", true},
        Said{Dialect::openai_completions, "data: {\"choices\":[{\"finish_reason\":\"length\"}]}\n\n", true},
        Said{Dialect::openai_chat, "data: {\"error\":{\"message\":\"no\"}}\n\n", true},
        Said{Dialect::anthropic, "event: message_stop\ndata: {\"type\":\"mess", false},
        Said{Dialect::anthropic, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", true},
        Said{Dialect::cohere, "event: message-end\ndata: {}\n\n", true},
        Said{Dialect::gemini, "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n", true},
        Said{Dialect::gemini, "data: {\"candidates\":[{}]}\n\n", false},
        Said{Dialect::gemini, "data: {}\n\n{\"error\":{\"code\":429,\"message\":\"no\"}}\n", true},
        Said{Dialect::gemini, "data: {}\n\n{\"error\":{\"code\":429,\"mess", false}}) {
    accounting::TextScanner text(each.dialect);
    StreamEnding ending(each.dialect, Framing::sse, true, parser);
    text.feed(each.stream);
    ending.feed(each.stream, true, &text);
    EXPECT_EQ(ending.said_end(), each.end) << each.stream;
  }
}

TEST(StreamEnding, TheCloseEndsOnlyWhatHasNoFramesOfItsOwn) {
  using http::Framing;
  using http::Version;
  const auto ends = [](Framing framing, Version version) {
    http::ResponseHead head;
    head.framing = framing;
    head.version = version;
    return only_close_ends(head);
  };
  EXPECT_TRUE(ends(Framing::until_close, Version::http_1_0));
  EXPECT_TRUE(ends(Framing::until_close, Version::http_1_1));
  EXPECT_FALSE(ends(Framing::until_close, Version::http_2)) << "END_STREAM ends it";
  EXPECT_FALSE(ends(Framing::chunked, Version::http_1_1));
  EXPECT_FALSE(ends(Framing::content_length, Version::http_1_1));
}

TEST(StreamEnding, AnErrorWithoutEndDoesNotFillTheMemory) {
  json::Parser parser;
  accounting::TextScanner text(Dialect::openai_chat);
  StreamEnding ending(Dialect::openai_chat, Framing::sse, true, parser);
  std::string piece = "data: {\"error\":{\"message\":\"" + std::string(kErrorEventBytesMax, 'x');
  for (int i = 0; i < 3; ++i) {
    text.feed(piece);
    ending.feed(piece, i == 2, &text);
    piece.assign(kErrorEventBytesMax, 'x');
  }
  EXPECT_EQ(ending.failure(), kCut);
}

TEST(ErrorInDocument, OfEveryApi) {
  json::Parser parser;
  struct Document {
    Dialect dialect;
    std::string_view text;
    Failure failure;
  };
  const Document documents[] = {
      {Dialect::openai_chat, R"({"error":{"message":"no","type":"insufficient_quota"}})", ErrorKind::quota_exceeded},
      {Dialect::openai_chat, R"({"id":"c","error":null,"choices":[{"message":{"content":"x"}}]})", kWhole},
      {Dialect::openai_chat, R"({"object":"error","message":"no"})", ErrorKind::upstream_failed},
      {Dialect::openai_embeddings, R"({"object":"error","message":"no","type":"BadRequestError","code":400})",
       ErrorKind::invalid_request},
      {Dialect::anthropic, R"({"object":"error","message":"no","type":"BadRequestError","code":400})",
       ErrorKind::invalid_request},
      {Dialect::openai_chat, " <html>", ErrorKind::upstream_failed},
      {Dialect::openai_chat, "a transcript", kWhole},
      {Dialect::openai_chat, "", kWhole},
      {Dialect::openai_embeddings, R"({"error":{"message":"no","code":"rate_limit_exceeded"}})",
       ErrorKind::rate_limited},
      {Dialect::openai_responses, R"({"object":"response","status":"failed","error":{"code":"server_error"}})",
       ErrorKind::upstream_failed},
      {Dialect::anthropic, R"({"type":"error","error":{"type":"overloaded_error","message":"no"}})",
       ErrorKind::overloaded},
      {Dialect::gemini, R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}})", ErrorKind::rate_limited},
      {Dialect::gemini, R"([{"error":{"code":503,"status":"UNAVAILABLE"}}])", ErrorKind::overloaded},
      {Dialect::gemini, R"({"error":{"message":"no"}})", ErrorKind::upstream_failed},
  };
  for (const Document& each : documents) {
    EXPECT_EQ(error_in_document(each.dialect, each.text, parser), each.failure) << each.text;
  }
}

std::string frame(std::string_view type, std::string_view json) {
  std::string out;
  EXPECT_TRUE(http::append_event_stream_event(out, type, json));
  return out;
}

std::string chunk(std::string_view json) {
  std::string text(base::base64_size(json.size()), '\0');
  base::base64_encode(json, text.data());
  return frame("chunk", R"({"bytes":")" + text + "\"}");
}

std::string exception(std::string_view type) {
  std::string out;
  EXPECT_TRUE(http::append_event_stream_exception(out, type, R"({"message":"no"})"));
  return out;
}

void expect_failure(std::string_view stream, EventStreamTap::Payload payload, Failure wanted) {
  json::Parser parser;
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    EventStreamTap tap(payload);
    tap.feed(stream.substr(0, cut), {});
    tap.feed(stream.substr(cut), {});
    ASSERT_EQ(failure_of(tap, parser), wanted) << cut << " of " << stream.size();
  }
}

TEST(FailureOfFrames, Converse) {
  using enum EventStreamTap::Payload;
  const std::string begun =
      frame("messageStart", R"({"role":"assistant"})") + frame("contentBlockDelta", R"({"delta":{"text":"x"}})");
  const std::string stop = frame("messageStop", R"({"stopReason":"end_turn"})");
  expect_failure(begun + stop, plain, kWhole);
  expect_failure(begun + stop + frame("metadata", R"({"usage":{}})"), plain, kWhole);
  expect_failure(begun, plain, kCut);
  expect_failure("", plain, kCut);
  expect_failure(begun + stop.substr(0, 20), plain, kCut);
  expect_failure(begun + exception("throttlingException"), plain, ErrorKind::rate_limited);
  expect_failure(begun + exception("serviceUnavailableException"), plain, ErrorKind::overloaded);
  expect_failure(begun + exception("modelStreamErrorException"), plain, ErrorKind::upstream_failed);
}

TEST(FailureOfFrames, InvokeModel) {
  using enum EventStreamTap::Payload;
  const std::string begun = chunk(R"({"type":"message_start","message":{}})") +
                            chunk(R"({"type":"content_block_delta","delta":{"text":"\"type\":\"message_stop\""}})");
  const std::string error =
      R"({"type":"error","error":{"type":"overloaded_error","message":")" + std::string(600, 'x') + "\"}}";
  expect_failure(begun + chunk(R"({"type":"message_stop","amazon-bedrock-invocationMetrics":{}})"), wrapped, kWhole);
  expect_failure(begun, wrapped, kCut);
  expect_failure(begun + chunk(error), wrapped, ErrorKind::overloaded);
  expect_failure(begun + exception("throttlingException"), wrapped, ErrorKind::rate_limited);
  // Nova's are Converse's.
  const std::string nova = chunk(R"({"messageStart":{"role":"assistant"}})") +
                           chunk(R"({"contentBlockDelta":{"delta":{"text":"\"messageStop\""}}})");
  const std::string metadata = chunk(R"({"metadata":{"usage":{"inputTokens":1}}})");
  expect_failure(nova + chunk(R"({"messageStop":{"stopReason":"end_turn"}})") + metadata, wrapped, kWhole);
  expect_failure(nova, wrapped, kCut);
  expect_failure(nova + metadata, wrapped, kCut);
  // Of other makers' events nothing is known.
  expect_failure(chunk(R"({"generation":"x","stop_reason":null})"), wrapped, kWhole);
}

}  // namespace
}  // namespace llmgw::gateway
