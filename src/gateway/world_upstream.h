// An upstream of the simulated world: answers each request as its script says, and checks what reaches it.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "gateway/world_script.h"
#include "http/body_framing.h"
#include "http/h1_parser.h"
#include "net/io.h"
#include "net/sim/world.h"

namespace llmgw::gateway::world {

// A whole request, as the only one of its connection. The head's views are into `bytes`.
struct WholeRequest {
  std::string bytes;
  http::RequestHead head;
  size_t body_at = 0;

  std::string_view body() const { return std::string_view(bytes).substr(body_at); }
};

// False: the connection ended before the request did.
inline net::Task<bool> read_request(net::Stream& stream, WholeRequest& request) {
  for (;;) {
    const auto parsed = http::parse_request_head(request.bytes, {}, request.head);
    if (parsed.status == http::ParseStatus::complete) request.body_at = parsed.consumed;
    if (request.body_at != 0 && request.bytes.size() >= request.body_at + request.head.content_length) co_return true;
    auto bytes = co_await net::read_scratch(stream, {});
    if (!bytes || bytes->empty()) co_return false;
    request.bytes.append(bytes->data(), bytes->size());
  }
}

// Each connection has a task of its own: serve(stream).
net::Task<void> accept_all(net::Listener& listener, net::TaskGroup& tasks, auto serve) {
  for (;;) {
    auto stream = co_await net::accept(listener, {});
    if (stream) tasks.spawn(serve(std::move(*stream)));
  }
}

class Upstream {
 public:
  Upstream(net::sim::World& world, Script& script, const net::Address& address)
      : world_(world), script_(script), listener_(std::move(*world.network().listen(address, {}))) {
    tasks_.spawn(accept_all(*listener_, tasks_, [this](auto stream) { return serve(std::move(stream)); }));
  }
  ~Upstream() { tasks_.cancel_all(); }
  // Connections being served.
  size_t open() const { return tasks_.active() - 1; }

 private:
  struct Connection {
    std::unique_ptr<net::Stream> stream;
    std::string received;
    net::Cancellation left;

    explicit Connection(std::unique_ptr<net::Stream> accepted) : stream(std::move(accepted)) {
      stream->readiness().on_hangup = &left;
      if (stream->readiness().hangup) left.cancel();
    }
    ~Connection() { stream->readiness().on_hangup = nullptr; }
  };

  net::Task<void> serve(std::unique_ptr<net::Stream> stream) {
    Connection connection(std::move(stream));
    while (co_await serve_one(connection)) {
    }
  }

  net::Task<bool> more(Connection& connection) {
    auto bytes = co_await net::read_scratch(*connection.stream, {});
    if (!bytes || bytes->empty()) co_return false;
    connection.received.append(bytes->data(), bytes->size());
    EXPECT_EQ(connection.received.find(kClientKey), std::string::npos) << "a client's key reached an upstream";
    co_return true;
  }

  // True while the connection can carry another request.
  net::Task<bool> serve_one(Connection& connection) {
    http::RequestHead head;
    http::ParseResult parsed;
    for (;;) {
      if (!connection.received.empty()) {
        parsed = http::parse_request_head(connection.received, {}, head);
        EXPECT_NE(parsed.status, http::ParseStatus::error) << http::describe(parsed.error);
        if (parsed.status == http::ParseStatus::error) co_return false;
        if (parsed.status == http::ParseStatus::complete) break;
      }
      if (!co_await more(connection)) co_return false;
    }
    Request* request = script_.find(head.headers.value("x-canary"));
    EXPECT_NE(request, nullptr) << "a request nobody made";
    if (request == nullptr) co_return false;
    EXPECT_EQ(head.target, request->upstream_target);
    EXPECT_NE(connection.received.find(kUpstreamKey), std::string::npos) << "without the upstream's credential";
    EXPECT_EQ(head.framing, http::Framing::content_length);
    const size_t length = head.content_length;
    EXPECT_EQ(length, request->upstream_body.size());
    connection.received.erase(0, parsed.consumed);
    if (request->mischief == Mischief::refuse_early) co_return co_await refuse_early(connection, *request);
    while (connection.received.size() < length) {
      if (!co_await more(connection)) co_return false;
    }
    EXPECT_EQ(connection.received.substr(0, length), request->upstream_body);
    connection.received.erase(0, length);
    // Nothing is sent ahead of an answer.
    EXPECT_EQ(connection.received, "");
    ++request->arrivals;
    request->arrived_at = world_.loop().now();
    const bool keep = co_await answer(connection, *request);
    request->upstream_done_at = world_.loop().now();
    if (connection.left.cancelled()) request->upstream_left_at = world_.loop().now();
    co_return keep&& connection.received.empty();
  }

