// Answers with status 200 that are none, as long as nothing of them has gone out: another instance is asked, the client
// sees nothing of it; and where there is no other one, they are no success.
#include <tuple>

#include "gateway/call/two_instances.h"

namespace llmgw::gateway {
namespace {

using namespace two_instances;

constexpr std::string_view kRole =
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
constexpr std::string_view kWord =
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"bad\"}}]}\n\n";
constexpr std::string_view kDone = "data: [DONE]\n\n";
constexpr std::string_view kGoodWord =
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"good\"}}]}\n\n";
constexpr std::string_view kGoodDocument = R"({"id":"c","choices":[{"message":{"content":"good"}}],"error":null})";

struct Bad {
  const char* name;
  bool stream;
  std::string_view type;
  std::string body;
  bool passes = true;  // as it came, where nobody else can be asked
  int status = 200;    // of what the client gets then
};

const Bad kBad[] = {
    {"no_event", true, "text/event-stream", "", false},
    {"pings_alone", true, "text/event-stream", ": ping\n\n", false},
    {"role_alone", true, "text/event-stream", std::string(kRole), false},
    {"a_word", true, "text/event-stream", std::string(kRole) + std::string(kWord), false},
    {"three_words", true, "text/event-stream",
     std::string(kRole) + std::string(kWord) + std::string(kWord) + std::string(kWord), false},
    {"an_end_alone", true, "text/event-stream", std::string(kDone)},
    {"error_behind_an_id", true, "text/event-stream",
     "data: {\"id\":\"y\",\"object\":\"error\",\"error\":{\"message\":\"boom\",\"code\":500}}\n\ndata: [DONE]\n\n"},
    {"error_behind_the_role", true, "text/event-stream",
     std::string(kRole) + "data: {\"id\":\"y\",\"error\":{\"message\":\"boom\"}}\n\ndata: [DONE]\n\n"},
    {"openrouters", true, "text/event-stream",
     "data: "
     "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1234567890,\"model\":\"m\",\"provider\":"
     "\"openai\","
     "\"error\":{\"code\":\"server_error\",\"message\":\"gone\"},\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"}"
     ","
     "\"finish_reason\":\"error\"}]}\n\ndata: [DONE]\n\n"},
    {"empty_document_for_a_stream", true, "application/json", "", false, 502},
    {"page_for_a_stream", true, "text/html", "<html>login</html>", false, 502},
    {"error_for_a_stream", true, "application/json", R"({"error":{"message":"boom","type":"server_error"}})", false,
     502},
    {"limit_for_a_stream", true, "application/json", R"({"error":{"message":"boom","code":"rate_limit_exceeded"}})",
     false, 429},
    {"error_for_a_stream_far_behind", true, "application/json",
     "{\"id\":\"" + std::string(300, 'x') + "\",\"error\":{\"message\":\"boom\"}}", false, 502},
    {"text_for_a_stream", true, "application/json", "upstream connect error", false, 502},
    {"empty_document", false, "application/json", ""},
    {"white_space", false, "application/json", "  \n"},
    {"error_in_a_document", false, "application/json",
     R"({"id":"x","error":{"message":"boom","type":"server_error"}})"},
    {"page", false, "text/html", "<html>login</html>"},
    {"text_as_json", false, "application/json", "upstream connect error"},
    {"text", false, "text/plain", "upstream connect error"},
    {"null", false, "application/json", "null"},
    {"empty_list", false, "application/json", "[]"},
    {"empty_object", false, "application/json", "{}"},
    {"error_far_behind", false, "application/json",
     "{\"id\":\"" + std::string(2000, 'x') + "\",\"error\":{\"message\":\"boom\"}}"},
};

class BadAnswer : public TwoInstances, public testing::WithParamInterface<Bad> {
 protected:
  void answer_badly() {
    instances_[0]->said = {.type = GetParam().type, .body = GetParam().body};
    instances_[1]->said = {.type = GetParam().stream ? "text/event-stream" : "application/json",
                           .body = GetParam().stream ? std::string(kRole) + std::string(kGoodWord) + std::string(kDone)
                                                     : std::string(kGoodDocument)};
  }
  void expect_another_answers(const std::string& route) {
    start("openai", route);
    answer_badly();
    const std::string answer = ask("/v1/chat/completions", GetParam().stream);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
    EXPECT_NE(answer.find("good"), std::string::npos) << answer;
    EXPECT_EQ(answer.find("bad"), std::string::npos) << answer;
    EXPECT_EQ(answer.find("boom"), std::string::npos) << answer;
    EXPECT_EQ(instances_[0]->calls, 1);
    EXPECT_EQ(instances_[1]->calls, 1);
    EXPECT_EQ(logged("error_type"), "");
  }
};

// By default, too: all that there is of it comes at once.
TEST_P(BadAnswer, IsAskedForAgainWhileNothingHasGoneOut) {
  expect_another_answers("hold_back = 20\n");
}
TEST_P(BadAnswer, IsAskedForAgainByDefault) {
  expect_another_answers("");
}

TEST_P(BadAnswer, IsNoSuccessWhereNobodyElseIsAsked) {
  start("openai", "attempts = 1\nfailures_out = 1\n");
  answer_badly();
  const std::string answer = ask("/v1/chat/completions", GetParam().stream);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(GetParam().status))) << answer;
  if (GetParam().status != 200) EXPECT_NE(answer.find("\r\n\r\n{\"error\":{\"message\":"), answer.npos) << answer;
  if (GetParam().passes) EXPECT_NE(answer.find(GetParam().body), std::string::npos) << answer;
  EXPECT_NE(logged("error_type"), "");
  EXPECT_EQ(instance_requests("\"first\"", "\"failure\""), 1);
  EXPECT_EQ(instance_requests("\"first\"", "\"success\""), 0);
  (void)ask("/v1/chat/completions", GetParam().stream);
  EXPECT_EQ(instances_[1]->calls, 1) << "the first one is out";
}

