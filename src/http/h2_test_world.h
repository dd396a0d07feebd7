// A server and its clients on one loop over real sockets, for the tests of HTTP/2.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "http/pool.h"
#include "http/server.h"
#include "net/network.h"

namespace llmgw::http {

struct TestHandler final : RequestHandler {
  std::function<net::Task<void>(ServerExchange&)> answer;
  net::Task<void> handle(ServerExchange& exchange) override { return answer(exchange); }
  std::string malformed_request(uint16_t status, std::string_view message) override {
    return std::to_string(status) + " " + std::string(message);
  }
};

struct TestWorld {
  static constexpr base::Duration kPatience = std::chrono::seconds(30);  // a test that hangs fails, and does not block

  net::Loop loop{net::make_epoll_poller(), 1};
  std::unique_ptr<net::Network> network = net::make_socket_network(loop);
  TestHandler handler;
  std::unique_ptr<Server> server;
  net::Address address;
  net::TaskGroup tasks;

  explicit TestWorld(std::function<net::Task<void>(ServerExchange&)> answer, const ServerOptions& options = {}) {
    handler.answer = std::move(answer);
    server = std::make_unique<Server>(loop, handler, options);
    auto listener = std::move(*network->listen(*net::Address::parse("127.0.0.1:0"), {}));
    address = listener->address();
    server->listen(std::move(listener));
  }
  ~TestWorld() { tasks.cancel_all(); }

  // Runs a task to its end.
  template <class F>
  void run(F body) {
    bool done = false;
    bool late = false;
    net::TaskGroup watch;
    watch.spawn([](net::Loop& on, bool& flag) -> net::Task<void> {
      (void)co_await net::sleep_for(on, kPatience);
      flag = true;
    }(loop, late));
    tasks.spawn([](F function, bool& finished) -> net::Task<void> {
      co_await function();
      finished = true;
    }(std::move(body), done));
    loop.run_until([&] { return done || late; });
    EXPECT_FALSE(late) << "the test did not end in time";
    if (late) tasks.cancel_all();
  }

  net::Task<std::unique_ptr<net::Stream>> connect() {
    auto stream = co_await network->connect(address, {});
    EXPECT_TRUE(stream.has_value());
    co_return stream ? std::move(*stream) : nullptr;
  }

  // Waits until something holds, for a few seconds.
  net::Task<bool> until(std::function<bool()> holds) {
    for (int i = 0; i < 500; ++i) {
      if (holds()) co_return true;
      (void)co_await net::sleep_for(loop, std::chrono::milliseconds(10));
    }
    co_return holds();
  }
};

inline net::Task<void> respond(ServerExchange& exchange, uint16_t status, std::string body) {
  const ResponseStart response{.status = status, .framing = Framing::content_length, .content_length = body.size()};
  EXPECT_TRUE(exchange.start(response).has_value());
  const iovec buffer = net::buffer_of(body);
  (void)co_await exchange.write({&buffer, 1}, true);
}

}  // namespace llmgw::http
