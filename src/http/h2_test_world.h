// A server and its clients on one loop, over real sockets or in the simulated world, for the tests of HTTP/2.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "http/pool.h"
#include "http/server.h"
#include "net/network.h"
#include "net/sim/world.h"

namespace llmgw::http {

struct TestHandler final : RequestHandler {
  std::function<net::Task<void>(ServerExchange&)> answer;
  net::Task<void> handle(ServerExchange& exchange) override { return answer(exchange); }
  int malformed = 0;
  std::vector<ConnectionFault> faults;
  void connection_failed(ConnectionFault fault, const base::Error&, const net::Address&) override {
    faults.push_back(fault);
  }
  MalformedAnswer malformed_request(const MalformedRequest& request) override {
    ++malformed;
    return {.body = std::to_string(request.status) + " " + std::string(request.message), .request_id = "malformed-id"};
  }
};

enum class Backend : uint8_t { sockets, simulation };

struct TestWorld {
  static constexpr base::Duration kPatience = std::chrono::seconds(120);  // a test that hangs fails, and does not block

  std::unique_ptr<net::sim::World> simulation;
  std::unique_ptr<net::Loop> real_loop;
  std::unique_ptr<net::Network> real_network;
  net::Loop& loop;
  net::Network& network;
  TestHandler handler;
  std::unique_ptr<Server> server;
  net::Address address;
  net::TaskGroup tasks;

  TestWorld(Backend backend, std::function<net::Task<void>(ServerExchange&)> answer, const ServerOptions& options = {},
            uint64_t seed = 1)
      : simulation(backend == Backend::simulation ? std::make_unique<net::sim::World>(seed) : nullptr),
        real_loop(simulation ? nullptr : std::make_unique<net::Loop>(net::make_epoll_poller(), 1)),
        real_network(simulation ? nullptr : net::make_socket_network(*real_loop)),
        loop(simulation ? simulation->loop() : *real_loop),
        network(simulation ? simulation->network() : *real_network) {
    handler.answer = std::move(answer);
    server = std::make_unique<Server>(loop, handler, options);
    auto listener = std::move(*network.listen(*net::Address::parse("127.0.0.1:0"), {}));
    address = listener->address();
    server->listen(std::move(listener));
  }
  ~TestWorld() { tasks.cancel_all(); }

  // Runs a task to its end.
  template <class F>
  void run(F body) {
    bool done = false;
    tasks.spawn([](F function, bool& finished) -> net::Task<void> {
      co_await function();
      finished = true;
    }(std::move(body), done));
    if (simulation) {
      EXPECT_TRUE(simulation->run_until([&] { return done; }, std::chrono::hours(1))) << simulation->trace();
    } else {
      bool late = false;
      net::TaskGroup watch;
      watch.spawn([](net::Loop& on, bool& flag) -> net::Task<void> {
        (void)co_await net::sleep_for(on, kPatience);
        flag = true;
      }(loop, late));
      loop.run_until([&] { return done || late; });
    }
    EXPECT_TRUE(done) << "the test did not end in time";
    if (!done) tasks.cancel_all();
  }

  net::Task<std::unique_ptr<net::Stream>> connect() {
    auto stream = co_await network.connect(address, {});
    EXPECT_TRUE(stream.has_value());
    co_return stream ? std::move(*stream) : nullptr;
  }

  net::Task<void> pause(base::Duration time) { (void)co_await net::sleep_for(loop, time); }

  // Waits until something holds, for a minute.
  net::Task<bool> until(std::function<bool()> holds) {
    for (int i = 0; i < 6000 && !holds(); ++i) co_await pause(std::chrono::milliseconds(10));
    co_return holds();
  }
};

inline net::Task<void> respond(ServerExchange& exchange, uint16_t status, std::string body) {
  const ResponseStart response{.status = status, .framing = Framing::content_length, .content_length = body.size()};
  EXPECT_TRUE(exchange.start(response).has_value());
  const iovec buffer = net::buffer_of(body);
  (void)co_await exchange.write({&buffer, 1}, true);
}

// "POST /path?query body"
inline net::Task<void> echo(ServerExchange& exchange) {
  constexpr uint64_t kBodyBytesMax = 64 << 20;
  auto body = co_await exchange.read_body(kBodyBytesMax);
  if (!body) co_return;
  std::string answer(exchange.head().method_text);
  answer.append(" ").append(exchange.head().target).append(" ").append(body->data(), body->size());
  co_await respond(exchange, 200, std::move(answer));
}

class BackendTest : public testing::TestWithParam<Backend> {};
inline std::string backend_name(const testing::TestParamInfo<Backend>& info) {
  return info.param == Backend::sockets ? "Sockets" : "Simulation";
}
inline constexpr Backend kBackends[] = {Backend::sockets, Backend::simulation};

}  // namespace llmgw::http