INSTANTIATE_TEST_SUITE_P(All, BadAnswer, testing::ValuesIn(kBad),
                         [](const auto& each) { return std::string(each.param.name); });

// Told with a 200, and the client's own affair: what a status of 400 would be.
struct Refused {
  const char* name;
  const char* path;
  bool stream;
  std::string_view type;
  std::string body;
};

const Refused kRefused[] = {
    {"too_long", "/v1/chat/completions", true, "text/event-stream",
     "data: {\"error\":{\"message\":\"Input length (9000) exceeds model's maximum context length (4096).\","
     "\"code\":400,\"type\":\"BadRequestError\"}}\n\ndata: [DONE]\n\n"},
    {"too_long_behind_the_role", "/v1/chat/completions", true, "text/event-stream",
     std::string(kRole) + "data: {\"error\":{\"object\":\"error\",\"message\":\"Input length\","
                          "\"type\":\"BadRequestError\",\"code\":400}}\n\n"},
    {"bad_value", "/v1/chat/completions", true, "text/event-stream",
     "data: {\"error\":{\"message\":\"Input: temperature must be non-negative\",\"code\":400}}\n\n"},
    {"in_words", "/v1/chat/completions", true, "text/event-stream",
     "data: {\"error\":\"Input exceeds the maximum context length\"}\n\n"},
    {"document", "/v1/chat/completions", false, "application/json",
     R"({"error":{"message":"Input too long","code":"context_length_exceeded"}})"},
    {"document_for_a_stream", "/v1/chat/completions", true, "application/json",
     R"({"error":{"message":"Input too long","type":"invalid_request_error"}})"},
    {"flat", "/v1/chat/completions", true, "text/event-stream",
     "data: {\"object\":\"error\",\"message\":\"Input: top_k must be -1 or above\",\"type\":\"BadRequestError\","
     "\"param\":null,\"code\":400}\n\ndata: [DONE]\n\n"},
    {"flat_behind_the_role", "/v1/chat/completions", true, "text/event-stream",
     std::string(kRole) + "data: {\"object\":\"error\",\"message\":\"Input length\",\"type\":\"BadRequestError\"}\n\n"},
    {"flat_document", "/v1/chat/completions", false, "application/json",
     R"({"object":"error","message":"Input: top_k must be -1 or above","type":"BadRequestError","code":400})"},
    {"flat_converted", "/v1/messages", true, "text/event-stream",
     "data: {\"object\":\"error\",\"message\":\"Input: top_k must be -1 or above\",\"type\":\"BadRequestError\","
     "\"param\":null,\"code\":400}\n\ndata: [DONE]\n\n"},
    {"flat_converted_document", "/v1/messages", false, "application/json",
     R"({"object":"error","message":"Input: top_k must be -1 or above","type":"BadRequestError","code":400})"},
    {"flat_to_responses", "/v1/responses", true, "text/event-stream",
     "event: error\ndata: {\"object\":\"error\",\"message\":\"Input: "
     "no\",\"type\":\"BadRequestError\",\"code\":400}\n\n"},
    {"converted", "/v1/messages", true, "text/event-stream",
     "data: {\"error\":{\"message\":\"Input length (9000) exceeds model's maximum context length (4096).\","
     "\"code\":400,\"type\":\"BadRequestError\"}}\n\n"},
    {"converted_document", "/v1/messages", false, "application/json",
     R"({"error":{"message":"Input too long","code":"context_length_exceeded"}})"},
};

