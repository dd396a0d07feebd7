#include "http/h2_server.h"

namespace llmgw::http {

using base::ErrorCode;
using net::Task;

namespace {

// A client that has gone without a word keeps its requests running at most this long; quiet ones answer a PING.
constexpr base::Duration kPingAfter = std::chrono::seconds(45);
constexpr base::Duration kPingAck = std::chrono::seconds(20);

H2Settings settings_of(const ServerOptions& options) {
  return {.streams_max = options.h2_streams_max,
          .stream_window = kH2ServerStreamWindow,
          .connection_window = kH2ServerConnectionWindow,
          .header_list_bytes = static_cast<uint32_t>(std::min<size_t>(options.head_limits.head_bytes_max, UINT32_MAX))};
}

}  // namespace

H2ServerConnection::H2ServerConnection(Server& server, std::unique_ptr<net::Stream> stream)
    : H2Session(std::move(stream), Side::server, settings_of(server.options())),
      server_(server),
      exchange_done_(server.loop()) {
  server_.connections().push_back(*this);
  net::Readiness& readiness = H2Session::stream().readiness();
  readiness.on_hangup = &cancellation_;
  if (readiness.hangup) cancellation_.cancel(ErrorCode::closed);
  server_.wait_idle(*this);
}

H2ServerConnection::~H2ServerConnection() {
  stream().readiness().on_hangup = nullptr;
  handlers_.cancel_all();
  while (!arriving_.empty()) delete &arriving_.front();
  while (!ready_.empty()) delete &ready_.front();
}

H2Timeouts H2ServerConnection::timeouts() const {
  return {.settings = options().header_timeout,
          .header = options().header_timeout,
          .idle = options().idle_timeout,
          .write = options().write_timeout,
          .ping = kPingAfter,
          .ping_ack = kPingAck};
}

Task<void> H2ServerConnection::serve(std::string early) {
  if (server_.draining()) drain();
  const base::Error error = co_await run(std::move(early));
  // A peer that was late with anything else has broken the protocol: only a write that waited too long breaks the
  // connection with deadline_exceeded.
  const bool late = error.code == ErrorCode::deadline_exceeded && !broken();
  if (flooded()) {
    fault(ConnectionFault::http2_flood, {ErrorCode::too_large, "frames and resets without use", 0});
  } else if (!broken() && (late || error.code == ErrorCode::protocol)) {
    fault(late ? ConnectionFault::http2_timeout : ConnectionFault::http2_protocol, error);
  }
  if (broken() || live_ > 0) cancellation_.cancel(late ? ErrorCode::protocol : error.code);
  // Handlers settle their accounts; none of them needs the client any more.
  while (live_ > 0) (void)co_await exchange_done_.wait({});
  if (!co_await end_writing()) co_return;
  if (drained_ && !flooded()) co_await linger({.deadline = loop().now() + kGoodbyeTime, .cancellation = &ended_});
  if (!drained_ || flooded() || ended_.cancelled()) co_await linger({.deadline = loop().now() + kLingerTime});
}

void H2ServerConnection::fault(ConnectionFault kind, const base::Error& error) {
  server_.handler().connection_failed(kind, error, stream().peer());
}

void H2ServerConnection::drain() {
  if (draining_) return;
  draining_ = true;
  IdlePlace::unlink();
  if (!unused()) return;
  if (requests_ > 0) return say_goodbye();
  awaiting_first_ = true;
  first_request_ = await_first_request();
  first_request_.start();
}

// Who has just connected did so for a request, and httpx repeats none that a GOAWAY without any number refuses.
Task<void> H2ServerConnection::await_first_request() {
  (void)co_await net::sleep_for(loop(), kDrainGrace, &cancellation_);
  awaiting_first_ = false;
  if (unused()) say_goodbye();
}

void H2ServerConnection::last_call() {
  if (draining_) say_goodbye();
}

void H2ServerConnection::say_goodbye() {
  if (said_goodbye_) return;
  said_goodbye_ = true;
  if (unused()) return leave();
  announce_goaway();
  flush();
  drain_end_ = end_drain();
  drain_end_.start();
}

void H2ServerConnection::leave() {
  drained_ = true;
  submit_goaway();
  flush();
  if (unused()) stop_reading();
}

// RFC 9113, section 6.8: the second GOAWAY, a round trip after the first, says which requests were too late. Only where
// some are running: httpx takes the first for the end of the request that it reads it for.
Task<void> H2ServerConnection::end_drain() {
  (void)co_await net::sleep_for(loop(), kDrainGrace, &cancellation_);
  leave();
}

void H2ServerConnection::cancel(ErrorCode reason) {
  drain();
  say_goodbye();
  cancellation_.cancel(reason);
  ended_.cancel(reason);
}

// A stream that the client has reset may still have its handler at work; those count, or resets would make room for
// any number of them.
H2Stream* H2ServerConnection::on_stream_begin(int32_t) {
  if (live_ >= 2 * size_t{options().h2_streams_max}) return nullptr;
  IdlePlace::unlink();
  auto* exchange = new H2ServerExchange(*this);
  arriving_.push_back(*exchange);
  return exchange;
}

void H2ServerConnection::on_received() {
  while (!ready_.empty()) {
    H2ServerExchange& exchange = ready_.pop_front();
    exchange.set_dispatched();
    running_.push_back(exchange);
    ++live_;
    handlers_.spawn(run_exchange(std::unique_ptr<H2ServerExchange>(&exchange)));
  }
  // What was arriving may have been reset.
  if (draining_ && !awaiting_first_ && unused()) say_goodbye();
}

Task<void> H2ServerConnection::run_exchange(std::unique_ptr<H2ServerExchange> exchange) {
  if (exchange->refusal() == ParseError::none) {
    server_.request_began();
    co_await server_.handler().handle(*exchange);
    server_.request_ended();
  } else {
    count_refusal();
    co_await exchange->answer_refusal();
  }
  co_await exchange->finish();
  exchange.reset();
  exchange_done();
}

void H2ServerConnection::exchange_done() {
  --live_;
  ++requests_;
  if (requests_ >= options().requests_per_connection_max && !draining_) drain();
  grant_bodies();
  flush();
  if (unused()) {
    became_idle();
    if (!draining_) server_.wait_idle(*this);
    if (draining_) say_goodbye();
    release_memory();
    if (drained_ || finished()) stop_reading();
  }
  exchange_done_.notify();
}

// Beyond the limit bodies wait for requests that have theirs to end. If there is none, the oldest is let through to its
// end, or all would wait for each other.
bool H2ServerConnection::body_fits(const H2ServerExchange& exchange) {
  if (body_bytes_ <= kH2BodiesBytesMax) return true;
  const H2ServerExchange* oldest = nullptr;
  for (H2ServerExchange* other = running_.first(); other != nullptr; other = running_.after(*other)) {
    if (other->holds_body()) return false;
    if (oldest == nullptr && other->reading()) oldest = other;
  }
  return oldest == &exchange;
}

void H2ServerConnection::grant_bodies() {
  for (H2ServerExchange* exchange = running_.first(); exchange != nullptr; exchange = running_.after(*exchange)) {
    if (exchange->gated()) exchange->grant();
  }
}

Task<void> serve_h2(Server& server, std::unique_ptr<net::Stream> stream, std::string early) {
  H2ServerConnection connection(server, std::move(stream));
  co_await connection.serve(std::move(early));
}

}  // namespace llmgw::http
