#include "dialects/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "dialects/codec.h"
#include "dialects/provider_error.h"
#include "dialects/stream_boundary.h"
#include "json/reader.h"

namespace llmgw::dialects {
namespace {

using chat::ClientError;
using chat::Dialect;
using chat::ErrorKind;
using chat::Framing;
using testing::HasSubstr;
using testing::Not;

bool is_json(std::string_view text) {
  json::Parser parser;
  const auto document = parser.parse(text);
  if (!document) return false;
  json::Reader reader(*document);
  reader.skip();
  return reader.finish().has_value();
}

std::map<std::string, std::string> headers(const ErrorAnswer& answer) {
  std::map<std::string, std::string> result;
  for (const auto& header : answer.headers()) result[std::string(header.name)] = header.value;
  return result;
}

TEST(WriteError, StatusOfEveryKind) {
  struct Case {
    ErrorKind kind;
    int openai, responses, anthropic, gemini, vertex, bedrock, cohere;
  };
  const Case cases[] = {
      {ErrorKind::invalid_request, 400, 400, 400, 400, 400, 400, 400},
      {ErrorKind::authentication, 401, 401, 401, 400, 401, 403, 401},
      {ErrorKind::permission, 403, 403, 403, 403, 403, 403, 403},
      {ErrorKind::model_not_found, 404, 400, 404, 404, 404, 400, 404},
      {ErrorKind::not_found, 404, 404, 404, 404, 404, 404, 404},
      {ErrorKind::method_not_allowed, 405, 405, 405, 405, 405, 405, 405},
      {ErrorKind::conflict, 409, 409, 409, 409, 409, 400, 409},
      {ErrorKind::too_large, 413, 413, 413, 413, 413, 413, 413},
      {ErrorKind::request_timeout, 408, 408, 408, 408, 408, 408, 408},
      {ErrorKind::rate_limited, 429, 429, 429, 429, 429, 429, 429},
      {ErrorKind::quota_exceeded, 429, 429, 429, 429, 429, 400, 429},
      {ErrorKind::overloaded, 503, 503, 529, 503, 503, 503, 503},
      {ErrorKind::unsupported, 400, 400, 400, 400, 400, 400, 400},
      {ErrorKind::upstream_failed, 502, 502, 502, 502, 502, 424, 502},
      {ErrorKind::upstream_timeout, 504, 504, 504, 504, 504, 408, 504},
      {ErrorKind::internal, 500, 500, 500, 500, 500, 500, 500},
  };
  EXPECT_EQ(std::size(cases), static_cast<size_t>(ErrorKind::internal) + 1);
  for (const auto& c : cases) {
    const ClientError error{.kind = c.kind, .message = "a \"quoted\" message"};
    const std::pair<Dialect, int> expected[] = {
        {Dialect::openai_chat, c.openai},  {Dialect::openai_rest, c.openai},
        {Dialect::azure, c.openai},        {Dialect::openai_responses, c.responses},
        {Dialect::anthropic, c.anthropic}, {Dialect::gemini, c.gemini},
        {Dialect::vertex, c.vertex},       {Dialect::bedrock, c.bedrock},
        {Dialect::cohere, c.cohere}};
    for (const auto& [dialect, status] : expected) {
      const ErrorAnswer answer = write_error(dialect, Framing::json, error, "req-1");
      EXPECT_EQ(answer.status, status) << to_string(dialect) << " " << to_string(c.kind);
      EXPECT_TRUE(is_json(answer.body)) << answer.body;
      EXPECT_THAT(answer.body, HasSubstr(R"(a \"quoted\" message)"));
      EXPECT_TRUE(answer.content_type.starts_with("application/json"));
    }
  }
}

TEST(WriteError, OpenAiEnvelope) {
  const auto answer = write_error(Dialect::openai_chat, Framing::json,
                                  {.kind = ErrorKind::authentication, .message = "Bad key."}, "req-1");
  EXPECT_EQ(answer.body,
            R"({"error":{"message":"Bad key.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})");
  EXPECT_EQ(headers(answer), (std::map<std::string, std::string>{{"x-request-id", "req-1"}}));
  const auto model = write_error(Dialect::openai_chat, Framing::json,
                                 {.kind = ErrorKind::model_not_found, .message = "No.", .param = "model"}, "");
  EXPECT_EQ(model.body,
            R"({"error":{"message":"No.","type":"invalid_request_error","param":"model","code":"model_not_found"}})");
  EXPECT_TRUE(headers(model).empty());
}

TEST(WriteError, AnthropicEnvelope) {
  const auto answer =
      write_error(Dialect::anthropic, Framing::json, {.kind = ErrorKind::overloaded, .message = "Busy."}, "req-1");
  EXPECT_EQ(answer.body,
            R"({"type":"error","error":{"type":"overloaded_error","message":"Busy."},"request_id":"req-1"})");
  EXPECT_EQ(headers(answer)["request-id"], "req-1");
  // Its SDKs' tool loops go on by themselves where they read this; a foreign code is none of its details.
  const auto thread =
      write_error(Dialect::anthropic, Framing::json,
                  {.kind = ErrorKind::unsupported, .message = "No.", .code = "thread_unsupported_request"}, "");
  EXPECT_EQ(thread.status, 400);
  EXPECT_EQ(thread.body, R"({"type":"error","error":{"type":"invalid_request_error","message":"No.","details":)"
                         R"({"error_code":"thread_unsupported_request"}},"request_id":null})");
  const auto other = write_error(Dialect::anthropic, Framing::json,
                                 {.kind = ErrorKind::invalid_request, .message = "No.", .code = "other"}, "");
  EXPECT_EQ(other.body.find("details"), std::string::npos);
}

TEST(WriteError, GeminiEnvelope) {
  const auto key =
      write_error(Dialect::gemini, Framing::json, {.kind = ErrorKind::authentication, .message = "Bad key."}, "");
  EXPECT_EQ(
      key.body,
      R"({"error":{"code":400,"message":"Bad key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo",)"
      R"("reason":"API_KEY_INVALID","domain":"googleapis.com","metadata":{"service":"generativelanguage.googleapis.com"}}]}})");
  const auto array =
      write_error(Dialect::vertex, Framing::json_array, {.kind = ErrorKind::not_found, .message = "No."}, "");
  EXPECT_EQ(array.body, R"([{"error":{"code":404,"message":"No.","status":"NOT_FOUND"}}])");
  const auto limit = write_error(
      Dialect::gemini, Framing::sse,
      {.kind = ErrorKind::rate_limited, .message = "Slow.", .retry_after = std::chrono::milliseconds(34'400)}, "");
  EXPECT_EQ(
      limit.body,
      R"({"error":{"code":429,"message":"Slow.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.400s"}]}})");
  EXPECT_EQ(headers(limit)["retry-after"], "35");
}

TEST(WriteError, BedrockAndCohereEnvelopes) {
  const auto bedrock =
      write_error(Dialect::bedrock, Framing::json, {.kind = ErrorKind::rate_limited, .message = "Slow."}, "req-1");
  EXPECT_EQ(bedrock.body, R"({"message":"Slow."})");
  EXPECT_EQ(headers(bedrock), (std::map<std::string, std::string>{{"x-amzn-errortype", "ThrottlingException"},
                                                                  {"x-amzn-requestid", "req-1"}}));
  EXPECT_EQ(write_error(Dialect::cohere, Framing::json, {.kind = ErrorKind::internal, .message = "Oh."}, "r").body,
            R"({"id":"r","message":"Oh."})");
}

TEST(WriteError, RetryHeadersGuideTheSdks) {
  ClientError error{.kind = ErrorKind::rate_limited, .message = "m", .retry_after = std::chrono::milliseconds(1500)};
  for (const Dialect dialect : {Dialect::openai_chat, Dialect::anthropic}) {
    auto found = headers(write_error(dialect, Framing::json, error, ""));
    EXPECT_EQ(found["retry-after"], "2");
    EXPECT_EQ(found["retry-after-ms"], "1500");
    EXPECT_FALSE(found.contains("x-should-retry"));
  }
  error.retry_after = std::chrono::seconds(-5);
  EXPECT_EQ(headers(write_error(Dialect::openai_chat, Framing::json, error, ""))["retry-after"], "0");
  error.retry_after = base::Duration::max();
  EXPECT_EQ(headers(write_error(Dialect::openai_chat, Framing::json, error, ""))["retry-after"], "2678400");
  const ClientError quota{.kind = ErrorKind::quota_exceeded, .message = "m", .retry_after = std::chrono::seconds(1)};
  EXPECT_EQ(headers(write_error(Dialect::openai_chat, Framing::json, quota, "r"))["x-should-retry"], "false");
  EXPECT_EQ(headers(write_error(Dialect::anthropic, Framing::json, quota, "r"))["x-should-retry"], "false");
}

TEST(WriteError, CallerMayOverride) {
  const ClientError error{
      .kind = ErrorKind::invalid_request, .message = "m", .param = "x", .code = "string_too_long", .status = 422};
  const auto answer = write_error(Dialect::openai_chat, Framing::json, error, "");
  EXPECT_EQ(answer.status, 422);
  EXPECT_THAT(answer.body, HasSubstr(R"("code":"string_too_long")"));
  EXPECT_EQ(write_error(Dialect::anthropic, Framing::json, error, "").status, 422);
}

// A status of another provider's becomes the one that the client's API has for the kind; its own stays.
TEST(WriteError, StatusesOfOtherProviders) {
  struct Case {
    Dialect client;
    ErrorKind kind;
    int given, wanted;
  };
  constexpr Case kCases[] = {
      {Dialect::openai_chat, ErrorKind::overloaded, 529, 503}, {Dialect::openai_chat, ErrorKind::internal, 424, 500},
      {Dialect::anthropic, ErrorKind::overloaded, 503, 529},   {Dialect::anthropic, ErrorKind::internal, 500, 500},
      {Dialect::gemini, ErrorKind::invalid_request, 422, 400}, {Dialect::vertex, ErrorKind::overloaded, 529, 503},
      {Dialect::bedrock, ErrorKind::authentication, 401, 403}, {Dialect::bedrock, ErrorKind::rate_limited, 429, 429},
      {Dialect::cohere, ErrorKind::invalid_request, 422, 422},
  };
  for (const Case& c : kCases) {
    const ErrorAnswer answer = write_error(c.client, Framing::json, {.kind = c.kind, .status = c.given}, "r");
    EXPECT_EQ(answer.status, c.wanted) << to_string(c.client) << " " << c.given;
  }
}

// Of the service model: the status that each name has. SDKs look at both.
TEST(WriteError, BedrocksStatusAndNameSayTheSame) {
  const std::map<std::string, int> model{
      {"AccessDeniedException", 403},         {"ConflictException", 400},           {"InternalServerException", 500},
      {"ModelErrorException", 424},           {"ModelTimeoutException", 408},       {"ResourceNotFoundException", 404},
      {"ServiceQuotaExceededException", 400}, {"ServiceUnavailableException", 503}, {"ThrottlingException", 429},
      {"UnrecognizedClientException", 403},   {"ValidationException", 400}};
  const auto answer_of = [](ErrorKind kind, int status) {
    return write_error(Dialect::bedrock, Framing::json, {.kind = kind, .message = "m", .status = status}, "");
  };
  constexpr int kKinds = static_cast<int>(ErrorKind::internal);
  for (int kind = 0; kind <= kKinds; ++kind) {
    for (const int status : {0, 400, 401, 402, 403, 404, 408, 422, 424, 429, 498, 500, 502, 503, 504, 529}) {
      const auto answer = answer_of(static_cast<ErrorKind>(kind), status);
      const std::string type = headers(answer)["x-amzn-errortype"];
      ASSERT_TRUE(model.contains(type)) << type;
      const bool plain_http = type == "ValidationException" && answer.status < 500;
      EXPECT_TRUE(plain_http || answer.status == model.at(type))
          << kind << " " << status << " " << answer.status << type;
    }
  }
  struct Row {
    ErrorKind kind;
    int given;
    int status;
    std::string_view type;
  };
  constexpr Row kRows[] = {
      {ErrorKind::upstream_failed, 500, 500, "InternalServerException"},
      {ErrorKind::upstream_failed, 502, 500, "InternalServerException"},
      {ErrorKind::upstream_failed, 0, 424, "ModelErrorException"},
      {ErrorKind::upstream_failed, 424, 424, "ModelErrorException"},
      {ErrorKind::upstream_timeout, 504, 408, "ModelTimeoutException"},
      {ErrorKind::quota_exceeded, 429, 400, "ServiceQuotaExceededException"},
      {ErrorKind::model_not_found, 404, 404, "ResourceNotFoundException"},
      {ErrorKind::model_not_found, 0, 400, "ValidationException"},
      {ErrorKind::overloaded, 529, 503, "ServiceUnavailableException"},
  };
  for (const Row& row : kRows) {
    const auto answer = answer_of(row.kind, row.given);
    EXPECT_EQ(answer.status, row.status) << row.type;
    EXPECT_EQ(headers(answer)["x-amzn-errortype"], row.type);
  }
}

TEST(ReadError, AnOverloadIsOneThoughTheBodyHasNoWordForIt) {
  constexpr std::string_view kBodies[] = {R"({"error":{"code":529,"message":"Busy.","status":"UNKNOWN"}})",
                                          R"({"error":{"code":500,"message":"Busy.","status":"INTERNAL"}})",
                                          R"({"error":{"message":"Busy.","type":"server_error"}})",
                                          R"({"type":"error","error":{"type":"api_error","message":"Busy."}})",
                                          R"({"message":"Busy."})",
                                          "Busy."};
  for (const Dialect provider : {Dialect::openai_chat, Dialect::openai_responses, Dialect::anthropic, Dialect::gemini,
                                 Dialect::bedrock, Dialect::cohere}) {
    for (const std::string_view body : kBodies) {
      json::Parser parser;
      base::Arena arena;
      const ReadContext context{.parser = parser, .arena = arena};
      const chat::ClientError error = find_codec(provider)->read_error(529, arena.copy(body), {}, context);
      EXPECT_EQ(firm_kind(529, error.kind), ErrorKind::overloaded) << to_string(provider) << " " << body;
      EXPECT_EQ(firm_kind(429, ErrorKind::rate_limited), ErrorKind::rate_limited);
    }
  }
}

TEST(StreamError, EveryDialectsEvent) {
  const ClientError error{.kind = ErrorKind::upstream_failed, .message = "Cut\n off."};
  EXPECT_EQ(write_stream_error(Dialect::openai_chat, Framing::sse, error, "r", {}),
            "data: {\"error\":{\"message\":\"Cut\\n "
            "off.\",\"type\":\"server_error\",\"param\":null,\"code\":\"upstream_failed\"}}\n\n");
  EXPECT_EQ(write_stream_error(Dialect::anthropic, Framing::sse, error, "r", {}),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"Cut\\n "
            "off.\"},\"request_id\":\"r\"}\n\n");
  EXPECT_EQ(write_stream_error(Dialect::gemini, Framing::sse, error, "r", {}),
            "data: {\"error\":{\"code\":502,\"message\":\"Cut\\n off.\",\"status\":\"UNAVAILABLE\"}}\r\n\r\n");
  EXPECT_EQ(write_stream_error(Dialect::gemini, Framing::json_array, error, "r", {}),
            ",\r\n{\"error\":{\"code\":502,\"message\":\"Cut\\n off.\",\"status\":\"UNAVAILABLE\"}}\r\n");
  EXPECT_EQ(write_stream_error(Dialect::cohere, Framing::sse, error, "r", {}),
            "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\","
            "\"error\":\"Cut\\n off.\"}}\n\n");
  EXPECT_EQ(write_stream_error(Dialect::openai_chat, Framing::json, error, "r", {}), "");
  EXPECT_EQ(write_stream_error(Dialect::cohere, Framing::json, error, "r", {}), "");
  EXPECT_EQ(write_stream_error(Dialect::bedrock, Framing::event_stream, error, "r", {}), "");
}

TEST(StreamError, ResponsesFailInTwoEvents) {
  const ClientError error{.kind = ErrorKind::upstream_timeout, .message = "Late."};
  const StreamState state{
      .next_sequence_number = 41, .response_id = "resp_1", .model = "gpt-5", .created_at = 1700000000};
  const std::string events = write_stream_error(Dialect::openai_responses, Framing::sse, error, "r", state);
  const std::string_view first =
      "event: error\ndata: "
      "{\"type\":\"error\",\"code\":\"upstream_timeout\",\"message\":\"Late.\",\"param\":null,\"sequence_number\":41,"
      "\"error\":{\"type\":\"server_error\",\"code\":\"upstream_timeout\",\"message\":\"Late.\",\"param\":null}}"
      "\n\n";
  ASSERT_TRUE(events.starts_with(first)) << events;
  std::string_view second = std::string_view(events).substr(first.size());
  ASSERT_TRUE(second.starts_with("event: response.failed\ndata: "));
  ASSERT_TRUE(second.ends_with("\n\n"));
  second = second.substr(29, second.size() - 31);
  EXPECT_TRUE(is_json(second)) << second;
  EXPECT_THAT(
      second,
      HasSubstr(
          R"("sequence_number":42,"response":{"id":"resp_1","object":"response","created_at":1700000000,"status":"failed","error":{"code":"server_error")"));
  EXPECT_THAT(second, HasSubstr(R"("model":"gpt-5")"));
}

TEST(StreamError, NeverLooksFinished) {
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::internal); ++kind) {
    for (int dialect = 0; dialect <= static_cast<int>(Dialect::cohere); ++dialect) {
      for (const Framing framing : {Framing::sse, Framing::json_array}) {
        const ClientError error{.kind = static_cast<ErrorKind>(kind), .message = "m"};
        const std::string event = write_stream_error(static_cast<Dialect>(dialect), framing, error, "r", {});
        // Cohere's own streams have one last event, whose reason says that it is an error.
        const bool cohere = static_cast<Dialect>(dialect) == Dialect::cohere;
        for (const std::string_view end : {"[DONE]", "message_stop", "response.completed", "COMPLETE", "finish"}) {
          if (cohere && end == "finish") continue;
          EXPECT_THAT(event, Not(HasSubstr(std::string(end))));
        }
        if (cohere) EXPECT_THAT(event, HasSubstr(R"("finish_reason":"ERROR")"));
        if (framing == Framing::json_array) EXPECT_FALSE(event.ends_with("]"));
      }
    }
  }
}

TEST(StreamError, BedrockExceptions) {
  const auto exception = write_stream_exception({.kind = ErrorKind::rate_limited, .message = "Slow."});
  EXPECT_EQ(exception.type, "throttlingException");
  EXPECT_EQ(exception.payload, R"({"message":"Slow."})");
  EXPECT_EQ(write_stream_exception({.kind = ErrorKind::upstream_timeout, .message = ""}).type,
            "modelStreamErrorException");
}

bool boundary(Framing framing, std::string_view text) {
  StreamBoundary whole(framing);
  whole.feed(text);
  StreamBoundary bytewise(framing);
  for (const char c : text) bytewise.feed({&c, 1});
  EXPECT_EQ(whole.at_boundary(), bytewise.at_boundary()) << text;
  return whole.at_boundary();
}

TEST(StreamBoundary, SseEndsWithABlankLine) {
  for (const std::string_view text : {"", "data: x\n\n", "data: x\r\n\r\n", "data: x\r\r", "data: x\n\r\n",
                                      "a: b\n\n\n\n", "\n\n", "data: x\r\n\n"}) {
    EXPECT_TRUE(boundary(Framing::sse, text)) << testing::PrintToString(text);
  }
  for (const std::string_view text :
       {"d", "data: x\n", "data: x\r\n", "data: x\n\nd", "data: x\r", "data: x\n\nevent: y\n"}) {
    EXPECT_FALSE(boundary(Framing::sse, text)) << testing::PrintToString(text);
  }
}

TEST(StreamBoundary, ArrayBetweenElements) {
  for (const std::string_view text : {"[{}", "[{\"a\":[1]}\r\n", "[{\"a\":\"}],{\\\"\"}\n,\n{\"b\":2}"}) {
    EXPECT_TRUE(boundary(Framing::json_array, text)) << text;
  }
  for (const std::string_view text : {"", "[", "[{", "[{},", "[{}]", "[{\"a\":\"}", "[{\"a\":{}"}) {
    EXPECT_FALSE(boundary(Framing::json_array, text)) << text;
  }
  EXPECT_FALSE(boundary(Framing::json, ""));
  EXPECT_FALSE(boundary(Framing::event_stream, ""));
}

TEST(StreamBoundary, ArrayThatIsNone) {
  constexpr std::string_view kGood = "[{\"a\":{\"b\":[1,-2.5e3,true,null,\"x\\\"],\\n{\"]},\"c\":[]}\r\n,\n{}\n]\n";
  StreamBoundary good(Framing::json_array);
  for (size_t i = 0; i < kGood.size(); ++i) {
    EXPECT_EQ(good.complete(), i > kGood.rfind(']')) << i;
    good.feed(kGood.substr(i, 1));
  }
  EXPECT_TRUE(good.complete() && !good.malformed());
  // What stands before the element that cannot be read, as it comes in one piece and byte by byte.
  const auto before = [](std::string_view text, size_t step) -> std::optional<size_t> {
    StreamBoundary boundary(Framing::json_array);
    size_t at = 0;
    for (; at < text.size() && !boundary.malformed(); at += step) boundary.feed(text.substr(at, step));
    EXPECT_TRUE(boundary.malformed()) << text;
    const auto last = boundary.bytes_before();
    return last ? std::optional(at - step + *last) : std::nullopt;
  };
  constexpr std::string_view kFirst = "[{\"a\":1}";
  for (const std::string_view bad :
       {",\r\n{\"text\":\"Hel,\r\n{\"text\":\"lo\"}\r\n]",  // cut in a text
        ",{\"a\":,\r\n{\"b\":1}]", ",{\"a\",\r\n{\"b\":1}]", ",{\"a\":{,{\"b\":1}]", ",{\"a\":[1}]", ",{\"a\":1]",
        ",{\"a\" \"b\"}]", ",{\"a\":1,}]", ",[1,,2]]", ",,{}]", "{\"b\":2}]", "]]", "],{}", ": 1]", "]<html>"}) {
    const std::string text = std::string(kFirst) + std::string(bad);
    EXPECT_EQ(before(text, text.size()), kFirst.size()) << text;
    const auto bytewise = before(text, 1);
    if (bytewise) EXPECT_EQ(*bytewise, kFirst.size()) << text;
  }
  EXPECT_EQ(before("[{\"a\":\"\n", 100), std::nullopt) << "it has gone out";
  StreamBoundary nested(Framing::json_array);
  nested.feed("[{\"a\":[{\"b\":1},{\"c\":1}]");
  EXPECT_TRUE(!nested.malformed() && !nested.complete()) << "an element that was cut has the next ones inside";
  StreamBoundary page(Framing::json_array);
  page.feed("<html>");
  EXPECT_TRUE(!page.malformed() && page.complete()) << "what is no array is not judged as one";
  StreamBoundary object(Framing::json_array);
  object.feed("{\"error\":{}");
  EXPECT_FALSE(object.at_boundary()) << "an error in place of the array has no elements";
  object.feed("}");
  EXPECT_TRUE(object.complete() && !object.malformed());
}

}  // namespace
}  // namespace llmgw::dialects
