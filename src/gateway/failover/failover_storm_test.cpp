// Storms in virtual time: a group of instances that fail in every way by a seed, clients that ask, leave and compare,
// reloads meanwhile; with streams kept back, continued, hedged and mirrored. Whatever happens, nothing is left in
// flight by the account that routing reads.
//   LLMGW_SIM_SEEDS=5000 gateway_test --gtest_filter='Storm.*'   more seeds
//   LLMGW_SIM_SEED=4711 ...                                      one seed
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "control/config_loader.h"
#include "control/test_support.h"
#include "gateway/worker.h"
#include "gateway/world_upstream.h"
#include "net/io.h"
#include "net/sim/world.h"

namespace llmgw::gateway {
namespace {

using namespace std::chrono_literals;
using base::Duration;
using net::Task;

constexpr size_t kInstances = 5;
constexpr uint64_t kSeedsByDefault = 150;  // of each kind: a few seconds with sanitizers
constexpr std::string_view kKey = "key-of-the-storm";
const net::Address kGateway = *net::Address::parse("10.0.0.1:8080");

enum class Plan : uint8_t { held, continued, hedged, mirrored, narrow };
constexpr size_t kPlans = 5;

std::shared_ptr<const control::Snapshot> make_snapshot(uint64_t version, Plan plan) {
  std::string text = R"([server]
listen = "127.0.0.1:0"
[metrics]
[upstream]
connect_timeout = "500ms"
first_byte_timeout = "2s"
idle_timeout = "2s"
[[keys]]
name = "everybody"
key = ")" + std::string(kKey) +
                     "\"\n";
  for (size_t i = 0; i < kInstances; ++i) {
    const std::string name = "i" + std::to_string(i);
    text += "[[connections]]\nname = \"" + name + "\"\nprovider = \"vllm\"\nendpoint = \"http://10.0.1." +
            std::to_string(i + 1) + ":80/v1\"\napi_key = \"k\"\n[[models]]\nname = \"m\"\nconnection = \"" + name +
            "\"\n";
    if (i == 0) text += "[[models]]\nname = \"shadow\"\nconnection = \"i0\"\n";
  }
  text += "[[routes]]\nmodels = [\"m\"]\nattempts = 20\nout_time = \"1s\"\nramp_time = \"1s\"\n";
  switch (plan) {
    case Plan::held: text += "hold_back = 100000\n"; break;
    case Plan::continued: text += "hold_back = 1\ncontinuation = true\n"; break;
    case Plan::hedged: text += "hold_back = 100000\nhedge = \"100ms\"\n"; break;
    // Everybody has to wait, and is hedged where somebody else is free.
    case Plan::narrow: text += "hold_back = 100000\nhedge = \"100ms\"\nmax_in_flight = 1\nqueue = \"fair\"\n"; break;
    case Plan::mirrored: text += "hold_back = 100000\nmirror = \"shadow\"\n"; break;
  }
  const auto config = control::load_config(text, control::TestWorld().environment());
  EXPECT_TRUE(config) << control::format_errors(config.error(), "storm.toml");
  auto built = control::build_snapshot(*config, {.version = version, .hash_key = {}, .created_default = 0});
  EXPECT_TRUE(built);
  return *built;
}

// What a healthy instance says to that prompt: words that tell where they stand.
std::vector<std::string> words_for(std::string_view canary) {
  std::vector<std::string> words;
  const size_t count = 3 + std::hash<std::string_view>{}(canary) % 12;
  for (size_t i = 0; i < count; ++i) words.push_back(std::string(canary) + "-" + std::to_string(i) + " ");
  return words;
}
std::string text_for(std::string_view canary) {
  std::string text;
  for (const std::string& word : words_for(canary)) text += word;
  return text;
}

std::string between(std::string_view text, std::string_view before, std::string_view after) {
  const size_t at = text.rfind(before);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = text.substr(at + before.size());
  return std::string(rest.substr(0, rest.find(after)));
}

std::string event(std::string_view delta, std::string_view finish) {
  return "data: "
         "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
         "\"delta\":" +
         std::string(delta) + ",\"finish_reason\":" + std::string(finish) + "}]}\n\n";
}

// One instance: what it does with a request is drawn by `ill`.
class Instance {
 public:
  Instance(net::sim::World& world, size_t number)
      : world_(world), listener_(std::move(*world.network().listen(address(number), {}))) {
    tasks_.spawn(world::accept_all(*listener_, tasks_, [this](auto stream) { return serve(std::move(stream)); }));
  }
  ~Instance() { tasks_.cancel_all(); }
  static net::Address address(size_t number) {
    return *net::Address::parse("10.0.1." + std::to_string(number + 1) + ":80");
  }
  double ill = 0;  // the share of requests that go wrong

