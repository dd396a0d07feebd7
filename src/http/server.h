// The server side of HTTP on one loop: accepts, does TLS, tells HTTP/1.1 from HTTP/2, reads heads, runs handlers,
// keeps connections alive and drains them. One thread; one Server for each listener and worker.
#pragma once

#include <functional>
#include <memory>

#include "base/intrusive_list.h"
#include "http/exchange.h"
#include "http/h1_parser.h"
#include "net/network.h"
#include "net/task.h"

namespace llmgw::net {
class TlsServerContext;
}

namespace llmgw::http {

// Limits of a server; every one may change between two requests.
struct ServerOptions {
  HeadLimits head_limits;
  base::Duration header_timeout = std::chrono::seconds(10);  // from the first byte of a head to its last
  base::Duration body_timeout = std::chrono::seconds(30);   // a body must come at kSlowestBodyBytesPerSecond after this
  base::Duration idle_timeout = std::chrono::seconds(75);   // between two requests; longer than clients keep idle
  base::Duration write_timeout = std::chrono::seconds(60);  // without the client reading anything
  base::Duration handshake_timeout = std::chrono::seconds(10);
  // On this loop. Beyond it the connection that has been idle for longest goes for each new one; where none is idle,
  // new ones wait in the kernel's queue.
  uint32_t connections_max = 65536;
  uint32_t requests_per_connection_max = 1'000'000;  // then the connection is closed, so that load spreads again
  bool http2 = true;
  uint32_t h2_streams_max = 256;  // concurrent, a connection
};

// Slower than any link a model is called over; a body that comes slower is an attack on our memory.
inline constexpr uint64_t kSlowestBodyBytesPerSecond = 16 * 1024;
// How long we wait for more bytes to throw away after a final answer, so that our close does not destroy it on its way.
inline constexpr base::Duration kLingerTime = std::chrono::seconds(1);
// How long a client of HTTP/2 that was told to go may take to find out. Some look only when they send their next
// request (httpx, and with it the Python SDKs, which forget idle connections after 5 s), and a reset would hide why.
inline constexpr base::Duration kGoodbyeTime = std::chrono::seconds(6);
// A connection that looks idle when draining begins may have a request on its way: one round trip to far away.
inline constexpr base::Duration kDrainGrace = std::chrono::milliseconds(300);

struct ServerCounters {
  uint64_t accepted = 0;
  uint64_t open = 0;    // now
  uint64_t active = 0;  // requests being handled now
  uint64_t requests = 0;
  uint64_t refused_heads = 0;  // malformed or too large
  uint64_t handshake_failures = 0;
  uint64_t accept_failures = 0;
  uint64_t idle_ended = 0;  // idle connections that made room for new ones
};

// A connection being served; the list of them is what drain() works on.
class Connection : public base::ListNode {
 public:
  virtual ~Connection() = default;
  // Ends after the requests at hand; at once if there is none.
  virtual void drain() = 0;
  // The time of the drain is nearly over: a client that goes on asking is told to go elsewhere while it waits, too.
  virtual void last_call() {}
  // Cancels everything on it.
  virtual void cancel(base::ErrorCode reason) = 0;
};

// A connection as long as it waits for a request and nothing of one is there.
class IdlePlace : public base::ListNode {
 public:
  virtual ~IdlePlace() = default;
  // Ends the connection, unless something has come just now: then false. May only wake it.
  virtual bool end_idle() = 0;
};

class Server {
 public:
  Server(net::Loop& loop, RequestHandler& handler, const ServerOptions& options);
  ~Server();

  // Accepts from this listener until stop_accepting(). Several listeners are fine. A TLS server asks `tls` for the
  // context of each new connection, so that a reload counts from the next one on.
  using TlsSource = std::function<net::TlsServerContext*()>;
  void listen(std::unique_ptr<net::Listener> listener, TlsSource tls = {});
  // Serves one connection that came from elsewhere (another worker's acceptor, a test).
  void serve(std::unique_ptr<net::Stream> stream, net::TlsServerContext* tls);

  // Closes the listeners.
  void stop_accepting();
  // Requests that have begun are served, with `connection: close`. Idle connections close after a moment, in which a
  // request that was on its way can still arrive.
  void drain();
  // Tells clients of HTTP/2 whose connections were never without a request since drain() to go elsewhere.
  void last_call();
  // Cancels what is still running.
  void cancel_all();
  bool idle() const { return tasks_.active() == 0; }

  void set_options(const ServerOptions& options) { options_ = options; }
  const ServerOptions& options() const { return options_; }
  const ServerCounters& counters() const { return counters_; }
  ServerCounters& counters() { return counters_; }
  // Around the handling of each request.
  void request_began() {
    ++counters_.requests;
    loop_.set_requests_in_flight(++counters_.active);
  }
  void request_ended() { loop_.set_requests_in_flight(--counters_.active); }
  // From now on until it leaves the list. Those that wait longest stand first.
  void wait_idle(IdlePlace& place);
  // Ends the connection that has been idle for longest. False: none is.
  bool end_oldest_idle();
  bool draining() const { return draining_; }
  net::Cancellation& no_new_requests() { return no_new_requests_; }
  net::Cancellation& stopping() { return stopping_; }
  net::Loop& loop() const { return loop_; }
  RequestHandler& handler() const { return handler_; }
  base::IntrusiveList<Connection>& connections() { return connections_; }

 private:
  struct Acceptor;
  net::Task<void> accept_loop(Acceptor& acceptor);
  net::Task<void> serve_connection(std::unique_ptr<net::Stream> stream, net::TlsServerContext* tls);

  net::Loop& loop_;
  RequestHandler& handler_;
  ServerOptions options_;
  ServerCounters counters_;
  bool draining_ = false;
  net::Cancellation no_new_requests_;  // for connections that have not said anything yet
  net::Cancellation stopping_;         // the same for cancel_all()
  net::Signal room_;                   // a connection has closed, or has become idle
  base::IntrusiveList<Connection> connections_;
  base::IntrusiveList<IdlePlace> idle_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  net::TaskGroup acceptor_tasks_;
  net::TaskGroup tasks_;
};

// Serves HTTP/1.1 on a connection until it closes. `early` was read while the version was found out.
net::Task<void> serve_h1(Server& server, std::unique_ptr<net::Stream> stream, std::string early);
// The same for HTTP/2; `early` starts with the connection preface, or is empty when ALPN chose h2.
net::Task<void> serve_h2(Server& server, std::unique_ptr<net::Stream> stream, std::string early);

}  // namespace llmgw::http
