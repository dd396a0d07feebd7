// What the gateway tells of calls that ended badly, and of the time that attempts took which came to nothing: in
// virtual time, so that every figure is exact.
#include "gateway/call/two_instances.h"

namespace llmgw::gateway {
namespace {

using namespace std::chrono_literals;
using namespace two_instances;
using net::Task;

class EndingsTest : public TwoInstances {};

constexpr std::string_view kMessageBegun =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":7,"
    "\"output_tokens\":1}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
    "\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n";
constexpr std::string_view kMessageError =
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
constexpr std::string_view kMessageStop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
constexpr std::string_view kChat =
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"},\"finish_reason\":null}]}\n\n";
constexpr std::string_view kDone = "data: [DONE]\n\n";
constexpr const char* kOnce = "attempts = 1\nfailures_out = 2\n";

struct Ending {
  const char* name;
  const char* provider;
  const char* path;
  bool stream;
  Said said;
  std::string error_type;  // as the log has it; empty: a success
  bool cut = false;        // though its transfer ends in order; the client is told
};

class EveryEnding : public EndingsTest, public testing::WithParamInterface<Ending> {};

TEST_P(EveryEnding, IsToldAlikeInLogMetricsAndHealth) {
  const Ending& ending = GetParam();
  start(ending.provider, kOnce);
  instances_[0]->said = ending.said;
  const bool failed = !ending.error_type.empty();
  for (int call = 1; call <= 2; ++call) {
    const std::string answer = ask(ending.path, ending.stream);
    EXPECT_NE(answer.find(ending.said.body), std::string::npos) << answer;
    if (ending.cut) EXPECT_NE(answer.find("error", answer.find("\r\n\r\n")), std::string::npos) << answer;
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
    EXPECT_EQ(logged("status"), "200");
    EXPECT_EQ(logged("error_type"), failed ? "\"" + ending.error_type + "\"" : "");
    EXPECT_EQ(instance_requests("\"first\"", "\"failure\""), failed ? call : 0);
    EXPECT_EQ(instance_requests("\"first\"", "\"success\""), failed ? 0 : call);
    if (failed) EXPECT_EQ(metric({"llm_errors_total{", "error_type=\"" + ending.error_type + "\""}), call);
    if (!failed) EXPECT_EQ(metric({"llm_errors_total{"}), 0);
  }
  // Two failures in a row, and it is out.
  instances_[1]->said = {.type = "application/json", .body = "{}"};
  (void)ask(ending.path, false);
  EXPECT_EQ(instances_[1]->calls, failed ? 1 : 0);
}

const Ending kEndings[] = {
    {"message",
     "anthropic",
     "/v1/messages",
     true,
     {.body = std::string(kMessageBegun) + std::string(kMessageStop)},
     ""},
    {"message_error",
     "anthropic",
     "/v1/messages",
     true,
     {.body = std::string(kMessageBegun) + std::string(kMessageError)},
     "overloaded"},
    {"message_cut", "anthropic", "/v1/messages", true, {.body = std::string(kMessageBegun)}, "upstream_failed", true},
    {"message_that_is_an_error",
     "anthropic",
     "/v1/messages",
     false,
     {.type = "application/json", .body = R"({"type":"error","error":{"type":"rate_limit_error","message":"no"}})"},
     "rate_limited"},
    {"chat", "openai", "/v1/chat/completions", true, {.body = std::string(kChat) + std::string(kDone)}, ""},
    {"chat_error",
     "openai",
     "/v1/chat/completions",
     true,
     {.body = std::string(kChat) + "data: {\"error\":{\"message\":\"no\",\"code\":\"rate_limit_exceeded\"}}\n\n"},
     "rate_limited"},
    {"chat_refused_credential",
     "openai",
     "/v1/chat/completions",
     true,
     {.body = "data: {\"error\":{\"message\":\"no\",\"code\":\"invalid_api_key\"}}\n\n"},
     "upstream_failed"},
    {"chat_cut", "openai", "/v1/chat/completions", true, {.body = std::string(kChat)}, "upstream_failed", true},
    {"chat_empty", "openai", "/v1/chat/completions", true, {.body = ""}, "upstream_failed", true},
    {"chat_document",
     "openai",
     "/v1/chat/completions",
     false,
     {.type = "application/json", .body = R"({"id":"c","choices":[{"message":{"content":"\"error\":1"}}]})"},
     ""},
    {"chat_that_is_an_error",
     "openai",
     "/v1/chat/completions",
     false,
     {.type = "application/json", .body = R"({"error":{"message":"no","code":"insufficient_quota"}})"},
     "quota_exceeded"},
    {"chat_that_is_a_page",
     "openai",
     "/v1/chat/completions",
     false,
     {.type = "text/html", .body = "<html>no</html>"},
     "upstream_failed"},
    {"chat_finished_to_the_close",
     "openai",
     "/v1/chat/completions",
     true,
     {.body = std::string(kChat) + "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
      .to_close = true},
     ""},
    {"chat_cut_by_the_close",
     "openai",
     "/v1/chat/completions",
     true,
     {.body = std::string(kChat), .to_close = true},
     "upstream_failed",
     true},
    {"chat_document_cut",
     "openai",
     "/v1/chat/completions",
     false,
     {.type = "application/json", .body = R"({"id":"c","choices":[{"message":{"content":"He)"},
     "upstream_failed"},
    {"chat_document_empty",
     "openai",
     "/v1/chat/completions",
     false,
     {.type = "application/json", .body = ""},
     "upstream_failed"},
    {"embeddings_cut",
     "openai",
     "/v1/embeddings",
     false,
     {.type = "application/json; charset=utf-8", .body = R"({"data":[{"embedding":[0.1)"},
     "upstream_failed"},
    {"document_to_the_close",
     "openai",
     "/v1/chat/completions",
     false,
     {.type = "application/json", .body = "{\"id\":\"]\"}\n", .to_close = true},
     ""},
    {"object_that_failed",
     "openai",
     "/v1/fine_tuning/jobs",
     false,
     {.type = "application/json", .body = R"({"id":"ftjob","status":"failed","error":{"code":"x","message":"no"}})"},
     ""},
};
INSTANTIATE_TEST_SUITE_P(Endings, EveryEnding, testing::ValuesIn(kEndings),
                         [](const auto& each) { return std::string(each.param.name); });