 private:
  enum class Ailment : uint8_t { none, reset, hang, status_500, status_429, cut, stall, error_event, garbage, slow };

  Task<void> serve(std::unique_ptr<net::Stream> stream) {
    world::WholeRequest request;
    if (!co_await world::read_request(*stream, request)) co_return;
    const auto ailment = world_.rng().chance(ill) ? static_cast<Ailment>(1 + world_.rng().below(9)) : Ailment::none;
    if (!request.head.upgrade.empty()) co_return co_await talk(*stream, ailment);
    co_await answer(*stream, std::string(request.body()), ailment);
  }

  // A WebSocket, as far as the gateway looks at one: bytes both ways.
  Task<void> talk(net::Stream& stream, Ailment ailment) {
    switch (ailment) {
      case Ailment::reset: stream.reset_on_close(); co_return;
      case Ailment::hang: (void)co_await net::sleep_for(world_.loop(), 1min); co_return;
      case Ailment::status_500: co_return co_await send(stream, refusal("500 x", ""));
      case Ailment::status_429: co_return co_await send(stream, refusal("429 x", "retry-after: 1\r\n"));
      case Ailment::garbage: co_return co_await send(stream, "BOGUS\x01\r\n\r\n");
      default: break;
    }
    co_await send(stream, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    const base::Instant end = ailment == Ailment::none
                                  ? base::kNever
                                  : world_.loop().now() + std::chrono::milliseconds(world_.rng().below(300));
    for (;;) {
      char buffer[256];
      auto count = co_await net::read_some(stream, buffer, {.deadline = end});
      if (!count || *count == 0) co_return;
      co_await send(stream, std::string(buffer, *count));
    }
  }

  Task<void> send(net::Stream& stream, std::string text) {
    (void)co_await net::write_all(stream, text, {.deadline = world_.loop().now() + 10s});
  }

  Task<void> answer(net::Stream& stream, std::string body, Ailment ailment) {
    net::Loop& loop = world_.loop();
    (void)co_await net::sleep_for(loop, std::chrono::milliseconds(world_.rng().below(40)));
    switch (ailment) {
      case Ailment::reset: stream.reset_on_close(); co_return;
      case Ailment::hang: (void)co_await net::sleep_for(loop, 1min); co_return;
      case Ailment::status_500: co_return co_await send(stream, refusal("500 x", ""));
      case Ailment::status_429: co_return co_await send(stream, refusal("429 x", "retry-after: 1\r\n"));
      case Ailment::garbage: co_return co_await send(stream, "BOGUS\x01\r\n\r\n");
      case Ailment::slow: (void)co_await net::sleep_for(loop, 600ms); break;
      default: break;
    }
    const std::string canary = between(body, "canary:", "\"");
    std::string rest = text_for(canary);
    const std::string begun = between(body, R"("role":"assistant","content":")", "\"");
    if (body.find("continue_final_message") != std::string::npos) {
      EXPECT_TRUE(rest.starts_with(begun)) << begun << " | " << rest;
      rest.erase(0, begun.size());
    }
    const bool streams = body.find("\"stream\":true") != std::string::npos;
    co_return streams ? co_await send_stream(stream, rest, ailment) : co_await send_document(stream, rest, ailment);
  }

