#include "gateway/worker_thread.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>

#include "net/io.h"

namespace llmgw::gateway {
namespace {

using base::Duration;
using base::Instant;
using net::Task;

// In a drain: how long a connection that is idle waits for a request that is on its way already. It is answered, with
// "Connection: close"; closing at once would destroy it. Longer than a round trip between continents.
constexpr Duration kLastRequestGrace = std::chrono::milliseconds(500);
// Before a drain's end: in it HTTP/2 clients that never were without a request are told to make no more here.
constexpr Duration kLastCall = std::chrono::seconds(1);
// How long cancelled requests may take to say so in logs and metrics.
constexpr Duration kCancelGrace = std::chrono::seconds(2);
// Idle connections that go at a time where an acceptor finds every worker full: it looks again 20 times a second.
constexpr int kRoomMade = 16;
constexpr Duration kDrainPollInterval = std::chrono::milliseconds(5);

std::vector<std::string> server_alpn(bool http2) {
  if (http2) return {"h2", "http/1.1"};
  return {"http/1.1"};
}

}  // namespace

std::optional<net::TlsServerOptions> tls_server_options(const control::Snapshot& snapshot,
                                                        const base::Secret& ticket_keys) {
  const control::ServerTls& from = snapshot.server_tls;
  if (from.certificate.empty()) return std::nullopt;
  net::TlsServerOptions to;
  to.certificates = {{.chain_file = from.certificate, .key_file = from.key}};
  to.minimum_version =
      from.min_version == control::TlsVersion::tls13 ? net::TlsVersion::tls_1_3 : net::TlsVersion::tls_1_2;
  if (!from.client_ca.empty()) {
    to.client_certificates = net::TlsClientCertificates::required;
    to.client_ca_file = from.client_ca;
  }
  to.alpn = server_alpn(snapshot.server.http2);
  to.ticket_keys = ticket_keys;
  return to;
}

struct WorkerThread::Parts {
  explicit Parts(net::Loop& loop)
      : network(net::make_socket_network(loop)), connector(loop, *network), media(loop, *network) {}
  std::unique_ptr<net::Network> network;
  UpstreamConnector connector;
  MediaFetcher media;
  std::optional<net::TlsServerContext> tls;
  std::unique_ptr<Worker> worker;
  std::vector<int> listeners;  // descriptors the server's listeners own
  bool draining = false;
  bool cancel_now = false;
  net::TaskGroup tasks;
};

WorkerThread::WorkerThread(WorkerThreadOptions options)
    : options_(std::move(options)), loop_(net::make_epoll_poller()) {}

WorkerThread::~WorkerThread() {
  join();
  for (const WorkerSocket& socket : options_.sockets) close(socket.fd);
}

void WorkerThread::join() {
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
}

std::future<std::string> WorkerThread::start() {
  std::promise<std::string> started;
  auto future = started.get_future();
  thread_ = std::thread([this, promise = std::move(started)]() mutable { run(std::move(promise)); });
  return future;
}

void WorkerThread::run(std::promise<std::string> started) {
  pthread_setname_np(pthread_self(), ("worker-" + std::to_string(options_.index)).c_str());
  {
    Parts parts(loop_);
    parts_ = &parts;
    std::string fault = build(parts);
    const bool serves = fault.empty();
    started.set_value(std::move(fault));
    if (serves) loop_.run();
    parts.tasks.cancel_all();
    parts.worker.reset();
  }
  options_.shared->heartbeats.end(options_.index);
  running_.store(0, std::memory_order_relaxed);
  ended_.store(true, std::memory_order_release);
  if (options_.on_ended) options_.on_ended();
}

std::string WorkerThread::build(Parts& parts) {
  if (auto tls = tls_server_options(*options_.snapshot, options_.ticket_keys)) {
    auto context = net::TlsServerContext::create(*tls);
    if (!context) return "TLS of server.tls: " + std::string(net::last_tls_error());
    parts.tls = std::move(*context);
  }
  parts.worker = std::make_unique<Worker>(
      loop_, *options_.shared, *options_.log, std::exchange(options_.snapshot, nullptr),
      [&parts](const control::Connection& connection, net::Wait wait) {
        return parts.connector.connect(connection, wait);
      },
      [&parts](const control::Connection& connection) { return parts.connector.proxy_of(connection); },
      [&parts](std::string url, FetchLimits limits, net::Cancellation* cancellation) {
        return parts.media.fetch(std::move(url), std::move(limits), cancellation);
      });
  parts.worker->set_ledger(options_.ledger);
  apply_limits(parts);
  auto sockets = std::exchange(options_.sockets, {});
  std::string fault;
  for (const WorkerSocket& socket : sockets) {
    auto listener = net::adopt_listener(loop_, socket.fd);  // closes the descriptor if it fails
    if (!listener) {
      fault = "a listening socket cannot be watched";
      continue;
    }
    parts.listeners.push_back(socket.fd);
    http::Server::TlsSource source;
    if (socket.tls) source = [&parts] { return &*parts.tls; };
    parts.worker->server().listen(std::move(*listener), std::move(source));
  }
  parts.tasks.spawn(beat(parts));
  return fault;
}

// A draining worker closes every connection after the request at hand, also under a new snapshot.
void WorkerThread::apply_limits(Parts& parts) {
  if (!parts.draining) return;
  http::ServerOptions options = parts.worker->server().options();
  options.requests_per_connection_max = 1;
  parts.worker->server().set_options(options);
}

std::future<void> WorkerThread::adopt(std::shared_ptr<const control::Snapshot> snapshot) {
  std::promise<void> done;
  auto future = done.get_future();
  loop_.post([this, snapshot = std::move(snapshot), done = std::move(done)]() mutable {
    Parts& parts = *parts_;
    if (auto tls = tls_server_options(*snapshot, options_.ticket_keys)) {
      // Listeners without TLS stay so, and those with it: that is for a new process to change.
      auto context = net::TlsServerContext::create(*tls);
      if (context) {
        parts.tls = std::move(*context);
      } else {
        options_.log->error("the certificate in use stays: the new one cannot be read",
                            {{"reason", net::last_tls_error()}});
      }
    }
    parts.connector.adopt(*snapshot);
    parts.worker->adopt(std::move(snapshot));
    apply_limits(parts);
    done.set_value();
  });
  return future;
}

std::future<WorkerCounts> WorkerThread::counts() {
  std::promise<WorkerCounts> done;
  auto future = done.get_future();
  loop_.post([this, done = std::move(done)]() mutable {
    const Worker& worker = *parts_->worker;
    const http::ServerCounters& counters = parts_->worker->server().counters();
    done.set_value({.connections = counters.open,
                    .in_flight = counters.active,
                    .requests = counters.requests,
                    .upstream_connections = worker.upstream_connections(),
                    .snapshot_version = worker.snapshot().version});
  });
  return future;
}

void WorkerThread::serve(int fd, const net::Address& peer, bool tls) {
  handed_.fetch_add(1, std::memory_order_relaxed);
  loop_.post([this, fd, peer, tls] {
    received_.fetch_add(1, std::memory_order_relaxed);
    auto stream = net::adopt_stream(loop_, fd, peer);  // closes the descriptor if it fails
    if (!stream) return;
    Parts& parts = *parts_;
    parts.worker->server().serve(std::move(*stream), tls && parts.tls ? &*parts.tls : nullptr);
    open_.store(parts.worker->server().counters().open, std::memory_order_relaxed);
  });
}

void WorkerThread::make_room() {
  loop_.post([this] {
    Parts& parts = *parts_;
    http::Server& server = parts.worker->server();
    for (int i = 0; i < kRoomMade && server.end_oldest_idle(); ++i) {
    }
    // They close in their own turns.
    parts.tasks.spawn([](WorkerThread& self, http::Server& closing) -> Task<void> {
      co_await net::yield(self.loop_);
      self.open_.store(closing.counters().open, std::memory_order_relaxed);
    }(*this, server));
  });
}

uint64_t WorkerThread::load() const {
  const uint64_t under_way = handed_.load(std::memory_order_relaxed) - received_.load(std::memory_order_relaxed);
  return open_.load(std::memory_order_relaxed) + under_way;
}

void WorkerThread::stop_accepting(Parts& parts) {
  // The epoll set follows the socket, which may live on in a successor: closing alone would leave the entry there.
  for (const int fd : parts.listeners) epoll_ctl(loop_.poller().descriptor(), EPOLL_CTL_DEL, fd, nullptr);
  parts.listeners.clear();
  parts.worker->server().stop_accepting();
}

std::future<void> WorkerThread::drain(Duration limit) {
  std::promise<void> done;
  auto future = done.get_future();
  loop_.post([this, limit, done = std::move(done)]() mutable {
    Parts& parts = *parts_;
    stop_accepting(parts);
    done.set_value();
    if (parts.draining) return;
    parts.draining = true;
    apply_limits(parts);
    parts.tasks.spawn(finish(parts, limit));
  });
  return future;
}

void WorkerThread::cancel_rest() {
  loop_.post([this] { parts_->cancel_now = true; });
}

Task<void> WorkerThread::wait_idle(Parts& parts, Instant until) {
  while (!parts.worker->idle() && !parts.cancel_now && loop_.now() < until) {
    co_await net::sleep_for(loop_, kDrainPollInterval);
  }
}

Task<void> WorkerThread::finish(Parts& parts, Duration limit) {
  const Instant deadline = loop_.now() + limit;
  http::Server& server = parts.worker->server();
  co_await wait_idle(parts, std::min(deadline, loop_.now() + kLastRequestGrace));
  server.drain();
  co_await wait_idle(parts, deadline - std::min(kLastCall, limit / 2));
  server.last_call();
  co_await wait_idle(parts, deadline);
  if (!parts.worker->idle()) {
    options_.log->warn("requests cut off at the end of the drain",
                       {{"requests", server.counters().active}, {"worker", options_.index}});
    server.cancel_all();
    parts.worker->stop_background();
    parts.cancel_now = false;
    co_await wait_idle(parts, loop_.now() + kCancelGrace);
  }
  loop_.stop();
}

Task<void> WorkerThread::beat(Parts& parts) {
  for (;;) {
    options_.shared->heartbeats.beat(options_.index, loop_.now());
    Worker& worker = *parts.worker;
    open_.store(worker.server().counters().open, std::memory_order_relaxed);
    running_.store(worker.in_flight() + worker.background().active(), std::memory_order_relaxed);
    if (!co_await net::sleep_for(loop_, kHeartbeatInterval)) co_return;
  }
}

}  // namespace llmgw::gateway