// Where the end of the connection ends an answer, its JSON alone shows that it was cut.
TEST_F(EndingsTest, ADocumentCutByTheCloseIsNoAnswer) {
  start("openai", kOnce);
  int calls = 0;
  for (const std::string_view body : {"", "{", R"({"id":"c","choices":[{"message":{"content":"He)",
                                      R"({"usage":{"prompt_tokens":1,"completion_tokens":2})", R"({"error":{"m)"}) {
    instances_[0]->said = {.type = "application/json", .body = std::string(body), .to_close = true};
    const std::string answer = ask("/v1/chat/completions", false);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 502")) << body << "\n" << answer;
    EXPECT_NE(answer.find("broke before its answer was complete"), std::string::npos) << answer;
    EXPECT_EQ(logged("error_type"), "\"upstream_failed\"");
    EXPECT_EQ(metric({"llm_errors_total{", "error_type=\"upstream_failed\""}), ++calls);
    worker_.reset();
    instances_.clear();
    start("openai", kOnce);
  }
}

// What has gone out cannot be taken back: the transfer to the client is left without its end.
TEST_F(EndingsTest, ALongDocumentCutByTheCloseLooksCut) {
  start("openai", kOnce);
  const std::string long_body = R"({"choices":[{"message":{"content":")" + std::string(512 * 1024, 'x');
  int calls = 0;
  for (const std::string& body : {long_body, std::string(" \r\n")}) {
    instances_[0]->said = {.type = "application/json", .body = body, .to_close = true};
    const std::string answer = ask("/v1/chat/completions", false);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer.substr(0, 400);
    EXPECT_FALSE(answer.ends_with("0\r\n\r\n"));
    EXPECT_EQ(logged("error_type"), "\"upstream_failed\"");
    EXPECT_EQ(instance_requests("\"first\"", "\"failure\""), ++calls);
  }
}

TEST_F(EndingsTest, AnArrayCutByTheCloseLooksCut) {
  start("google", kOnce);
  const std::string element = R"({"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP"}]})";
  const auto ask_array = [&](const std::string& body) {
    instances_[0]->said = {.type = "application/json", .body = body, .to_close = true};
    return exchange("POST /v1beta/models/m:streamGenerateContent HTTP/1.1\r\nhost: g\r\nconnection: close\r\n" +
                    ("x-goog-api-key: " + std::string(kKey)) + "\r\ncontent-length: 43\r\n\r\n" +
                    R"({"contents":[{"parts":[{"text":"hello"}]}]})");
  };
  EXPECT_NE(ask_array("[" + element + "]").find(element + "]"), std::string::npos);
  EXPECT_EQ(logged("error_type"), "");
  (void)ask_array("[" + element);
  EXPECT_EQ(logged("error_type"), "\"upstream_failed\"");
}