  static std::string refusal(std::string_view status, std::string_view headers) {
    return "HTTP/1.1 " + std::string(status) + "\r\nconnection: close\r\ncontent-type: application/json\r\n" +
           std::string(headers) + "content-length: 33\r\n\r\n{\"error\":{\"message\":\"not today\"}}";
  }

  Task<void> send_document(net::Stream& stream, std::string_view text, Ailment ailment) {
    const std::string body =
        R"({"id":"c1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":")" +
        std::string(text) + R"("},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":5}})";
    std::string out = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: " +
                      std::to_string(body.size()) + "\r\n\r\n";
    const bool breaks = ailment >= Ailment::cut && ailment != Ailment::slow;
    out += std::string_view(body).substr(0, breaks ? world_.rng().below(body.size()) : body.size());
    co_await send(stream, out);
    if (ailment == Ailment::stall) (void)co_await net::sleep_for(world_.loop(), 1min);
  }

  Task<void> send_stream(net::Stream& stream, std::string text, Ailment ailment) {
    co_await send(stream,
                  "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n"
                  "transfer-encoding: chunked\r\n\r\n");
    std::vector<std::string> events{event(R"({"role":"assistant","content":""})", "null")};
    for (size_t at = 0; at < text.size();) {
      const size_t size = std::min(text.size() - at, 1 + world_.rng().below(9));
      events.push_back(event(R"({"content":")" + text.substr(at, size) + "\"}", "null"));
      at += size;
    }
    events.push_back(event("{}", "\"stop\""));
    events.emplace_back("data: [DONE]\n\n");
    const size_t end =
        ailment >= Ailment::cut && ailment != Ailment::slow ? world_.rng().below(events.size() - 2) : events.size();
    for (size_t i = 0; i < end; ++i) {
      co_await send(stream, chunk(events[i]));
      if (world_.rng().chance(0.3)) {
        (void)co_await net::sleep_for(world_.loop(), std::chrono::milliseconds(world_.rng().below(30)));
      }
    }
    if (end == events.size()) co_return co_await send(stream, "0\r\n\r\n");
    if (ailment == Ailment::stall) (void)co_await net::sleep_for(world_.loop(), 1min);
    if (ailment == Ailment::error_event) {
      co_await send(stream, chunk("data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n") + "0\r\n\r\n");
    }
    if (ailment == Ailment::cut) co_await send(stream, chunk(events[end].substr(0, events[end].size() / 2)));
  }

  static std::string chunk(std::string_view text) {
    char length[20];
    std::snprintf(length, sizeof length, "%zx\r\n", text.size());
    return length + std::string(text) + "\r\n";
  }

  net::sim::World& world_;
  std::unique_ptr<net::Listener> listener_;
  net::TaskGroup tasks_;
};

struct Figures {
  uint64_t calls = 0;
  uint64_t whole = 0;
  uint64_t sockets = 0;
  uint64_t told = 0;  // broken after the first byte, with an error event
};

class Storm {
 public:
  Storm(uint64_t seed, Plan plan) : world_(seed), plan_(plan), seed_(seed), log_(control_, operational_, access_) {
    shared_.registry = &registry_;
    for (size_t i = 0; i < kInstances; ++i) {
      instances_.push_back(std::make_unique<Instance>(world_, i));
      // One is always well.
      if (i != seed % kInstances && world_.rng().chance(0.6)) instances_[i]->ill = world_.rng().uniform();
    }
    worker_ = std::make_unique<Worker>(
        world_.loop(), shared_, log_, snapshot(0), [this](const control::Connection& connection, net::Wait wait) {
          const auto& endpoint = connection.upstream.endpoint;
          return world_.network().connect(*net::Address::from_ip(endpoint.host, endpoint.port), wait);
        });
    worker_->server().listen(std::move(*world_.network().listen(kGateway, {})));
  }