class RefusedWithA200 : public TwoInstances, public testing::WithParamInterface<Refused> {
 protected:
  void expect_told_once(const std::string& route) {
    start("openai", route + "failures_out = 1\n");
    for (int call = 1; call <= 2; ++call) {
      instances_[0]->said = {.type = GetParam().type, .body = GetParam().body};
      const std::string answer = ask(GetParam().path, GetParam().stream);
      EXPECT_NE(answer.find("Input"), std::string::npos) << answer;
      EXPECT_EQ(logged("error_type"), "\"invalid_request\"");
      EXPECT_EQ(instances_[0]->calls, call) << "it is not out";
      EXPECT_EQ(instances_[1]->calls, 0) << "it would say the same";
      EXPECT_EQ(instance_requests("\"first\"", "\"business_error\""), call);
      EXPECT_EQ(instance_requests("\"first\"", "\"failure\""), 0);
    }
  }
};

TEST_P(RefusedWithA200, GoesToTheClient) {
  expect_told_once("");
}
TEST_P(RefusedWithA200, GoesToTheClientOutOfTheWindow) {
  expect_told_once("hold_back = 20\n");
}
TEST_P(RefusedWithA200, GoesToTheClientWhereNothingIsKeptBack) {
  expect_told_once("attempts = 1\nhold_back = 0\n");
}

INSTANTIATE_TEST_SUITE_P(All, RefusedWithA200, testing::ValuesIn(kRefused),
                         [](const auto& each) { return std::string(each.param.name); });

class GoodAnswer : public TwoInstances {};

TEST_F(GoodAnswer, IsPassedOnAsItCame) {
  start("openai", "hold_back = 20\n");
  const std::string stop = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
  for (const std::string& body :
       {std::string(kRole) + std::string(kGoodWord) + std::string(kDone), std::string(kRole) + stop,
        std::string(kRole) + stop + std::string(kDone), std::string(kRole) + std::string(kGoodWord) + stop}) {
    instances_[0]->said = {.body = body};
    const std::string answer = ask("/v1/chat/completions", true);
    EXPECT_NE(answer.find(body), std::string::npos) << answer;
    EXPECT_EQ(logged("error_type"), "");
  }
  instances_[0]->said = {.type = "application/json", .body = std::string(kGoodDocument)};
  EXPECT_NE(ask("/v1/chat/completions", false).find(kGoodDocument), std::string::npos);
  // An engine that does not stream answers all the same.
  EXPECT_NE(ask("/v1/chat/completions", true).find(kGoodDocument), std::string::npos);
  EXPECT_EQ(logged("error_type"), "");
  EXPECT_EQ(instances_[1]->calls, 0);
}

