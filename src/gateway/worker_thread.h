// A worker and the thread it lives on: loop, listeners, TLS contexts, connections to upstreams. Made and used by the
// control thread; what runs on the worker's own thread is private and named so.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "control/snapshot.h"
#include "gateway/upstream_connector.h"
#include "gateway/worker.h"
#include "net/loop.h"
#include "net/network.h"
#include "net/tls.h"
#include "telemetry/log.h"

namespace llmgw::gateway {

// A listening descriptor of one worker, owned by whoever holds it last.
struct WorkerSocket {
  int fd = -1;
  bool tls = false;
};

struct WorkerThreadOptions {
  size_t index = 0;
  size_t workers = 1;
  SharedState* shared = nullptr;
  telemetry::Log* log = nullptr;
  accounting::LedgerWriter* ledger = nullptr;
  std::shared_ptr<const control::Snapshot> snapshot;
  base::Secret ticket_keys;             // the same for all workers
  std::vector<WorkerSocket> sockets;    // taken over
  std::function<void()> on_ended = {};  // called on the worker's thread when it has drained and cleaned up
};

// A worker's counters at one moment.
struct WorkerCounts {
  uint64_t connections = 0;
  uint64_t in_flight = 0;
  uint64_t requests = 0;
  uint64_t upstream_connections = 0;
  uint64_t snapshot_version = 0;
};

// The TLS server settings of a snapshot; nothing when it has none.
std::optional<net::TlsServerOptions> tls_server_options(const control::Snapshot& snapshot,
                                                        const base::Secret& ticket_keys);

class WorkerThread {
 public:
  explicit WorkerThread(WorkerThreadOptions options);
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;
  // Without a drain before, what runs is cut off.
  ~WorkerThread();  // join() and the loop's end
  // Ends the thread, cutting off what runs; the loop lives on for those who still post to it.
  void join();

  // Ready when the worker accepts: empty, or why it cannot.
  std::future<std::string> start();

  // Each is done when the future is ready, on the worker's thread. A worker that hangs never comes to it.
  std::future<void> adopt(std::shared_ptr<const control::Snapshot> snapshot);
  std::future<WorkerCounts> counts();

  // Ends some of its idle connections for others to come in, where it has as many as it may have. Any thread.
  void make_room();
  // Serves a connected descriptor that an acceptor of another thread has taken. Any thread.
  void serve(int fd, const net::Address& peer, bool tls);
  // Connections it has, or is about to have. Any thread.
  uint64_t load() const;

  // Calls that run in it, those in the background too, as of its last heartbeat. Any thread.
  uint64_t running() const { return running_.load(std::memory_order_relaxed); }

  // Stops accepting: done when the future is ready. Then running requests finish, at most for `limit`, and the thread
  // ends.
  std::future<void> drain(base::Duration limit);
  // Cancels what a drain still waits for.
  void cancel_rest();

  bool ended() const { return ended_.load(std::memory_order_acquire); }

 private:
  struct Parts;  // what lives on the thread

  void run(std::promise<std::string> started);
  std::string build(Parts& parts);
  void apply_limits(Parts& parts);
  void stop_accepting(Parts& parts);
  net::Task<void> finish(Parts& parts, base::Duration limit);
  net::Task<void> wait_idle(Parts& parts, base::Instant until);
  net::Task<void> beat(Parts& parts);

  WorkerThreadOptions options_;
  net::Loop loop_;
  Parts* parts_ = nullptr;              // of the running thread
  std::atomic<uint64_t> open_ = 0;      // connections, as of the last heartbeat
  std::atomic<uint64_t> running_ = 0;   // calls, as of the last heartbeat
  std::atomic<uint64_t> handed_ = 0;    // by an acceptor
  std::atomic<uint64_t> received_ = 0;  // of these
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace llmgw::gateway