  void run(Figures& figures) {
    figures_ = &figures;
    for (size_t i = 0; i < 12; ++i) clients_.spawn(client(i));
    helpers_.spawn(reload());
    EXPECT_TRUE(world_.run_until([this] { return clients_.active() == 0; })) << "somebody waits for ever";
    helpers_.cancel_all();
    world_.run_for(3min);  // mirrored calls end, idle connections are closed
    EXPECT_EQ(worker_->in_flight(), 0u);
    EXPECT_EQ(shared_.routing.instances.requests_in_flight(), 0);
    EXPECT_EQ(shared_.routing.instances.tokens_in_flight(), 0);
    EXPECT_EQ(worker_->generations(), 1u);
    EXPECT_EQ(worker_->upstream_connections(), 0u);
    worker_.reset();
    instances_.clear();
    EXPECT_EQ(world_.network().open_streams(), 0u);
  }

 private:
  const std::shared_ptr<const control::Snapshot>& snapshot(size_t index) const {
    static std::shared_ptr<const control::Snapshot> all[kPlans][2];
    auto& own = all[static_cast<size_t>(plan_)][index % 2];
    if (own == nullptr) own = make_snapshot(index % 2 + 1, plan_);
    return own;
  }

  Task<void> reload() {
    for (size_t i = 1; i <= 3; ++i) {
      (void)co_await net::sleep_for(world_.loop(), std::chrono::milliseconds(world_.rng().below(800)));
      worker_->adopt(snapshot(i));
    }
  }

  Task<void> client(size_t number) {
    (void)co_await net::sleep_for(world_.loop(), std::chrono::milliseconds(world_.rng().below(1500)));
    const std::string canary = "c" + std::to_string(seed_) + "x" + std::to_string(number);
    if (world_.rng().chance(0.15)) co_return co_await talk(canary);
    const bool streams = world_.rng().chance(0.7);
    const bool leaves = world_.rng().chance(0.15);
    auto stream = co_await world_.network().connect(kGateway, {});
    if (!stream) co_return;
    const std::string body = R"({"model":"m","stream":)" + std::string(streams ? "true" : "false") +
                             R"(,"messages":[{"role":"user","content":"canary:)" + canary + "\"}]}";
    const std::string request =
        "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nconnection: close\r\nauthorization: Bearer " +
        std::string(kKey) + "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    (void)co_await net::write_all(**stream, request, {});
    std::string received;
    const base::Instant patience =
        leaves ? world_.loop().now() + std::chrono::milliseconds(world_.rng().below(900)) : base::kNever;
    for (;;) {
      char buffer[4096];
      auto count = co_await net::read_some(**stream, buffer, {.deadline = patience});
      if (!count || *count == 0) break;
      received.append(buffer, *count);
    }
    if (world_.loop().now() >= patience) co_return;
    judge(canary, streams, received);
  }

  // It is let in whoever is ill, and hears what it says for as long as the instance is well.
  Task<void> talk(std::string canary) {
    auto stream = co_await world_.network().connect(kGateway, {});
    if (!stream) co_return;
    const std::string request =
        "GET /v1/realtime?model=m HTTP/1.1\r\nhost: g\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nauthorization: Bearer " +
        std::string(kKey) + "\r\n\r\n";
    (void)co_await net::write_all(**stream, request, {});
    ++figures_->sockets;
    const base::Instant end = world_.loop().now() + std::chrono::milliseconds(world_.rng().below(900));
    const bool stays = world_.rng().chance(0.7);
    std::string received;
    bool said = false;
    for (;;) {
      char buffer[4096];
      auto count = co_await net::read_some(**stream, buffer, {.deadline = stays && !said ? base::kNever : end});
      if (!count || *count == 0) break;
      received.append(buffer, *count);
      if (!said && received.find("\r\n\r\n") != std::string::npos) {
        said = true;
        (void)co_await net::write_all(**stream, canary, {});
      }
    }
    if (!stays) co_return;
    EXPECT_TRUE(received.starts_with("HTTP/1.1 101")) << canary << received.substr(0, 400);
    const std::string_view heard = std::string_view(received).substr(received.find("\r\n\r\n") + 4);
    EXPECT_TRUE(canary.starts_with(heard)) << heard;
  }

  void judge(const std::string& canary, bool streams, const std::string& received) {
    ++figures_->calls;
    EXPECT_TRUE(received.starts_with("HTTP/1.1 200")) << canary << received.substr(0, 400);
    std::string text;
    constexpr std::string_view kContent = R"("content":")";
    for (size_t at = received.find(kContent); at != std::string::npos; at = received.find(kContent, at + 1)) {
      const size_t start = at + kContent.size();
      text += received.substr(start, received.find('"', start) - start);
    }
    const std::string whole = text_for(canary);
    const bool ended = !streams || received.find("[DONE]") != std::string::npos;
    const bool told = received.find("\"error\"") != std::string::npos;
    if (text == whole && ended && !told) {
      ++figures_->whole;
    } else {
      // After the first byte, where nobody can go on, the client is told, and has the beginning of the text once.
      EXPECT_TRUE(plan_ == Plan::continued && told) << canary << " has " << text << " of " << whole << "\n" << received;
      EXPECT_TRUE(whole.starts_with(text)) << text << " | " << whole;
      ++figures_->told;
    }
  }

  net::sim::World world_;
  Plan plan_;
  uint64_t seed_;
  telemetry::Registry registry_;
  telemetry::LogControl control_;
  telemetry::ByteRing operational_{64 * 1024};
  telemetry::ByteRing access_{64 * 1024};
  telemetry::Log log_;
  SharedState shared_;
  std::vector<std::unique_ptr<Instance>> instances_;
  std::unique_ptr<Worker> worker_;
  Figures* figures_ = nullptr;
  net::TaskGroup helpers_;
  net::TaskGroup clients_;
};

