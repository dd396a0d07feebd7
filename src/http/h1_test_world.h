// HTTP/1.1 in the simulated world, for tests that read like a conversation: a peer says bytes, time passes, and what
// came back is looked at.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "http/pool.h"
#include "http/server.h"
#include "net/io.h"
#include "net/sim/world.h"

namespace llmgw::http {

// One end of a connection, spoken by the test itself.
class Peer {
 public:
  Peer(net::sim::World& world, std::unique_ptr<net::Stream> stream) : world_(world), stream_(std::move(stream)) {}

  // Says all of it, letting time pass while the other side does not read.
  void send(std::string_view bytes) {
    int stalls = 0;
    while (!bytes.empty()) {
      const iovec buffer = net::buffer_of(bytes);
      const net::IoResult result = stream_->try_write({&buffer, 1});
      if (result.status == net::IoStatus::error) {
        failed_ = true;
        return;
      }
      bytes.remove_prefix(result.bytes);
      if (result.bytes > 0) continue;
      if (++stalls > kStallsMax) {
        failed_ = true;
        return;
      }
      inbox_ += receive_now();
      world_.run_for(std::chrono::milliseconds(1));
    }
  }
  // One byte a tick.
  void drip(std::string_view bytes) {
    for (const char& byte : bytes) {
      send({&byte, 1});
      world_.run_for(std::chrono::milliseconds(1));
    }
  }
  // What has come since the last call, after `time` has passed.
  std::string receive(base::Duration time = std::chrono::milliseconds(10)) {
    world_.run_for(time);
    std::string text = std::exchange(inbox_, {});
    return text += receive_now();
  }
  void shutdown_write() { stream_->shutdown_write(); }
  void close() { stream_.reset(); }
  void reset() {
    stream_->reset_on_close();
    stream_.reset();
  }
  bool ended() const { return ended_; }  // receive() met an orderly end
  bool was_reset() const { return reset_; }
  bool failed() const { return failed_; }  // send() met a reset, or nobody read
  bool gone() const { return stream_->readiness().hangup; }

 private:
  std::string receive_now() {
    std::string text;
    char buffer[4096];
    for (;;) {
      const net::IoResult result = stream_->try_read(buffer);
      if (result.status == net::IoStatus::ok) {
        text.append(buffer, result.bytes);
        world_.run_for(std::chrono::milliseconds(1));
        continue;
      }
      ended_ |= result.status == net::IoStatus::eof;
      reset_ |= result.status == net::IoStatus::error;
      return text;
    }
  }

  static constexpr int kStallsMax = 10'000;
  net::sim::World& world_;
  std::unique_ptr<net::Stream> stream_;
  std::string inbox_;  // came while send() waited
  bool ended_ = false;
  bool reset_ = false;
  bool failed_ = false;
};

struct SimHandler final : RequestHandler {
  std::function<net::Task<void>(ServerExchange&)> answer;
  net::Task<void> handle(ServerExchange& exchange) override { return answer(exchange); }
  MalformedAnswer malformed_request(const MalformedRequest& request) override {
    return {.body = "malformed " + std::to_string(request.status), .request_id = "malformed-id"};
  }
};

// A server whose clients are Peers.
struct SimServer {
  net::sim::World world;
  SimHandler handler;
  std::unique_ptr<Server> server;

  explicit SimServer(std::function<net::Task<void>(ServerExchange&)> answer, const ServerOptions& options = {},
                     uint64_t seed = 1)
      : world(seed) {
    handler.answer = std::move(answer);
    server = std::make_unique<Server>(world.loop(), handler, options);
  }
  Peer connect(const net::sim::Faults& faults = {}) {
    auto [client, accepted] = world.network().pair(faults);
    server->serve(std::move(accepted), nullptr);
    return Peer(world, std::move(client));
  }
};

// What became of one request of a pool.
struct Fetch {
  bool done = false;
  std::optional<base::Error> error;
  bool in_head = false;  // where the error was: before the head was there
  bool reused = false;
  bool received_any = false;
  bool may_repeat = false;  // of a failure before the head
  uint16_t status = 0;
  std::string headers;  // "name: value" lines
  std::string body;
  std::string trailers;
};

// A pool whose servers are Peers.
struct SimUpstream {
  net::sim::World world;
  net::sim::Faults faults;
  std::vector<std::unique_ptr<Peer>> peers;  // by the order of their connections
  std::optional<base::ErrorCode> connect_error;
  base::Duration connect_time{0};
  std::unique_ptr<Pool> pool;
  net::TaskGroup tasks;

  explicit SimUpstream(const PoolOptions& options = {}, uint64_t seed = 1) : world(seed) {
    pool = std::make_unique<Pool>(world.loop(), [this](net::Wait wait) { return connect(wait); }, options);
  }
  ~SimUpstream() { tasks.cancel_all(); }

  net::Task<base::Result<std::unique_ptr<net::Stream>>> connect(net::Wait wait) {
    if (connect_time.count() > 0) {
      const base::Instant ready = world.loop().now() + connect_time;
      CO_TRY_VOID(co_await net::sleep_until(world.loop(), std::min(ready, wait.deadline), wait.cancellation));
      if (ready > world.loop().now()) co_return base::fail(base::ErrorCode::deadline_exceeded, "connect");
    }
    if (connect_error) co_return base::fail(*connect_error, "connect");
    auto [client, server] = world.network().pair(faults);
    peers.push_back(std::make_unique<Peer>(world, std::move(server)));
    co_return std::move(client);
  }

  // Starts a request; `fetch` says what became of it.
  void start(Fetch& fetch, std::string_view method, std::string_view target, std::string_view body = {},
             net::Wait wait = {}, bool fresh = false) {
    tasks.spawn(run(fetch, method, target, body, wait, fresh));
  }

 private:
  net::Task<void> run(Fetch& fetch, std::string_view method, std::string_view target, std::string_view body,
                      net::Wait wait, bool fresh) {
    fetch.in_head = true;
    auto result = co_await request(fetch, method, target, body, wait, fresh);
    if (!result) fetch.error = result.error();
    fetch.done = true;
  }
  net::Task<base::Result<void>> request(Fetch& fetch, std::string_view method, std::string_view target,
                                        std::string_view body, net::Wait wait, bool fresh) {
    CO_TRY(exchange, co_await pool->acquire(fresh, wait));
    fetch.reused = exchange->reused();
    const iovec buffer = net::buffer_of(body);
    const RequestStart start{.method = method,
                             .target = target,
                             .authority = "up",
                             .headers = nullptr,
                             .body = {&buffer, body.empty() ? size_t{0} : size_t{1}},
                             .upgrade = {}};
    auto sent = co_await exchange->send(start, wait);
    fetch.received_any = exchange->received_any();
    if (!sent) fetch.may_repeat = exchange->may_repeat();
    if (!sent) co_return sent;
    auto head = co_await exchange->read_head(wait);
    fetch.received_any = exchange->received_any();
    if (!head) fetch.may_repeat = exchange->may_repeat();
    if (!head) co_return base::fail(head.error());
    fetch.in_head = false;
    fetch.status = (*head)->status;
    note(fetch.headers, (*head)->headers);
    for (;;) {
      CO_TRY(bytes, co_await exchange->read_body(wait));
      fetch.body.append(bytes.data.data(), bytes.data.size());
      if (bytes.done) break;
    }
    note(fetch.trailers, exchange->trailers());
    co_return base::Result<void>{};
  }
  static void note(std::string& out, const Headers& headers) {
    for (const Header& header : headers) out.append(header.name).append(": ").append(header.value).append("\n");
  }
};

}  // namespace llmgw::http
