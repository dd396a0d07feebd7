// A call's own time holds before it is sent, too: while it waits for an instance, and for whatever else.
#include "gateway/call/two_instances.h"

namespace llmgw::gateway {
namespace {

using namespace std::chrono_literals;
using namespace two_instances;

constexpr std::string_view kPath = "/v1/chat/completions";
constexpr std::string_view kAnswer = R"({"id":"c","choices":[{"message":{"content":"Hi"}}]})";
constexpr std::string_view kHalfASecond = "x-llm-gateway-total-timeout-ms: 500\r\n";

class DeadlinesTest : public TwoInstances {
 protected:
  // Both instances have as much to do as they are given for so long.
  void occupy(base::Duration time) {
    for (const auto& instance : instances_) {
      instance->said = {.after = time, .type = "application/json", .body = std::string(kAnswer)};
    }
    // The second goes where there is a place left.
    for (int i = 0; i < 2; ++i) (void)begin(request(kPath, chat_body(false)));
    EXPECT_TRUE(world_.run_until([this] { return calls() == 2; }));
  }
  int calls() const { return instances_[0]->calls + instances_[1]->calls; }
  base::Duration took(const std::function<void()>& what) {
    const base::Instant began = world_.loop().now();
    what();
    return world_.loop().now() - began;
  }
  double timeouts() { return metric({"llm_gateway_queue_refusals_total{", "reason=\"timeout\""}); }
};

constexpr const char* kOneAtATime = "max_in_flight = 1\nattempts = 1\nfailures_out = 1\n";

TEST_F(DeadlinesTest, TheClientsHoldsInTheLine) {
  start("openai", kOneAtATime);
  occupy(3s);
  std::string answer;
  const auto waited = took([&] { answer = ask(kPath, false, kHalfASecond); });
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503")) << answer;
  EXPECT_NE(answer.find("no instance of the model was free in time"), std::string::npos) << answer;
  EXPECT_GE(waited, 500ms);
  EXPECT_LT(waited, 600ms);
  EXPECT_EQ(timeouts(), 1);
  // It is not sent later either, and what it waited for is none the worse for it.
  EXPECT_TRUE(world_.run_until([this] { return asked_[0]->over && asked_[1]->over; }));
  EXPECT_EQ(calls(), 2);
  instances_[0]->said.after = 1ms;
  EXPECT_TRUE(ask(kPath, false, kHalfASecond).starts_with("HTTP/1.1 200"));
  EXPECT_EQ(instances_[0]->calls, 2);
}

TEST_F(DeadlinesTest, SoDoesThatOfTheConnection) {
  start("openai", kOneAtATime, "total_timeout = \"4s\"\n");
  occupy(3500ms);
  // In line behind each other: the first of them gets its turn at 3.5 s, and has half a second to be answered in.
  const Asked* const behind = begin(request(kPath, chat_body(false)));
  const Asked* const last = begin(request(kPath, chat_body(false)));
  const Asked* const beyond = begin(request(kPath, chat_body(false)));
  const auto waited =
      took([&] { EXPECT_TRUE(world_.run_until([&] { return behind->over && last->over && beyond->over; })); });
  EXPECT_LT(waited, 4100ms);
  EXPECT_TRUE(behind->received.starts_with("HTTP/1.1 504")) << behind->received;
  EXPECT_TRUE(last->received.starts_with("HTTP/1.1 503")) << last->received;
  EXPECT_EQ(timeouts(), 2);
  EXPECT_EQ(calls(), 3) << "the others were never sent";
}

TEST_F(DeadlinesTest, NobodyWaitsForAPauseThatIsLongerThanHisTime) {
  start("openai", "attempts = 3\n");
  for (const auto& instance : instances_) {
    instance->said = {
        .type = "application/json", .body = R"({"error":{"message":"later"}})", .status = "429 x\r\nretry-after: 1"};
  }
  EXPECT_TRUE(ask(kPath, false, kHalfASecond).starts_with("HTTP/1.1 429"));
  const int asked = calls();
  const auto waited = took([&] { EXPECT_TRUE(ask(kPath, false, kHalfASecond).starts_with("HTTP/1.1 429")); });
  EXPECT_LT(waited, 500ms);
  EXPECT_EQ(calls(), asked);
}

// Whatever took the time, here a picture that had to be fetched for a provider that takes no URLs.
TEST_F(DeadlinesTest, ACallWhoseTimeIsOverIsNotSent) {
  start("bedrock", "attempts = 2\nfailures_out = 1\n", "region = \"us-east-1\"\n");
  for (const auto& instance : instances_) {
    instance->said = {.type = "application/json",
                      .body = R"({"output":{"message":{"role":"assistant","content":[]}}})"};
  }
  const std::string body =
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}]}]})";
  fetching_takes_ = 2s;
  const std::string late = exchange(request(kPath, body, kHalfASecond));
  EXPECT_TRUE(late.starts_with("HTTP/1.1 504")) << late;
  EXPECT_NE(late.find("before its provider could be asked: total_timeout"), std::string::npos) << late;
  EXPECT_EQ(logged("error_type"), "\"total_timeout\"");
  EXPECT_EQ(calls(), 0);
  EXPECT_EQ(metric({"llm_gateway_instance_requests_total{"}), 0) << "no instance had to do with it";
  fetching_takes_ = 0s;
  const std::string answer = exchange(request(kPath, body, kHalfASecond));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
}

// The other one was asked later, and lost.
TEST_F(DeadlinesTest, TheDebugHeaderNamesWhoAnswered) {
  start("openai", "attempts = 2\nhedge = \"100ms\"\n");
  instances_[0]->said = {.after = 600ms, .type = "application/json", .body = std::string(kAnswer)};
  for (const std::string_view status : {"200 OK", "500 x"}) {
    instances_[1]->said = {.after = 2s, .type = "application/json", .body = "{}", .status = status};
    if (status != "200 OK") instances_[1]->said.after = 1ms;
    const std::string answer = ask(kPath, false, "x-llm-gateway-debug: 1\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
    EXPECT_EQ(logged("connection"), "\"first\"");
    EXPECT_NE(answer.find("x-llm-gateway-route: connection=first; "), std::string::npos) << answer;
    EXPECT_NE(answer.find("attempt=1; "), std::string::npos) << answer;
  }
  EXPECT_EQ(instances_[1]->calls, 2);
  // And where it wins, that one.
  instances_[0]->said.after = 5s;
  instances_[1]->said = {.after = 1ms, .type = "application/json", .body = std::string(kAnswer)};
  const std::string answer = ask(kPath, false, "x-llm-gateway-debug: 1\r\n");
  EXPECT_NE(answer.find("x-llm-gateway-route: connection=second; "), std::string::npos) << answer;
}

}  // namespace
}  // namespace llmgw::gateway