  net::Task<bool> send(Connection& connection, std::string_view bytes) {
    auto sent = co_await net::write_all(*connection.stream, bytes, {.cancellation = &connection.left});
    co_return sent.has_value();
  }
  net::Task<bool> pause(Connection& connection, Duration duration) {
    if (duration.count() == 0) co_return !connection.left.cancelled();
    auto slept = co_await net::sleep_for(world_.loop(), duration, &connection.left);
    co_return slept.has_value();
  }

  net::Task<bool> refuse_early(Connection& connection, Request& request) {
    request.status = 400;
    request.kind = Kind::json;
    request.body = R"({"error":{"message":"R-)" + request.canary + "\"}}";
    const std::string text =
        "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: " +
        std::to_string(request.body.size()) + "\r\n\r\n" + request.body;
    (void)co_await send(connection, text);
    co_return false;
  }

  static std::string head_of(const Request& request) {
    std::string head =
        "HTTP/1.1 " + std::to_string(request.status) + " x\r\ncontent-type: " + request.content_type + "\r\n";
    if (request.shape == Shape::sized) head += "content-length: " + std::to_string(request.body.size()) + "\r\n";
    if (request.shape == Shape::chunked) head += "transfer-encoding: chunked\r\n";
    return head + "\r\n";
  }

  static std::string tail_of(const Request& request) {
    std::string tail = request.shape == Shape::chunked ? "0\r\n\r\n" : "";
    if (request.mischief == Mischief::spill) {
      tail += "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n" + std::string(kSpilled);
    }
    return tail;
  }

  net::Task<bool> answer(Connection& connection, Request& request) {
    if (!co_await pause(connection, request.think)) co_return false;
    switch (request.mischief) {
      case Mischief::close_at_once: co_return false;
      case Mischief::reset_at_once: connection.stream->reset_on_close(); co_return false;
      case Mischief::hang: (void)co_await pause(connection, 1h); co_return false;
      case Mischief::garbage: (void)co_await send(connection, "BOGUS\x01\r\n\r\n"); co_return false;
      case Mischief::interim:
        if (!co_await send(connection, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")) {
          co_return false;
        }
        break;
      default: break;
    }
    const bool breaks = request.mischief >= Mischief::cut;
    const size_t end = breaks ? request.break_at : request.body.size();
    std::string out = head_of(request);
    for (size_t at = 0; at < end;) {
      const size_t size = std::min(request.piece, end - at);
      const std::string piece = request.body.substr(at, size);
      char length[20];
      std::snprintf(length, sizeof length, "%zx\r\n", size);
      if (request.shape == Shape::chunked) out += length + piece + "\r\n";
      if (request.shape != Shape::chunked) out += piece;
      // In one write with the end of the answer: what comes later could not be told from the next answer.
      if (!breaks && at + size == end) out += tail_of(request);
      if (!co_await send(connection, out)) co_return false;
      out.clear();
      at += size;
      // After the whole there is none: a connection that looks idle, is used and closed much later than the news of a
      // close needs loses a request for good (see http/crossing.h).
      if (!breaks && at == end) break;
      if (!co_await pause(connection, request.gap)) co_return false;
    }
    if (breaks) {
      if (!out.empty() && !co_await send(connection, out)) co_return false;
      if (request.mischief == Mischief::reset) connection.stream->reset_on_close();
      if (request.mischief == Mischief::stall) (void)co_await pause(connection, 1h);
      co_return false;
    }
    co_return request.shape != Shape::until_close&& request.mischief != Mischief::close_quietly;
  }

  net::sim::World& world_;
  Script& script_;
  std::unique_ptr<net::Listener> listener_;
  net::TaskGroup tasks_;
};

}  // namespace llmgw::gateway::world