uint64_t number_from(const char* variable, uint64_t fallback) {
  const char* text = std::getenv(variable);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

Figures run_seeds(Plan plan) {
  Figures figures;
  const uint64_t one = number_from("LLMGW_SIM_SEED", UINT64_MAX);
  const uint64_t first = one == UINT64_MAX ? 0 : one;
  const uint64_t end = one == UINT64_MAX ? number_from("LLMGW_SIM_SEEDS", kSeedsByDefault) : one + 1;
  for (uint64_t seed = first; seed < end && !testing::Test::HasFailure(); ++seed) {
    Storm(seed, plan).run(figures);
    if (testing::Test::HasFailure()) ADD_FAILURE() << "again: LLMGW_SIM_SEED=" << seed;
  }
  return figures;
}

TEST(Storm, WhatIsKeptBackIsWholeAndOnce) {
  const Figures figures = run_seeds(Plan::held);
  EXPECT_EQ(figures.whole, figures.calls);
  EXPECT_GT(figures.sockets, 0u);
}

TEST(Storm, WhatHasGoneOutIsFinishedByOthers) {
  const Figures figures = run_seeds(Plan::continued);
  // One that is well is left, but a call gives up when its attempts are used.
  EXPECT_GE(double(figures.whole), 0.99 * double(figures.calls)) << figures.told;
}

TEST(Storm, HedgesLeaveNothingBehind) {
  const Figures figures = run_seeds(Plan::hedged);
  EXPECT_EQ(figures.whole, figures.calls);
}

TEST(Storm, HedgesOfThoseThatWaitLeaveNothingBehind) {
  const Figures figures = run_seeds(Plan::narrow);
  EXPECT_EQ(figures.whole, figures.calls);
}

TEST(Storm, MirrorsAreNotNoticed) {
  const Figures figures = run_seeds(Plan::mirrored);
  EXPECT_EQ(figures.whole, figures.calls);
}

}  // namespace
}  // namespace llmgw::gateway
