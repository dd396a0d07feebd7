#include "dialects/openai/error_reader.h"

#include <gtest/gtest.h>

#include "json/utf8.h"

namespace llmgw::dialects::openai {
namespace {

using chat::ErrorKind;

struct Case {
  int status;
  std::string_view body;
  ErrorKind kind;
  std::string_view message;
  std::string_view code = {};
  std::string_view param = {};
  int64_t retry_after_ms = -1;
};

const Case kCases[] = {
    {400,
     R"({"error":{"message":"Too long.","type":"invalid_request_error","param":"messages","code":)"
     R"("context_length_exceeded"}})",
     ErrorKind::invalid_request, "Too long.", "context_length_exceeded", "messages"},
    {401, R"({"error":{"code":"401","message":"Access denied."}})", ErrorKind::authentication, "Access denied."},
    {404, R"({"error":{"code":"DeploymentNotFound","message":"No such deployment."}})", ErrorKind::model_not_found,
     "No such deployment.", "DeploymentNotFound"},
    {404, R"({"detail":"Not Found"})", ErrorKind::not_found, "Not Found"},
    {400, R"({"error":{"message":"x","code":"model_not_found"}})", ErrorKind::model_not_found, "x", "model_not_found"},
    {429,
     R"({"error":{"message":"Rate limit reached. Please try again in 6m1.5s. Visit us.","type":)"
     R"("tokens","code":"rate_limit_exceeded"}})",
     ErrorKind::rate_limited, "Rate limit reached. Please try again in 6m1.5s. Visit us.", "rate_limit_exceeded", "",
     361'500},
    {429,
     R"({"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":)"
     R"("insufficient_quota"}})",
     ErrorKind::quota_exceeded, "You exceeded your current quota", "insufficient_quota"},
    {429, R"({"statusCode":429,"message":"Rate limit is exceeded. Try again in 34 seconds."})", ErrorKind::rate_limited,
     "Rate limit is exceeded. Try again in 34 seconds.", "", "", 34'000},
    {429,
     R"([{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"34.4s"}]}}])",
     ErrorKind::rate_limited, "Quota", "", "", 34'400},
    {400, R"({"code":"Client specified an invalid argument","error":"Model not found: x"})", ErrorKind::invalid_request,
     "Model not found: x", "Client specified an invalid argument"},
    {422, R"({"detail":[{"loc":["body","messages",0],"msg":"field required","type":"value_error"}]})",
     ErrorKind::invalid_request, "field required", "", "messages.0"},
    {422,
     R"({"object":"error","message":{"detail":[{"loc":["body","stop"],"msg":"bad"}]},"type":"invalid_request_error"})",
     ErrorKind::invalid_request, "bad", "", "stop"},
    {400,
     R"({"object":"error","message":"Expected last role User","type":"invalid_request_message_order","code":"3230"})",
     ErrorKind::invalid_request, "Expected last role User"},
    {403, R"({"success":false,"errors":[{"code":10000,"message":"no"}]})", ErrorKind::permission, "no"},
    {502, R"({"error":{"message":"Provider returned error","code":502,"metadata":{"raw":"down"}}})",
     ErrorKind::upstream_failed, "Provider returned error: down"},
    {402, R"({"error":{"message":"Pay.","code":402}})", ErrorKind::quota_exceeded, "Pay."},
    {413, "", ErrorKind::too_large, "the provider answered with status 413"},
    {503, "<html><body>503 at 10.0.0.1</body></html>", ErrorKind::overloaded, "the provider answered with status 503"},
    {500, "upstream connect error", ErrorKind::upstream_failed, "upstream connect error"},
    {504, "null", ErrorKind::upstream_timeout, "the provider answered with status 504"},
    {529, R"({"error":null,"message":""})", ErrorKind::overloaded, "the provider answered with status 529"},
};

TEST(OpenaiErrorReader, BodiesOfAllVendors) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.body);
    json::Parser parser;
    base::Arena arena;
    const chat::ClientError error = read_error(c.status, c.body, {}, {.parser = parser, .arena = arena});
    EXPECT_EQ(error.kind, c.kind) << chat::to_string(error.kind);
    EXPECT_EQ(error.message, c.message);
    EXPECT_EQ(error.code, c.code);
    EXPECT_EQ(error.param, c.param);
    EXPECT_EQ(error.status, c.status);
    const int64_t wait =
        error.retry_after ? std::chrono::duration_cast<std::chrono::milliseconds>(*error.retry_after).count() : -1;
    EXPECT_EQ(wait, c.retry_after_ms);
  }
}

TEST(OpenaiErrorReader, ALongMessageIsCutBetweenCharacters) {
  std::string body = R"({"error":{"message":")";
  for (int i = 0; i < 3000; ++i) body += "\xC3\xA9";
  body += R"("}})";
  json::Parser parser;
  base::Arena arena;
  const chat::ClientError error = read_error(400, body, {}, {.parser = parser, .arena = arena});
  EXPECT_EQ(error.message.size(), 4096U);
  EXPECT_TRUE(json::is_utf8(error.message));
}

}  // namespace
}  // namespace llmgw::dialects::openai
