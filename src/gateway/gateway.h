// The running data plane: workers and their threads, listening sockets, logs and metrics, and what they share. The
// control thread makes one, publishes snapshots to it and drains it; all members are its unless said otherwise.
#pragma once

#include <atomic>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/ledger/ledger.h"
#include "control/sharing/shared_limits.h"
#include "control/snapshot.h"
#include "gateway/engines/instance_loads.h"
#include "gateway/entrance/acceptor.h"
#include "gateway/entrance/listening.h"
#include "gateway/worker_thread.h"
#include "telemetry/log_writer.h"
#include "telemetry/metrics.h"
#include "telemetry/process_metrics.h"

namespace llmgw::gateway {

struct GatewayOptions {
  std::shared_ptr<const control::Snapshot> snapshot;
  std::vector<control::ListenAddress> listen = {};  // instead of the snapshot's; empty: the snapshot's
  // From a service manager or a predecessor. Those that nothing configured asks for are closed, but for the former's.
  std::vector<ListeningSocket> inherited = {};
  // Where clients connect, too, unless admin_listen has it; must outlive the gateway.
  AdminEntrance* admin = nullptr;
  // Of the process: clients get as many connections as leave each call a descriptor for its upstream.
  uint64_t open_files_max = UINT64_MAX;
  // How long the start may wait for the database to say what budgets have spent; then they hear of it later.
  base::Duration database_wait = std::chrono::seconds(7);
};

// How long publish() and counts() wait for a worker.
inline constexpr base::Duration kWorkerAnswerLimit = std::chrono::seconds(5);

class Gateway {
 public:
  // Opens the sockets, starts the threads and returns when all workers accept. The error is a sentence for the
  // operator.
  static std::expected<std::unique_ptr<Gateway>, std::string> start(GatewayOptions options);
  // What stands between a snapshot and its use: certificates that cannot be read. Any thread.
  static std::expected<void, std::string> check(const control::Snapshot& snapshot);

  ~Gateway();  // cuts off what runs, unless drained
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // Gives every worker the snapshot, which has passed check(), and returns when all serve by it. The error names
  // workers that hang; they will take it when they run again.
  std::expected<void, std::string> publish(const std::shared_ptr<const control::Snapshot>& snapshot);
  const control::Snapshot& snapshot() const { return *snapshot_; }

  // Stops accepting, in all workers, before it returns; requests that run finish, at most for `limit`. `on_drained` is
  // called on another thread when the last worker has ended.
  void drain(base::Duration limit, std::function<void()> on_drained);
  // After that: records of the ledger that are in memory alone, since the disk is full. They are lost with this object
  // unless there is room before.
  uint64_t unsaved_records();
  // Cancels what a drain still waits for.
  void cancel_rest();
  bool draining() const { return shared_.draining.load(std::memory_order_relaxed); }

  // The first worker that shows no sign of life, as a sentence; empty: all is well. Any thread.
  std::string trouble(base::Instant now) const { return shared_.heartbeats.trouble(now); }
  // The sum over workers; what a hanging worker has is missing.
  WorkerCounts counts();
  // Calls that run, those in the background too, as of the workers' last heartbeats. Does not wait for any of them.
  uint64_t running() const;

  // Every listening descriptor with its name, for a successor. They stay the gateway's; empty once it drains.
  struct Listener {
    std::string name;
    int fd;
  };
  const std::vector<Listener>& listeners() const { return listeners_; }
  // Where clients connect, ports resolved: "127.0.0.1:40123", "unix:/run/x.sock".
  const std::vector<std::string>& addresses() const { return addresses_; }
  size_t workers() const { return workers_.size(); }
  bool tls() const { return tls_; }

  telemetry::Registry& registry() { return registry_; }
  telemetry::LogWriter& log_writer() { return *log_writer_; }
  telemetry::Log& log() { return *log_; }  // of the control thread
  SharedState& shared() { return shared_; }

 private:
  explicit Gateway(const control::Snapshot& snapshot);
  std::string open_logs();
  std::string open_ledger(base::Duration database_wait);
  std::string open_shared_limits();
  std::string open_sockets(GatewayOptions& options);
  std::string deal(std::vector<ListeningSocket>& group);
  std::string start_workers();
  void apply_settings();
  void change_periods();
  uint64_t clients_wanted() const;
  void limit_clients(uint64_t open_files_max);
  void on_worker_ended();

  std::shared_ptr<const control::Snapshot> snapshot_;
  telemetry::Registry registry_;
  std::unique_ptr<telemetry::LogWriter> log_writer_;
  telemetry::Log* log_ = nullptr;
  std::unique_ptr<control::Ledger> ledger_;               // null: not wanted
  std::unique_ptr<control::SharedLimits> shared_limits_;  // null: no Redis is configured
  SharedState shared_;
  InstanceLoads loads_{shared_.routing.instances};
  base::Secret ticket_keys_;
  bool tls_ = false;
  bool shared_acceptor_ = false;
  size_t worker_count_;
  std::vector<std::vector<WorkerSocket>> shares_;  // sockets by worker, until they start
  std::vector<WorkerSocket> acceptor_sockets_;     // the same for the shared acceptor
  std::vector<Listener> listeners_;
  std::vector<std::string> addresses_;
  std::function<void()> on_drained_;
  std::atomic<size_t> workers_left_ = 0;
  std::vector<std::unique_ptr<WorkerThread>> workers_;
  std::unique_ptr<SharedAcceptor> acceptor_;
};

// Threads to run: server.workers, or one a processor this process may use.
size_t worker_count(const control::Snapshot& snapshot);

}  // namespace llmgw::gateway
