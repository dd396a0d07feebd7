// HTTP/2 on a client connection: one session, many exchanges. Internal to http: requests are made through Pool.
#pragma once

#include <memory>
#include <string>

#include "http/client.h"
#include "http/h2_head.h"
#include "http/h2_session.h"
#include "http/pool.h"

namespace llmgw::http {

class H2ClientExchange;

// Bytes of a response that may wait for their reader: what a slow client costs us. Enough for 250 Mbit/s at 8 ms.
inline constexpr int32_t kH2ClientStreamWindow = 256 * 1024;
// Given back as bytes arrive, so that no slow reader stalls the others; bounds what is on its way.
inline constexpr int32_t kH2ClientConnectionWindow = 4 * 1024 * 1024;
// Requests on one connection at a time; more of them share a congestion window too narrowly, and a broken connection
// takes too many along.
inline constexpr size_t kH2ClientStreamsMax = 100;

// A connection. Belongs to its pool, counts itself in its open(), and goes when it has ended, or is no longer wanted,
// and no exchange uses it.
class H2ClientSession final : public base::ListNode, public H2Session {
 public:
  // So young that it is as good as a new connection for whoever wants a fresh one.
  static constexpr base::Duration kFresh = std::chrono::seconds(1);

  H2ClientSession(Pool& pool, std::unique_ptr<net::Stream> stream, base::Duration connect_time);
  ~H2ClientSession() override;

  void start();
  // Whether one more exchange may use it.
  bool has_room() const;
  base::Duration connect_time() const { return connect_time_; }
  bool fresh() const { return loop().now() - opened_at_ <= kFresh; }
  bool unused() const { return count_ == 0; }
  bool ended() const { return ended_; }
  base::Instant unused_since() const { return unused_since_; }
  // No further exchanges. Those there are go on.
  void retire() { retired_ = true; }
  // Says good-bye before it is destroyed.
  void say_goodbye();

  void join(H2ClientExchange& exchange);
  // May destroy the session.
  void leave(H2ClientExchange& exchange);
  uint64_t requests() const { return requests_; }
  const HeadLimits& head_limits() const { return pool_.options().head_limits; }

 private:
  H2Stream* on_stream_begin(int32_t) override { return nullptr; }
  void on_received() override {}
  size_t streams() const override { return count_; }
  H2Timeouts timeouts() const override;
  net::Task<void> read();

  Pool& pool_;
  base::IntrusiveList<H2ClientExchange> exchanges_;
  size_t count_ = 0;
  uint64_t requests_ = 0;
  base::Duration connect_time_;
  base::Instant opened_at_;
  base::Instant unused_since_;
  bool retired_ = false;
  bool ended_ = false;
  net::Task<void> reader_;
};

class H2ClientExchange final : public ClientExchange, public H2Stream {
 public:
  explicit H2ClientExchange(H2ClientSession& session);
  ~H2ClientExchange() override;

  bool reused() const override { return reused_; }
  bool may_repeat() const override;
  net::Task<base::Result<void>> send(const RequestStart& request, net::Wait wait) override;
  net::Task<base::Result<const ResponseHead*>> read_head(net::Wait wait) override;
  net::Task<base::Result<BodyBytes>> read_body(net::Wait wait) override;
  bool body_at_hand() const override { return body_ended_ || !arrived_.empty(); }
  bool received_any() const override { return received_any_; }
  const Headers& trailers() const override { return trailers_; }
  net::Stream* raw_stream(std::string_view&) override { return nullptr; }

  void session_ended(const base::Error& error);

 private:
  void on_head_begin() override { received_any_ = true; }
  bool on_field(std::string_view name, std::string_view value) override;
  void on_invalid_field() override;
  void on_head_end(bool end_stream) override;
  void on_data(std::string_view data) override;
  void on_end() override;
  void on_malformed() override { failure_ = {base::ErrorCode::protocol, "HTTP/2 response", 0}; }
  void on_closed(H2Error error) override;
  void on_sent() override { changed_.notify(); }

  base::Result<void> submit(const RequestStart& request);
  void fail_response(const base::Error& error);
  bool failed() const { return !open() && !body_ended_; }

  H2ClientSession& session_;
  net::Signal changed_;
  H2HeadBuilder builder_;
  ResponseHead head_;
  Headers trailers_;
  Method method_ = Method::other;
  int interim_heads_ = 0;
  std::string arrived_;  // body bytes that nobody has read
  std::string handed_;   // those the last read_body() gave out
  base::Error failure_{base::ErrorCode::closed, "HTTP/2 connection", 0};
  base::Instant sent_at_;
  bool sent_ = false;  // whole
  bool reused_ = false;
  bool session_was_idle_ = false;
  bool unprocessed_ = false;  // the server said that it has not looked at the request
  bool session_ended_ = false;
  bool received_any_ = false;
  bool head_done_ = false;
  bool body_ended_ = false;
};

}  // namespace llmgw::http
