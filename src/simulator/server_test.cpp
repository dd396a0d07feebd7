#include "simulator/server.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "net/io.h"

namespace llmgw::simulator {
namespace {

using namespace std::chrono_literals;
namespace bj = boost::json;

// What came back on a connection, up to its end or the time given.
struct Received {
  std::string bytes;
  bool reset = false;
  bool timed_out = false;
  base::Duration took{};

  int status() const { return bytes.size() > 12 ? std::stoi(bytes.substr(9, 3)) : 0; }
  std::string head() const { return bytes.substr(0, bytes.find("\r\n\r\n") + 4); }
  std::string raw_body() const { return bytes.substr(head().size()); }
  bool chunked() const { return head().find("transfer-encoding: chunked") != std::string::npos; }
  // Without the chunked coding; what is there of a body that was cut.
  std::string body() const {
    if (!chunked()) return raw_body();
    std::string whole, rest = raw_body();
    while (!rest.empty()) {
      const size_t line = rest.find("\r\n");
      const size_t size = std::stoul(rest.substr(0, line), nullptr, 16);
      if (size == 0) break;
      whole += rest.substr(line + 2, size);
      rest.erase(0, line + 2 + size + 2);
    }
    return whole;
  }
  bool complete() const { return chunked() ? bytes.ends_with("0\r\n\r\n") : true; }
  bj::value json() const { return bj::parse(body()); }
};

InstanceOptions fast() {
  InstanceOptions options;
  options.engine.prefill_tokens_per_second = 0;
  options.engine.decode_tokens_per_second = 0;
  options.answer = {.tokens_min = 8, .tokens_max = 8};
  return options;
}

class World {
 public:
  explicit World(const std::vector<InstanceOptions>& instances = {fast()}) {
    SimulatorOptions options;
    for (const InstanceOptions& instance : instances) options.instances.push_back({"127.0.0.1:0", instance});
    simulator = std::move(*Simulator::start(loop, *network, options));
  }

  // Sends the text and reads until the connection ends, or for as long as `patience`.
  Received send(const std::string& text, base::Duration patience = 10s, size_t instance = 0) {
    Received received;
    bool done = false;
    tasks.spawn(exchange(text, patience, instance, received, done));
    loop.run_until([&] { return done; });
    return received;
  }

  Received post(const std::string& path, const std::string& body, const std::string& headers = {}, size_t instance = 0,
                base::Duration patience = 10s) {
    return send(request("POST", path, body, headers), patience, instance);
  }
  Received get(const std::string& path, const std::string& headers = {}, size_t instance = 0) {
    return send(request("GET", path, {}, headers), 10s, instance);
  }

  static std::string request(const std::string& method, const std::string& path, const std::string& body,
                             const std::string& headers, bool close = true) {
    return method + " " + path + " HTTP/1.1\r\nhost: simulator\r\ncontent-type: application/json\r\n" + headers +
           (close ? "connection: close\r\n" : "") + "content-length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
  }

  net::Task<void> exchange(std::string text, base::Duration patience, size_t instance, Received& received, bool& done) {
    const base::Instant start = loop.now();
    auto stream = co_await network->connect(simulator->address(instance), {});
    if (stream) {
      (void)co_await net::write_all(**stream, text, {});
      for (;;) {
        const auto bytes = co_await net::read_scratch(**stream, {start + patience, nullptr});
        if (!bytes) {
          received.reset = bytes.error().code == base::ErrorCode::reset;
          received.timed_out = bytes.error().code == base::ErrorCode::deadline_exceeded;
          break;
        }
        if (bytes->empty()) break;
        received.bytes.append(bytes->data(), bytes->size());
      }
    }
    received.took = loop.now() - start;
    done = true;
  }

  // The value of a metric of instance 0, whose line begins so.
  double metric(const std::string& name) {
    const std::string page = get("/metrics").body();
    const size_t at = page.find("\n" + name + "{");
    EXPECT_NE(at, std::string::npos) << name;
    return std::stod(page.substr(page.find("} ", at) + 2));
  }