// However its bytes come in.
TEST_F(EndingsTest, ARefusalThatIsTooLongIsNeverPassedOn) {
  start("openai", "attempts = 1\nfailures_out = 4\n");
  constexpr size_t kLimit = 256 << 10;
  for (const size_t size : {kLimit + 1, kLimit + 100, kLimit + 20'000}) {
    instances_[0]->said = {.type = "text/plain", .body = std::string(size, 'x'), .status = "422 x"};
    const std::string answer = ask("/v1/chat/completions", false);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 502")) << size << "\n" << answer.substr(0, 200);
  }
  instances_[0]->said = {.type = "text/plain", .body = std::string(kLimit - 1, 'x'), .status = "422 x"};
  EXPECT_TRUE(ask("/v1/chat/completions", false).starts_with("HTTP/1.1 422"));
}

TEST_F(EndingsTest, WhatWasHeldBackAndIsPassedOnFailsOnce) {
  start("openai", "attempts = 2\nhold_back = 100\nfailures_out = 2\n");
  const std::string error = "data: {\"error\":{\"message\":\"no\",\"code\":\"rate_limit_exceeded\"}}\n\n";
  instances_[0]->said = instances_[1]->said = {.body = error};
  EXPECT_NE(ask("/v1/chat/completions", true).find(error), std::string::npos);
  EXPECT_EQ(logged("error_type"), "\"rate_limited\"");
  EXPECT_EQ(instance_requests("\"first\"", "\"failure\""), 1);
  EXPECT_EQ(instance_requests("\"second\"", "\"failure\""), 1);
  // Each has failed once, so neither is out.
  (void)ask("/v1/chat/completions", true);
  EXPECT_EQ(instances_[0]->calls, 2);
  EXPECT_EQ(instances_[1]->calls, 2);
}

// Microseconds and milliseconds of the last call.
struct Times {
  double added_us;
  double upstream_ms;
};

class DiscardedTime : public EndingsTest {
 protected:
  Times times() { return {std::stod("0" + logged("added_us")), std::stod("0" + logged("upstream_ms"))}; }
  const std::string whole_ = std::string(kChat) + std::string(kDone);
};

TEST_F(DiscardedTime, OfARefusalIsItsUpstreams) {
  start("openai", "attempts = 2\n");
  instances_[0]->said = {.after = 3s, .type = "application/json", .body = "{}", .status = "503 x"};
  instances_[1]->said = {.after = 1s, .body = whole_};
  EXPECT_NE(ask("/v1/chat/completions", true).find("[DONE]"), std::string::npos);
  EXPECT_EQ(logged("retries"), "1");
  EXPECT_LT(times().added_us, 1000);
  EXPECT_GE(times().upstream_ms, 4000);
}

TEST_F(DiscardedTime, OfASilenceIsItsUpstreams) {
  start("openai", "attempts = 2\n");
  instances_[0]->said = {.after = 1min, .body = whole_};
  instances_[1]->said = {.body = whole_};
  EXPECT_NE(ask("/v1/chat/completions", true).find("[DONE]"), std::string::npos);
  EXPECT_LT(times().added_us, 1000);
  EXPECT_GE(times().upstream_ms, 5000);
}

TEST_F(DiscardedTime, OfAStreamHeldBackIsItsUpstreams) {
  start("openai", "attempts = 2\nhold_back = 100\n");
  instances_[0]->said = {.after = 2s, .body = "data: {\"error\":{\"message\":\"no\"}}\n\n"};
  instances_[1]->said = {.body = whole_};
  EXPECT_NE(ask("/v1/chat/completions", true).find("[DONE]"), std::string::npos);
  EXPECT_LT(times().added_us, 1000);
  EXPECT_GE(times().upstream_ms, 2000);
}

TEST_F(DiscardedTime, SoIsThePauseBeforeAllAreAskedOnceMore) {
  start("openai", "attempts = 3\nfailures_out = 4\n");
  for (const auto& instance : instances_) {
    instance->said = {.after = 1s, .type = "application/json", .body = "{}", .status = "500 x"};
  }
  net::TaskGroup recovery;
  recovery.spawn([](net::sim::World& world, Said& said, std::string body) -> Task<void> {
    (void)co_await net::sleep_for(world.loop(), 1500ms);
    said = {.body = std::move(body)};
  }(world_, instances_[0]->said, whole_));
  EXPECT_NE(ask("/v1/chat/completions", true).find("[DONE]"), std::string::npos);
  EXPECT_EQ(logged("retries"), "2");
  EXPECT_LT(times().added_us, 1000);
}

TEST_F(DiscardedTime, SoIsTheWaitForAnInstanceThatAnotherOneOvertakes) {
  start("openai", "attempts = 2\nhedge = \"500ms\"\n");
  instances_[0]->said = {.after = 1min, .body = whole_};
  instances_[1]->said = {.after = 1s, .body = whole_};
  EXPECT_NE(ask("/v1/chat/completions", true).find("[DONE]"), std::string::npos);
  EXPECT_LT(times().added_us, 1000);
  EXPECT_GE(times().upstream_ms, 1500);
}

TEST_F(EndingsTest, AProxysRefusalIsTheOperatorsAffair) {
  start("openai", kOnce);
  instances_[0]->said = {.type = "text/html", .body = "<p>squid.corp.internal wants you</p>", .status = "407 x"};
  for (const auto& [path, type] :
       {std::pair("/v1/chat/completions", "\"server_error\""), std::pair("/v1/messages", "\"api_error\"")}) {
    const std::string answer = ask(path, false);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 502")) << answer;
    EXPECT_NE(answer.find("the operator has to set the proxy's user and password"), std::string::npos) << answer;
    EXPECT_EQ(answer.find("squid"), std::string::npos);
    EXPECT_EQ(logged("error_type"), "\"upstream_failed\"");
  }
}

}  // namespace
}  // namespace llmgw::gateway
