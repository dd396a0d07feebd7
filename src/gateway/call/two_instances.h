// A gateway of one worker between two instances that say what a test wants them to, in virtual time, so that every
// figure is exact. Tests only.
#pragma once

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

namespace llmgw::gateway::two_instances {

using namespace std::chrono_literals;
using net::Task;

inline constexpr std::string_view kKey = "key-of-the-endings";
inline const net::Address kGateway = *net::Address::parse("10.0.0.1:8080");

// The first instance and the second one of model "m" in every provider's API. `connection`: lines of both.
inline std::shared_ptr<const control::Snapshot> make_snapshot(const std::string& provider, const std::string& route,
                                                              const std::string& connection) {
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
            (name == "first" ? "priority = 1\n" : "priority = 2\n") + connection +
            "[[models]]\nname = \"m\"\nconnection = \"" + name + "\"\n";
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
    tasks_.spawn(world::accept_all(*listener_, tasks_, [this](auto stream) { return serve(std::move(stream)); }));
  }
  ~Instance() { tasks_.cancel_all(); }
  Said said;
  int calls = 0;

 private:
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

class TwoInstances : public testing::Test {
 protected:
  void start(const std::string& provider, const std::string& route, const std::string& connection = "") {
    shared_.registry = &registry_;
    for (const char* address : {"10.0.1.1:80", "10.0.2.1:80"}) {
      instances_.push_back(std::make_unique<Instance>(world_, *net::Address::parse(address)));
    }
    const auto connect = [this](const control::Connection& to, net::Wait wait) {
      const auto& endpoint = to.upstream.endpoint;
      return world_.network().connect(*net::Address::from_ip(endpoint.host, endpoint.port), wait);
    };
    const auto fetch = [this](std::string, FetchLimits, net::Cancellation*) -> Task<base::Result<FetchedMedia>> {
      (void)co_await net::sleep_for(world_.loop(), fetching_takes_);
      co_return FetchedMedia{.bytes = "\x89PNG\r\n\x1a\n", .media_type = "image/png"};
    };
    worker_ = std::make_unique<Worker>(world_.loop(), shared_, log_, make_snapshot(provider, route, connection),
                                       connect, ProxyOf{}, fetch);
    worker_->server().listen(std::move(*world_.network().listen(kGateway, {})));
  }
  ~TwoInstances() override {
    clients_.cancel_all();
    worker_.reset();
    instances_.clear();
  }

  // `headers`: whole lines.
  static std::string request(std::string_view path, std::string_view body, std::string_view headers = "") {
    return "POST " + std::string(path) + " HTTP/1.1\r\nhost: g\r\nconnection: close\r\nauthorization: Bearer " +
           std::string(kKey) + "\r\n" + std::string(headers) + "content-length: " + std::to_string(body.size()) +
           "\r\n\r\n" + std::string(body);
  }
  static std::string chat_body(bool stream) {
    return std::string(R"({"model":"m","max_tokens":9,"stream":)") + (stream ? "true" : "false") +
           R"(,"messages":[{"role":"user","content":"x"}]})";
  }

  // All that comes back, chunks and head.
  std::string ask(std::string_view path, bool stream, std::string_view headers = "") {
    return exchange(request(path, chat_body(stream), headers));
  }
  std::string exchange(std::string asked) {
    const Asked* const call = begin(std::move(asked));
    EXPECT_TRUE(world_.run_until([call] { return call->over; }));
    return call->received;
  }

  // A call that others are made beside.
  struct Asked {
    std::string received;
    bool over = false;
  };
  const Asked* begin(std::string asked) {
    Asked* const call = asked_.emplace_back(std::make_unique<Asked>()).get();
    clients_.spawn([](net::sim::World& world, std::string text, Asked& own) -> Task<void> {
      auto stream = co_await world.network().connect(kGateway, {});
      if (stream) (void)co_await net::write_all(**stream, text, {});
      while (stream) {
        char buffer[4096];
        auto count = co_await net::read_some(**stream, buffer, {});
        if (!count || *count == 0) break;
        own.received.append(buffer, *count);
      }
      own.over = true;
    }(world_, std::move(asked), *call));
    return call;
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
  base::Duration fetching_takes_{0};  // media by URL
  std::vector<std::unique_ptr<Asked>> asked_;
  net::TaskGroup clients_;
};

}  // namespace llmgw::gateway::two_instances
