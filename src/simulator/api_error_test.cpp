#include "simulator/api_error.h"

#include <gtest/gtest.h>

namespace llmgw::simulator {
namespace {

std::string body(const Surface& surface, const ApiError& error) {
  std::string out;
  write_error_body(surface, error, "req_1", out);
  return out;
}

Surface surface(Api api, Operation operation) {
  return {.api = api, .operation = operation, .object = {}};
}

TEST(ApiError, OpenaiHasAllFourMembers) {
  EXPECT_EQ(body(surface(Api::openai, Operation::chat), refuse(400, "no \"x\"", "x").error()),
            R"({"error":{"message":"no \"x\"","type":"invalid_request_error","param":"x","code":null}})");
  EXPECT_EQ(body(surface(Api::openai, Operation::chat), refuse(429, "slow down").error()),
            R"({"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}})");
}

TEST(ApiError, UnknownModelIs400OnlyForResponses) {
  EXPECT_EQ(unknown_model(surface(Api::openai, Operation::chat), "m").status, 404);
  EXPECT_EQ(unknown_model(surface(Api::openai, Operation::responses), "m").status, 400);
  EXPECT_EQ(unknown_model(surface(Api::openai, Operation::responses), "m").code, "model_not_found");
}

TEST(ApiError, AzureHasItsShortForms) {
  EXPECT_EQ(body(surface(Api::azure, Operation::chat), wrong_key(Api::azure, false)).substr(0, 23),
            R"({"error":{"code":"401",)");
  EXPECT_NE(body(surface(Api::azure, Operation::chat), unknown_model(surface(Api::azure, Operation::chat), "d"))
                .find(R"("code":"DeploymentNotFound")"),
            std::string::npos);
}

TEST(ApiError, AnthropicNamesTheTypeAndTheRequest) {
  EXPECT_EQ(body(surface(Api::anthropic, Operation::messages), refuse(529, "busy").error()),
            R"({"type":"error","error":{"type":"overloaded_error","message":"busy"},"request_id":"req_1"})");
}

TEST(ApiError, GeminiPutsTheDelayIntoTheBodyAndTheErrorIntoAnArray) {
  ApiError error = refuse(429, "later").error();
  error.retry_after_seconds = 1.5;
  const std::string plain = R"({"error":{"code":429,"message":"later","status":"RESOURCE_EXHAUSTED","details":[)"
                            R"({"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"2s"}]}})";
  EXPECT_EQ(body(surface(Api::gemini, Operation::generate), error), plain);
  Surface stream = surface(Api::gemini, Operation::stream_generate);
  EXPECT_EQ(body(stream, error), plain);
  stream.sse = false;
  EXPECT_EQ(body(stream, error), "[" + plain + "]");
  EXPECT_EQ(wrong_key(Api::gemini, false).status, 400);
}

}  // namespace
}  // namespace llmgw::simulator