  net::Loop loop{net::make_epoll_poller(), 1};
  std::unique_ptr<net::Network> network = net::make_socket_network(loop);
  std::unique_ptr<Simulator> simulator;
  net::TaskGroup tasks;
};

const std::string kChat = R"({"model":"m","messages":[{"role":"user","content":"Hello, simulator"}]})";
const std::string kChatStream = R"({"model":"m","stream":true,"messages":[{"role":"user","content":"Hello"}]})";
const std::string kMessages = R"({"model":"m","max_tokens":99,"messages":[{"role":"user","content":"Hello"}]})";
const std::string kMessagesStream =
    R"({"model":"m","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"Hello"}]})";
const std::string kGemini = R"({"contents":[{"parts":[{"text":"Hello"}]}]})";
const std::string kVersion = "anthropic-version: 2023-06-01\r\n";

TEST(Simulator, AnswersOnEverySurface) {
  World world;
  struct Case {
    std::string path, body, headers, member;
  };
  for (const Case& each : std::vector<Case>{
           {"/v1/chat/completions", kChat, "", "choices"},
           {"/v1/completions", R"({"model":"m","prompt":"Hello"})", "", "choices"},
           {"/v1/responses", R"({"model":"m","input":"Hello"})", "", "output"},
           {"/v1/responses/input_tokens", R"({"model":"m","input":"Hello"})", "", "input_tokens"},
           {"/v1/embeddings", R"({"model":"m","input":"Hello"})", "", "data"},
           {"/v1/rerank", R"({"model":"m","query":"a","documents":["a","b"]})", "", "results"},
           {"/v1/moderations", R"({"input":"Hello"})", "", "results"},
           {"/v1/images/generations", R"({"prompt":"Hello"})", "", "data"},
           {"/openai/deployments/d/chat/completions?api-version=2024-10-21", kChat, "", "prompt_filter_results"},
           {"/openai/v1/chat/completions", kChat, "", "choices"},
           {"/v1/messages", kMessages, kVersion, "content"},
           {"/v1/messages/count_tokens", kMessages, kVersion, "input_tokens"},
           {"/v1beta/models/m:generateContent", kGemini, "", "candidates"},
           {"/v1beta/models/m:countTokens", kGemini, "", "totalTokens"},
           {"/v1beta/models/m:embedContent", R"({"content":{"parts":[{"text":"a"}]}})", "", "embedding"},
       }) {
    const Received received = world.post(each.path, each.body, each.headers);
    EXPECT_EQ(received.status(), 200) << each.path << received.bytes;
    EXPECT_NE(received.head().find("server: llm-gateway-simulator\r\n"), std::string::npos) << each.path;
    EXPECT_TRUE(received.json().as_object().contains(each.member)) << each.path;
  }
  EXPECT_EQ(world.get("/v1/models").json().at("object").as_string(), "list");
  EXPECT_TRUE(world.get("/v1/models", kVersion).json().as_object().contains("has_more"));
  EXPECT_TRUE(world.get("/v1beta/models").json().as_object().contains("models"));
  EXPECT_EQ(world.get("/health").status(), 200);
  EXPECT_EQ(world.get("/version").json().at("name").as_string(), "llm-gateway-simulator");
  EXPECT_EQ(world.post("/v1/audio/speech", R"({"model":"m","input":"Hi"})").status(), 200);
}

TEST(Simulator, PromptAndAnswerShareTheContext) {
  const auto ask = [](size_t context_tokens) {
    InstanceOptions options = fast();
    options.context_tokens = context_tokens;
    World world({options});
    return world.post("/v1/chat/completions", kChat);
  };
  const auto usage = [](const Received& received, std::string_view key) {
    return static_cast<size_t>(received.json().at("usage").at(key).to_number<int64_t>());
  };
  const auto finish = [](const Received& received) { return received.json().at("choices").at(0).at("finish_reason"); };
  const Received whole = ask(1000);
  const size_t prompt = usage(whole, "prompt_tokens");
  EXPECT_EQ(usage(whole, "completion_tokens"), 8u);
  EXPECT_EQ(finish(whole), "stop");
  EXPECT_EQ(finish(ask(prompt + 8)), "stop");
  const Received cut = ask(prompt + 3);
  EXPECT_EQ(usage(cut, "completion_tokens"), 3u);
  EXPECT_EQ(finish(cut), "length");
  EXPECT_EQ(ask(prompt - 1).status(), 400);
}

