// What the gateway tells of calls that ended badly, and of the time that attempts took which came to nothing: in
// virtual time, so that every figure is exact.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "control/config_loader.h"
#include "control/test_support.h"
#include "gateway/worker.h"
#include "gateway/world_upstream.h"
#include "net/io.h"
#include "net/sim/world.h"
#include "telemetry/exposition.h"

namespace llmgw::gateway {
namespace {

using namespace std::chrono_literals;
using net::Task;

constexpr std::string_view kKey = "key-of-the-endings";
const net::Address kGateway = *net::Address::parse("10.0.0.1:8080");

// The first instance and the second one of model "m" in every provider's API.
std::shared_ptr<const control::Snapshot> make_snapshot(const std::string& provider, const std::string& route) {
  std::string text = R"([server]
listen = "127.0.0.1:0"
[metrics]
public = true
[upstream]
first_byte_timeout = "5s"
[[keys]]
name = "everybody"
key = ")" + std::string(kKey) +
                     "\"\n";
  for (const std::string name : {"first", "second"}) {
    text += "[[connections]]\nname = \"" + name + "\"\nprovider = \"" + provider + "\"\nendpoint = \"http://10.0." +
            (name == "first" ? "1" : "2") + ".1:80\"\napi_key = \"k\"\n" +
            (name == "first" ? "priority = 1\n" : "priority = 2\n") + "[[models]]\nname = \"m\"\nconnection = \"" +
            name + "\"\n";
  }
  text += "[[routes]]\nmodels = [\"m\"]\n" + route;
  const auto config = control::load_config(text, control::TestWorld().environment());
  EXPECT_TRUE(config) << control::format_errors(config.error(), "endings.toml");
  auto built = control::build_snapshot(*config, {.version = 1, .hash_key = {}, .created_default = 0});
  EXPECT_TRUE(built) << control::format_errors(built.error(), "endings.toml");
  return *built;
}

// One answer of an instance.
struct Said {
  base::Duration after{0};
  std::string_view type = "text/event-stream";
  std::string body;
  std::string_view status = "200 OK";
  bool to_close = false;  // the end of the connection ends it, as with HTTP/1.0
};

class Instance {
 public:
  Instance(net::sim::World& world, const net::Address& address)
      : world_(world), listener_(std::move(*world.network().listen(address, {}))) {
    tasks_.spawn(accept_all());
  }
  ~Instance() { tasks_.cancel_all(); }
  Said said;
  int calls = 0;

 private:
  Task<void> accept_all() {
    for (;;) {
      auto stream = co_await net::accept(*listener_, {});
      if (stream) tasks_.spawn(serve(std::move(*stream)));
    }
  }

  Task<void> serve(std::unique_ptr<net::Stream> stream) {
    world::WholeRequest request;
    if (!co_await world::read_request(*stream, request)) co_return;
    ++calls;
    const Said own = said;
    (void)co_await net::sleep_for(world_.loop(), own.after);
    char length[20];
    std::snprintf(length, sizeof length, "%zx\r\n", own.body.size());
    const std::string answer_head = "HTTP/1.1 " + std::string(own.status) +
                                    "\r\nconnection: close\r\ncontent-type: " + std::string(own.type) + "\r\n";
    const std::string chunk = own.body.empty() ? "" : length + own.body + "\r\n";
    const std::string answer =
        answer_head + (own.to_close ? "\r\n" + own.body : "transfer-encoding: chunked\r\n\r\n" + chunk + "0\r\n\r\n");
    (void)co_await net::write_all(*stream, answer, {});
  }

  net::sim::World& world_;
  std::unique_ptr<net::Listener> listener_;
  net::TaskGroup tasks_;
};

class EndingsTest : public testing::Test {
 protected:
  void start(const std::string& provider, const std::string& route) {
    shared_.registry = &registry_;
    for (const char* address : {"10.0.1.1:80", "10.0.2.1:80"}) {
      instances_.push_back(std::make_unique<Instance>(world_, *net::Address::parse(address)));
    }
    worker_ = std::make_unique<Worker>(world_.loop(), shared_, log_, make_snapshot(provider, route),
                                       [this](const control::Connection& connection, net::Wait wait) {
                                         const auto& endpoint = connection.upstream.endpoint;
                                         return world_.network().connect(
                                             *net::Address::from_ip(endpoint.host, endpoint.port), wait);
                                       });
    worker_->server().listen(std::move(*world_.network().listen(kGateway, {})));
  }
  ~EndingsTest() override {
    worker_.reset();
    instances_.clear();
  }

  // All that comes back, chunks and head.
  std::string ask(std::string_view path, bool stream) {
    const std::string body = std::string(R"({"model":"m","max_tokens":9,"stream":)") + (stream ? "true" : "false") +
                             R"(,"messages":[{"role":"user","content":"x"}]})";
    return exchange("POST " + std::string(path) +
                    " HTTP/1.1\r\nhost: g\r\nconnection: close\r\nauthorization: Bearer " + std::string(kKey) +
                    "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  std::string exchange(const std::string& request) {
    std::string received;
    bool over = false;
    net::TaskGroup client;
    client.spawn([](net::sim::World& world, const std::string& asked, std::string& got, bool& ended) -> Task<void> {
      auto stream = co_await world.network().connect(kGateway, {});
      if (stream) (void)co_await net::write_all(**stream, asked, {});
      while (stream) {
        char buffer[4096];
        auto count = co_await net::read_some(**stream, buffer, {});
        if (!count || *count == 0) break;
        got.append(buffer, *count);
      }
      ended = true;
    }(world_, request, received, over));
    EXPECT_TRUE(world_.run_until([&over] { return over; }));
    return received;
  }

  // The value of a member of the last line of the access log.
  std::string logged(std::string_view name) {
    std::string text;
    for (const std::string_view part : access_.peek()) text += part;
    const std::string_view line = std::string_view(text).substr(text.rfind('\n', text.size() - 2) + 1);
    const std::string member = "\"" + std::string(name) + "\":";
    const size_t at = line.find(member);
    if (at == std::string_view::npos) return {};
    const std::string_view value = line.substr(at + member.size());
    return std::string(value.substr(0, value.find_first_of(",}")));
  }

  // Of the series whose line has all of these.
  double metric(std::vector<std::string_view> parts) {
    const std::string text = telemetry::render_metrics(registry_, telemetry::choose_format(""));
    double sum = 0;
    for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      const std::string_view line = std::string_view(text).substr(at, text.find('\n', at) - at);
      if (std::ranges::all_of(parts, [&](auto part) { return line.find(part) != std::string_view::npos; })) {
        sum += std::stod(std::string(line.substr(line.rfind(' ') + 1)));
      }
    }
    return sum;
  }
  double instance_requests(std::string_view name, std::string_view status) {
    return metric({"llm_gateway_instance_requests_total{", name, status});
  }

  net::sim::World world_{1};
  telemetry::Registry registry_;
  telemetry::LogControl control_;
  telemetry::ByteRing operational_{64 * 1024};
  telemetry::ByteRing access_{64 * 1024};
  telemetry::Log log_{control_, operational_, access_};
  SharedState shared_;
  std::vector<std::unique_ptr<Instance>> instances_;
  std::unique_ptr<Worker> worker_;
};

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