TEST_F(GoodAnswer, OfOtherApisMayBeATextOrAList) {
  start("openai", "hold_back = 20\n");
  for (const auto& [path, type, body] : std::initializer_list<std::tuple<const char*, std::string_view, std::string>>{
           {"/v1/audio/transcriptions", "text/plain", "[Music] hello"},
           {"/v1/audio/speech", "audio/pcm", "{\x01\x02"},
           {"/v1/rerank", "application/json", R"([{"index":0}])"}}) {
    instances_[0]->said = {.type = type, .body = body};
    EXPECT_NE(exchange(request(path, R"({"model":"m","input":"x","query":"x","documents":["x"]})")).find(body),
              std::string::npos)
        << path;
    EXPECT_EQ(logged("error_type"), "") << path;
  }
  EXPECT_EQ(instances_[1]->calls, 0);
}

// What the caller's own header ends early says nothing of the instance: other callers' calls still go there.
class CallersHaste : public TwoInstances {
 protected:
  void expect_no_fault(const std::string& limit) {
    start("openai", "failures_out = 1\n");
    instances_[0]->said = instances_[1]->said = late_;
    for (int call = 0; call < 3; ++call) {
      const std::string answer = ask("/v1/chat/completions", false, "x-llm-gateway-" + limit + "-timeout-ms: 20\r\n");
      EXPECT_TRUE(answer.starts_with("HTTP/1.1 504")) << answer;
    }
    instances_[0]->said.after = 0s;
    const int before = instances_[0]->calls;
    EXPECT_TRUE(ask("/v1/chat/completions", false).starts_with("HTTP/1.1 200"));
    EXPECT_EQ(instances_[0]->calls, before + 1) << "the first one is out";
    EXPECT_EQ(instance_requests("\"first\"", "\"failure\""), 0);
  }
  const Said late_{.after = 200ms, .type = "application/json", .body = std::string(kGoodDocument)};
};

TEST_F(CallersHaste, ForTheFirstByteIsNoFaultOfTheInstance) {
  expect_no_fault("first-byte");
}
TEST_F(CallersHaste, ForTheWholeCallIsNoFaultOfTheInstance) {
  expect_no_fault("total");
}

TEST_F(CallersHaste, IsNotPresumed) {
  start("openai", "failures_out = 1\nattempts = 1\nfirst_byte_timeout = \"100ms\"\n");
  instances_[0]->said = instances_[1]->said = late_;
  // Longer than the operator's, or another limit than the one that ended it.
  EXPECT_TRUE(ask("/v1/chat/completions", false, "x-llm-gateway-idle-timeout-ms: 20\r\n").starts_with("HTTP/1.1 504"));
  EXPECT_EQ(instances_[0]->calls, 1);
  instances_[1]->said.after = 0s;
  EXPECT_TRUE(ask("/v1/chat/completions", false).starts_with("HTTP/1.1 200"));
  EXPECT_EQ(instances_[0]->calls, 1) << "the first one is out";
}

// A provider may say when it may be asked again by a date.
class AskedToWait : public TwoInstances {};

TEST_F(AskedToWait, UntilADate) {
  start("openai", "");
  const std::string date = "date: Sun, 06 Nov 2044 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 2044 08:49:57 GMT";
  const std::string status = "429 Too Many Requests\r\n" + date;
  instances_[0]->said = {.type = "application/json", .body = "{}", .status = status};
  instances_[1]->said = {.type = "application/json", .body = std::string(kGoodDocument)};
  const auto pass = [this](base::Duration time) {
    bool over = false;
    net::TaskGroup waiting;
    waiting.spawn([](net::sim::World& world, base::Duration pause, bool& done) -> Task<void> {
      (void)co_await net::sleep_for(world.loop(), pause);
      done = true;
    }(world_, time, over));
    EXPECT_TRUE(world_.run_until([&over] { return over; }));
  };
  EXPECT_TRUE(ask("/v1/chat/completions", false).starts_with("HTTP/1.1 200"));
  EXPECT_EQ(instances_[0]->calls, 1);
  pass(19s);
  EXPECT_TRUE(ask("/v1/chat/completions", false).starts_with("HTTP/1.1 200"));
  EXPECT_EQ(instances_[0]->calls, 1) << "it has asked to be left alone for 20 s";
  pass(2s);
  (void)ask("/v1/chat/completions", false);
  EXPECT_EQ(instances_[0]->calls, 2);
}

}  // namespace
}  // namespace llmgw::gateway