TEST(Simulator, StreamsOnEverySurface) {
  World world;
  const Received chat = world.post("/v1/chat/completions", kChatStream);
  EXPECT_NE(chat.head().find("content-type: text/event-stream"), std::string::npos);
  EXPECT_TRUE(chat.complete());
  EXPECT_TRUE(chat.body().ends_with("data: [DONE]\n\n"));
  EXPECT_NE(world.post("/v1/messages", kMessagesStream, kVersion).body().find("event: message_stop\n"),
            std::string::npos);
  EXPECT_NE(world.post("/v1/responses", R"({"model":"m","stream":true,"input":"Hi"})")
                .body()
                .find("event: response.completed\n"),
            std::string::npos);
  EXPECT_TRUE(world.post("/v1beta/models/m:streamGenerateContent?alt=sse", kGemini).body().ends_with("}\r\n\r\n"));
  EXPECT_TRUE(world.post("/v1beta/models/m:streamGenerateContent", kGemini).json().is_array());
}

TEST(Simulator, TakesItsTime) {
  InstanceOptions slow = fast();
  slow.engine.prefill_tokens_per_second = 100;
  slow.engine.decode_tokens_per_second = 100;
  World world({slow});
  // 1 + 2 + 1 tokens of prompt at 10 ms, and seven steps after the first token.
  const Received received = world.post("/v1/chat/completions", kChatStream);
  EXPECT_GE(received.took, 110ms);
  EXPECT_LT(received.took, 2s);
  EXPECT_EQ(world.metric("vllm:generation_tokens_total"), 8);
  EXPECT_GE(world.metric("vllm:time_to_first_token_seconds_sum"), 0.04);
}

TEST(Simulator, KeepsAKeyAndItsModels) {
  InstanceOptions options = fast();
  options.api_key = base::Secret("right");
  options.models = {"m"};
  World world({options});
  EXPECT_EQ(world.post("/v1/chat/completions", kChat).status(), 401);
  EXPECT_EQ(world.post("/v1/chat/completions", kChat, "authorization: Bearer wrong\r\n").status(), 401);
  EXPECT_EQ(world.post("/v1/chat/completions", kChat, "authorization: Bearer right\r\n").status(), 200);
  EXPECT_EQ(world.post("/v1/messages", kMessages, kVersion + "x-api-key: right\r\n").status(), 200);
  EXPECT_EQ(world.post("/v1/messages", kMessages, kVersion).json().at("type").as_string(), "error");
  EXPECT_EQ(world.post("/openai/deployments/m/chat/completions", kChat, "api-key: right\r\n").status(), 200);
  EXPECT_EQ(world.post("/v1beta/models/m:generateContent", kGemini, "x-goog-api-key: right\r\n").status(), 200);
  EXPECT_EQ(world.post("/v1beta/models/m:generateContent?key=right", kGemini).status(), 200);
  EXPECT_EQ(world.post("/v1beta/models/m:generateContent?key=wrong", kGemini).status(), 400);
  EXPECT_EQ(world.post("/v1beta/models/x:generateContent?key=right", kGemini).status(), 404);
  EXPECT_EQ(world
                .post("/v1/chat/completions", R"({"model":"x","messages":[{"role":"user"}]})",
                      "authorization: Bearer right\r\n")
                .json()
                .at("error")
                .at("code")
                .as_string(),
            "model_not_found");
  EXPECT_EQ(world.get("/metrics").status(), 200) << "no key is needed to scrape";
}

TEST(Simulator, RefusesWhatItCannotRead) {
  World world;
  EXPECT_EQ(world.post("/v1/chat/completions", "{").status(), 400);
  EXPECT_EQ(world.post("/v1/messages", kMessages).status(), 400) << "no anthropic-version";
  EXPECT_EQ(world.get("/v1/chat/completions").status(), 405);
  EXPECT_EQ(world.post("/v1/nothing", "{}").status(), 404);
  EXPECT_EQ(world.send("nonsense\r\n\r\n").status(), 400);
}

