// HTTP/1.1 in the simulated world, for tests that read like a conversation: a peer says bytes, time passes, and what
// came back is looked at.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "http/server.h"
#include "net/sim/world.h"

namespace llmgw::http {

// One end of a connection, spoken by the test itself.
class Peer {
 public:
  Peer(net::sim::World& world, std::unique_ptr<net::Stream> stream) : world_(world), stream_(std::move(stream)) {}

  // Says all of it, letting time pass while the other side does not read.
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const iovec buffer = net::buffer_of(bytes);
      const net::IoResult result = stream_->try_write({&buffer, 1});
      if (result.status == net::IoStatus::error) {
        failed_ = true;
        return;
      }
      bytes.remove_prefix(result.bytes);
      if (result.bytes > 0) continue;
      if (++stalls_ > kStallsMax) return;
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
  bool failed() const { return failed_; }  // send() met a reset
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
  int stalls_ = 0;
  bool ended_ = false;
  bool reset_ = false;
  bool failed_ = false;
};

struct SimHandler final : RequestHandler {
  std::function<net::Task<void>(ServerExchange&)> answer;
  net::Task<void> handle(ServerExchange& exchange) override { return answer(exchange); }
  std::string malformed_request(uint16_t status, std::string_view) override {
    return "malformed " + std::to_string(status);
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

}  // namespace llmgw::http
