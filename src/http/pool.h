// Connections to one origin, kept and shared by the requests of one loop. One thread. A Pool must outlive its
// exchanges: it may be destroyed once open() is 0.
#pragma once

#include <functional>
#include <memory>

#include "base/intrusive_list.h"
#include "http/client.h"
#include "http/h1_parser.h"
#include "net/stream.h"
#include "net/task.h"

namespace llmgw::http {

struct PoolOptions {
  uint32_t connections_max = 1024;  // open at once; more requests wait for one
  uint32_t idle_max = 256;          // kept for later; the oldest goes first
  // Shorter than what servers commonly keep idle connections for (nginx 75 s, OpenAI's edge about 60 s).
  base::Duration idle_time = std::chrono::seconds(30);
  base::Duration connect_timeout = std::chrono::seconds(5);
  HeadLimits head_limits;
  bool http2_prior_knowledge = false;  // HTTP/2 without being asked; else ALPN decides
};

class H1ClientConnection;
class H2ClientSession;

class Pool {
 public:
  // Opens a connection, TLS included.
  using Connect = std::function<net::Task<base::Result<std::unique_ptr<net::Stream>>>(net::Wait)>;

  Pool(net::Loop& loop, Connect connect, const PoolOptions& options);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // What acquire(false) would give without waiting or connecting; null if there is nothing.
  std::unique_ptr<ClientExchange> acquire_ready();
  // A connection for one request: an idle one unless `fresh`, else a new one, else (at connections_max) the next that
  // becomes free. A connection that speaks HTTP/2 serves many requests at once. Errors: those of Connect;
  // deadline_exceeded, exhausted.
  net::Task<base::Result<std::unique_ptr<ClientExchange>>> acquire(bool fresh, net::Wait wait);
  // Closes idle connections that are too old, or that the server has closed or written to. Call it about once a second.
  void reap();
  // Closes all idle connections, and those in use once they are given back.
  void retire();
  // Takes a retire() back.
  void revive() { retired_ = false; }

  size_t open() const { return open_; }
  size_t idle() const;
  uint64_t connects() const { return connects_; }
  uint64_t connect_failures() const { return connect_failures_; }
  net::Loop& loop() const { return loop_; }
  const PoolOptions& options() const { return options_; }
  void set_options(const PoolOptions& options) { options_ = options; }

 private:
  friend class H1ClientConnection;
  friend class H1ClientExchange;
  friend class H2ClientSession;
  struct Opening;
  void release(std::unique_ptr<H1ClientConnection> connection);
  std::unique_ptr<H1ClientConnection> take_idle();
  void drop_oldest_idle();
  bool drop_idle();
  net::Task<base::Result<std::unique_ptr<ClientExchange>>> open_connection(net::Wait wait);
  // A session with room; null: none.
  H2ClientSession* find_session(bool fresh);
  // A connection being opened will likely have room for one more request.
  bool session_expected() const;
  net::Task<base::Result<void>> await_session(net::Wait wait);
  bool is_h2(const net::Stream& stream) const;
  // A session's reader has ended: destroys those that nobody uses, once it has returned.
  void session_ended();
  net::Task<void> bury_sessions();
  // Destroys the sessions nobody uses that have ended, or are older than `idle_time`.
  void drop_sessions(base::Duration idle_time);

  net::Loop& loop_;
  Connect connect_;
  PoolOptions options_;
  base::IntrusiveList<H1ClientConnection> idle_;  // most recently used first
  size_t idle_count_ = 0;
  size_t open_ = 0;  // connections alive, in use or idle, and those being opened
  uint64_t connects_ = 0;
  uint64_t connect_failures_ = 0;
  bool retired_ = false;
  net::Signal freed_;

  base::IntrusiveList<H2ClientSession> sessions_;
  bool last_was_h2_ = false;
  size_t connecting_ = 0;
  size_t expecting_ = 0;       // requests that wait for a session being opened
  base::Error connect_error_;  // of the last failure
  net::TaskGroup tasks_;
};

}  // namespace llmgw::http