TEST(Simulator, ReusesThePrefixOfAConversation) {
  World world;
  std::string question(4000, 'q');
  const std::string first = R"({"model":"m","messages":[{"role":"user","content":")" + question + R"("}]})";
  const bj::value answer = world.post("/v1/chat/completions", first).json();
  EXPECT_EQ(answer.at("usage").at("prompt_tokens_details").at("cached_tokens").to_number<int>(), 0);
  const std::string said(answer.at("choices").at(0).at("message").at("content").as_string());
  const std::string next = R"({"model":"m","messages":[{"role":"user","content":")" + question +
                           R"("},{"role":"assistant","content":)" + bj::serialize(bj::string(said)) +
                           R"(},{"role":"user","content":"And?"}]})";
  const bj::value more = world.post("/v1/chat/completions", next).json();
  // 1 + 1000 + 1 + 8 tokens are shared: 63 blocks of 16, the last of which the next message does not fill anew.
  EXPECT_EQ(more.at("usage").at("prompt_tokens_details").at("cached_tokens").to_number<int>(), 1008);
  EXPECT_EQ(world.metric("vllm:prefix_cache_hits_total"), 1008);
  EXPECT_EQ(world.post("/reset_prefix_cache", "").status(), 200);
  const bj::value again = world.post("/v1/chat/completions", next).json();
  EXPECT_EQ(again.at("usage").at("prompt_tokens_details").at("cached_tokens").to_number<int>(), 0);
}

TEST(Simulator, AFleetHasAnEngineEach) {
  InstanceOptions second = fast();
  second.name = "second";
  World world({fast(), second});
  world.post("/v1/chat/completions", kChat, "", 1);
  EXPECT_EQ(world.metric("vllm:prompt_tokens_total"), 0);
  EXPECT_NE(world.get("/metrics", "", 1)
                .body()
                .find("vllm:prompt_tokens_total{engine=\"0\",model_name=\""
                      "simulated-model\"} 6.0\n"),
            std::string::npos);
  EXPECT_NE(world.get("/health", "", 1).head().find("x-simulator-instance: second\r\n"), std::string::npos);
}

TEST(Simulator, RefusesWhenItsQueueIsFull) {
  InstanceOptions options = fast();
  options.engine.prefill_tokens_per_second = 1;
  options.engine.running_max = 1;
  options.engine.waiting_max = 0;
  World world({options});
  Received first;
  bool first_done = false;
  world.tasks.spawn(
      world.exchange(World::request("POST", "/v1/chat/completions", kChat, {}), 60s, 0, first, first_done));
  // Metrics are read on another connection, so that the first is in the engine by then.
  while (world.metric("vllm:num_requests_running") < 1) {
  }
  const Received refused = world.post("/v1/messages", kMessages, kVersion);
  EXPECT_EQ(refused.status(), 529);
  EXPECT_NE(refused.head().find("retry-after: 1\r\n"), std::string::npos);
  EXPECT_EQ(refused.json().at("error").at("type").as_string(), "overloaded_error");
}

TEST(Simulator, AClientThatLeavesFreesItsPlace) {
  InstanceOptions options = fast();
  options.engine.decode_tokens_per_second = 10;
  options.answer = {.tokens_min = 1000, .tokens_max = 1000};
  World world({options});
  const Received left = world.post("/v1/chat/completions", kChatStream, "", 0, 150ms);
  EXPECT_TRUE(left.timed_out);
  EXPECT_NE(left.body().find("chat.completion.chunk"), std::string::npos);
  while (world.metric("vllm:num_requests_running") > 0) {
  }
  EXPECT_NE(world.get("/metrics").body().find("finished_reason=\"abort\"} 1.0\n"), std::string::npos);
}

TEST(Simulator, KeepsResponses) {
  World world;
  const bj::value first = world.post("/v1/responses", R"({"model":"m","input":"Hello, simulator"})").json();
  const std::string id(first.at("id").as_string());
  EXPECT_EQ(world.get("/v1/responses/" + id).json(), first);
  const bj::value next =
      world.post("/v1/responses", R"({"model":"m","input":"Go on","previous_response_id":")" + id + "\"}").json();
  EXPECT_EQ(next.at("previous_response_id").as_string(), id);
  EXPECT_GT(next.at("usage").at("input_tokens").to_number<int>(),
            first.at("usage").at("input_tokens").to_number<int>());
  EXPECT_EQ(world.send(World::request("DELETE", "/v1/responses/" + id, {}, {})).json().at("deleted"), bj::value(true));
  EXPECT_EQ(world.get("/v1/responses/" + id).status(), 404);
  EXPECT_EQ(world.post("/v1/responses", R"({"model":"m","input":"x","previous_response_id":"resp_none"})").status(),
            400);
}

