// HTTP/2 on a server connection: one coroutine reads, every request has a coroutine of its own. Internal to http:
// connections are served through Server.
#pragma once

#include <memory>
#include <string>

#include "http/exchange.h"
#include "http/h2_head.h"
#include "http/h2_session.h"
#include "http/server.h"

namespace llmgw::http {

class H2ServerConnection;

// What a client may send us before a handler takes it: enough for one round trip of a fast upload, bounded for all
// streams of a connection together.
inline constexpr int32_t kH2ServerStreamWindow = 512 * 1024;
inline constexpr int32_t kH2ServerConnectionWindow = 4 * 1024 * 1024;
// Bodies held by the requests of one connection; beyond it the newest ones wait, so that 256 streams of a single client
// cannot take 256 times the size limit.
inline constexpr uint64_t kH2BodiesBytesMax = 256 * 1024 * 1024;

// How long and how much of a request's body we let come after its answer, while it comes without a pause of
// kLingerTime: clients that are reset while they send often report that and not the answer (curl 7.88, httpcore).
inline constexpr base::Duration kH2LingerTotal = std::chrono::seconds(10);
inline constexpr uint64_t kH2LingerBytesMax = 64 * 1024 * 1024;

// A request and its response. Owned by its connection until the head is complete, then by its coroutine.
class H2ServerExchange final : public ServerExchange, public H2Stream {
 public:
  explicit H2ServerExchange(H2ServerConnection& connection);
  ~H2ServerExchange() override;

  const RequestHead& head() const override { return head_; }
  net::Loop& loop() const override;
  const net::Address& peer() const override;
  bool over_tls() const override;
  net::Cancellation& cancellation() override { return cancellation_; }
  base::Instant started_at() const override { return started_at_; }
  net::Task<base::Result<std::span<char>>> read_body(uint64_t bytes_max) override;
  base::Result<void> start(const ResponseStart& response) override;
  net::Task<base::Result<void>> write(std::span<const iovec> data, bool end) override;
  net::Task<base::Result<void>> flush() override { return write({}, false); }
  void abort() override;
  bool started() const override { return response_started_; }
  bool ended() const override { return response_ended_; }
  uint64_t bytes_written() const override { return body_bytes_written_; }
  net::Task<base::Result<RawConnection>> take_over(const ResponseStart* head) override;

  // The head could not be accepted: what to answer.
  ParseError refusal() const { return refusal_; }
  net::Task<void> answer_refusal();
  // The handler is done with it: resets what is unfinished, or lets the rest of the request come.
  net::Task<void> finish();
  // Lets the client send more, if the connection's memory allows.
  void grant();
  bool gated() const { return gated_; }
  bool reading() const { return reading_ && !body_ended_ && !body_dropped_ && open(); }
  bool holds_body() const { return body_ended_ && !body_.empty(); }
  void set_dispatched() { dispatched_ = true; }

 private:
  void on_head_begin() override {}
  bool on_field(std::string_view name, std::string_view value) override;
  void on_invalid_field() override;
  void on_head_end(bool end_stream) override;
  void on_data(std::string_view data) override;
  void on_end() override;
  void on_malformed() override { malformed_ = true; }
  void on_closed(H2Error error) override;
  void on_sent() override { progress_.notify(); }

  base::Instant body_deadline() const;
  base::Result<void> check_body(uint64_t bytes_max) const;
  base::Result<void> send_head(bool body);
  base::Result<void> send_continue();
  base::Result<void> broken_off() const;
  net::Task<base::Result<void>> drain();
  void drop_body();

  H2ServerConnection& connection_;
  H2HeadBuilder builder_;
  RequestHead head_;
  net::LinkedCancellation cancellation_;
  net::Signal body_arrived_;
  net::Signal progress_;
  base::Instant started_at_;
  base::Instant body_started_at_;
  ParseError refusal_ = ParseError::none;

  std::string body_;
  uint64_t body_bytes_max_ = 0;
  size_t ungranted_ = 0;     // received, and not yet given back to the stream's window
  bool reading_ = false;     // the handler has asked for the body
  bool body_ended_ = false;  // END_STREAM has come
  bool body_dropped_ = false;
  bool lingering_ = false;
  uint64_t lingered_ = 0;  // bytes thrown away after the answer
  bool gated_ = false;     // waits until other bodies of the connection are gone

  std::string head_out_;  // "name\0value\0" of the response's head until it is sent
  uint64_t body_bytes_written_ = 0;
  uint64_t body_bytes_announced_ = 0;
  Framing response_framing_ = Framing::none;
  bool response_started_ = false;
  bool head_sent_ = false;
  bool end_sent_ = false;  // with the head
  bool response_ended_ = false;
  bool suppress_body_ = false;  // HEAD, 204, 304
  bool head_complete_ = false;
  bool malformed_ = false;
  bool aborted_ = false;
  bool dispatched_ = false;
};

class H2ServerConnection final : public Connection, public H2Session, private IdlePlace {
 public:
  H2ServerConnection(Server& server, std::unique_ptr<net::Stream> stream);
  ~H2ServerConnection() override;

  net::Task<void> serve(std::string early);

  // Connection
  // Some clients (httpx) give all their requests up when a GOAWAY comes, so it waits until none is running. New ones
  // are served meanwhile. What crosses it is repeated by them elsewhere if it says that nobody has looked at it.
  void drain() override;
  void last_call() override;
  void cancel(base::ErrorCode reason) override;

  Server& server() const { return server_; }
  const ServerOptions& options() const { return server_.options(); }
  net::Cancellation& cancellation() { return cancellation_; }
  // The head is complete: it waits for its coroutine.
  void make_ready(H2ServerExchange& exchange) { ready_.push_back(exchange); }
  bool body_fits(const H2ServerExchange& exchange);
  void count_body(int64_t bytes) { body_bytes_ += static_cast<uint64_t>(bytes); }
  void count_refusal() { ++server_.counters().refused_heads; }

 private:
  H2Stream* on_stream_begin(int32_t id) override;
  void on_received() override;
  size_t streams() const override { return live_; }
  H2Timeouts timeouts() const override;

  net::Task<void> run_exchange(std::unique_ptr<H2ServerExchange> exchange);
  void exchange_done();
  void grant_bodies();
  void say_goodbye();
  void leave();
  net::Task<void> await_first_request();
  net::Task<void> end_drain();
  void fault(ConnectionFault kind, const base::Error& error);
  bool end_idle() override {
    if (stream().readiness().readable) return false;
    drain();
    return true;
  }
  bool unused() { return live_ == 0 && arriving_.empty() && ready_.empty(); }

  Server& server_;
  net::Cancellation cancellation_;  // the client left, or everything must stop
  net::Signal exchange_done_;
  base::IntrusiveList<H2ServerExchange> arriving_;  // heads that are incomplete
  base::IntrusiveList<H2ServerExchange> ready_;
  base::IntrusiveList<H2ServerExchange> running_;  // the oldest first
  size_t live_ = 0;                                // running, whether their streams are open or not
  uint64_t requests_ = 0;
  uint64_t body_bytes_ = 0;
  bool draining_ = false;
  bool awaiting_first_ = false;  // draining, and the client's first request may be on its way
  bool said_goodbye_ = false;    // the first GOAWAY has been sent
  bool drained_ = false;         // no request will be taken any more
  net::Cancellation ended_;      // everything must stop
  net::Task<void> first_request_;
  net::Task<void> drain_end_;
  net::TaskGroup handlers_;
};

}  // namespace llmgw::http