class Fault : public ::testing::Test {
 protected:
  Received chat(const std::string& fault, const std::string& body = kChat, base::Duration patience = 10s) {
    return world.post("/v1/chat/completions", body, "x-simulate: " + fault + "\r\n", 0, patience);
  }
  World world;
};

TEST_F(Fault, StatusInTheDialectOfTheRequest) {
  const Received received = chat("status=503; retry-after=2");
  EXPECT_EQ(received.status(), 503);
  EXPECT_NE(received.head().find("retry-after: 2\r\n"), std::string::npos);
  EXPECT_EQ(received.json().at("error").at("type").as_string(), "server_error");
  const Received anthropic = world.post("/v1/messages", kMessages, kVersion + "x-simulate: status=429\r\n");
  EXPECT_EQ(anthropic.json().at("error").at("type").as_string(), "rate_limit_error");
  const Received gemini =
      world.post("/v1beta/models/m:generateContent", kGemini, "x-simulate: status=429; retry-after=3\r\n");
  EXPECT_EQ(gemini.json().at("error").at("details").at(0).at("retryDelay").as_string(), "3s");
  EXPECT_EQ(chat("status=200").status(), 400) << "a fault that is none is said";
}

TEST_F(Fault, ResetAtOnceAndInTheMiddle) {
  const Received at_once = chat("reset");
  EXPECT_TRUE(at_once.reset);
  EXPECT_EQ(at_once.bytes, "");
  const Received stream = chat("reset=after:3", kChatStream);
  EXPECT_TRUE(stream.reset);
  EXPECT_FALSE(stream.complete());
  const Received whole = chat("reset=after:3");
  EXPECT_TRUE(whole.reset);
}

TEST_F(Fault, Hang) {
  const Received never = chat("hang", kChat, 150ms);
  EXPECT_TRUE(never.timed_out);
  EXPECT_EQ(never.bytes, "");
  const Received stops = chat("hang=after:2", kChatStream, 150ms);
  EXPECT_TRUE(stops.timed_out);
  EXPECT_NE(stops.bytes.find("chat.completion.chunk"), std::string::npos);
  EXPECT_FALSE(stops.complete());
}

TEST_F(Fault, CutInTheMiddle) {
  const Received stream = chat("cut=after:3", kChatStream);
  EXPECT_FALSE(stream.reset);
  EXPECT_FALSE(stream.complete());
  size_t contents = 0;
  for (size_t at = 0; (at = stream.bytes.find("\"content\":\"", at)) != std::string::npos; ++at) ++contents;
  EXPECT_EQ(contents, 1 + 3u) << "the opening chunk and three tokens";
  const Received whole = chat("cut=after:3");
  EXPECT_EQ(whole.raw_body().size(), 12u);
  EXPECT_EQ(whole.head().find("content-length: 12\r\n"), std::string::npos);
}

TEST_F(Fault, ErrorEventInTheForm) {
  const Received openai = chat("error-event=after:2", kChatStream);
  EXPECT_TRUE(openai.complete());
  EXPECT_NE(openai.body().find("data: {\"error\":"), std::string::npos);
  EXPECT_EQ(openai.body().find("[DONE]"), std::string::npos);
  const Received anthropic =
      world.post("/v1/messages", kMessagesStream, kVersion + "x-simulate: error-event=after:2; status=529\r\n");
  EXPECT_EQ(anthropic.status(), 200);
  EXPECT_NE(anthropic.body().find("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\""),
            std::string::npos);
  EXPECT_EQ(chat("error-event").status(), 500) << "a whole answer has no events";
}

TEST_F(Fault, GarbageAndGarbageJson) {
  EXPECT_EQ(chat("garbage").bytes.find("HTTP/1.1"), std::string::npos);
  EXPECT_FALSE(chat("garbage").bytes.empty());
  const Received json = chat("garbage-json");
  EXPECT_EQ(json.status(), 200);
  boost::system::error_code failed;
  bj::parse(json.body(), failed);
  EXPECT_TRUE(failed.failed());
  const Received stream = chat("garbage-json=after:1", kChatStream);
  EXPECT_TRUE(stream.complete());
  EXPECT_TRUE(stream.body().ends_with("data: {\"broken\": \n\n"));
}

TEST_F(Fault, DelayDripAndSlowHead) {
  EXPECT_GE(chat("delay=120ms").took, 120ms);
  const Received drip = chat("drip=100:20ms");
  EXPECT_EQ(drip.status(), 200);
  EXPECT_GE(drip.took, 20ms * (drip.body().size() / 100));
  EXPECT_TRUE(drip.json().is_object());
  const Received head = chat("slow-head=20:10ms");
  EXPECT_GE(head.took, 10ms * (head.head().size() / 20));
  EXPECT_TRUE(head.json().is_object());
  const Received stream = chat("slow-head=50:1ms; drip=500:1ms", kChatStream);
  EXPECT_TRUE(stream.bytes.ends_with("data: [DONE]\n\n"));
}

TEST_F(Fault, AnswersBeforeTheBodyHasCome) {
  const Received early = world.send(
      "POST /v1/chat/completions HTTP/1.1\r\nhost: s\r\nx-simulate: early; status=429\r\n"
      "content-length: 100000\r\n\r\n{");
  EXPECT_EQ(early.status(), 429);
  EXPECT_NE(early.head().find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(early.json().is_object());
}

TEST_F(Fault, ClosesAnIdleConnection) {
  const Received closed =
      world.send(World::request("POST", "/v1/chat/completions", kChat, "x-simulate: close-idle=30ms\r\n", false), 5s);
  EXPECT_FALSE(closed.timed_out);
  EXPECT_EQ(closed.status(), 200);
  EXPECT_EQ(closed.head().find("connection: close"), std::string::npos) << "it did not say that it would";
  EXPECT_GE(closed.took, 30ms);
  const Received kept = world.send(World::request("POST", "/v1/chat/completions", kChat, {}, false), 200ms);
  EXPECT_TRUE(kept.timed_out) << "without the fault it stays open";
}

TEST_F(Fault, ChangesTheAnswer) {
  EXPECT_EQ(chat("tokens=3").json().at("usage").at("completion_tokens").to_number<int>(), 3);
  EXPECT_EQ(chat("finish=content_filter").json().at("choices").at(0).at("finish_reason").as_string(), "content_filter");
}

TEST_F(Fault, RulesAreSetListedAndCleared) {
  EXPECT_EQ(world.post("/simulate/faults", "status=500; times=1; model=m\nstatus=502; path=/health").status(), 200);
  EXPECT_EQ(world.get("/health").status(), 502);
  EXPECT_EQ(world.post("/v1/chat/completions", kChat).status(), 500);
  EXPECT_EQ(world.post("/v1/chat/completions", kChat).status(), 200);
  EXPECT_NE(world.get("/simulate/faults").body().find("status=500; times=1; model=m  # 0 left\n"), std::string::npos);
  EXPECT_EQ(world.post("/simulate/faults", "explode").status(), 400);
  EXPECT_EQ(world.post("/simulate/faults", "reset; path=/").status(), 200);
  EXPECT_EQ(world.send(World::request("DELETE", "/simulate/faults", {}, {})).status(), 200) << "rules spare their own";
  EXPECT_EQ(world.get("/simulate/faults").body(), "");
  EXPECT_EQ(world.get("/health").status(), 200);
}

TEST(Simulator, SaysWhichPlaceItCannotHave) {
  World world;
  SimulatorOptions options;
  options.instances.push_back({world.simulator->address(0).to_string(), fast()});
  std::string place;
  EXPECT_FALSE(Simulator::start(world.loop, *world.network, options, &place));
  EXPECT_EQ(place, world.simulator->address(0).to_string());
}

}  // namespace
}  // namespace llmgw::simulator
