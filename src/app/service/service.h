// The gateway as a service: everything around the data plane. It lives on the main thread: starts the workers, takes
// sockets over from a predecessor or a service manager, obeys signals and the control socket, reloads, drains.
//
//   start -> serving -> draining -> end
//
// The order of a start: sockets are accepted on before the predecessor is told to stop, and the PID file changes hands
// before the control socket does; so at every moment exactly one process answers to commands, and at least one accepts.
// A predecessor goes on accepting beside its successor while that is on trial, so that one that crashes at its first
// calls leaves it serving. When it has stopped, nothing ends the new one that it can do without.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/api_server.h"
#include "app/process/control_server.h"
#include "app/process/daemonize.h"
#include "app/process/pid_file.h"
#include "app/process/process_handle.h"
#include "app/process/systemd_notify.h"
#include "app/process/takeover.h"
#include "app/service/admin.h"
#include "app/service/object_feed.h"
#include "app/service/status.h"
#include "app/service/watched_descriptor.h"
#include "control/file_watcher.h"
#include "control/reload.h"
#include "gateway/gateway.h"
#include "net/loop.h"
#include "net/network.h"

namespace llmgw::app {

// Exit statuses of every subcommand.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;       // wrong usage or a faulty configuration
inline constexpr int kExitNotRunning = 3;  // no gateway runs with this data directory

// Long enough for the first calls to have come and to have crashed it; all the while two configurations serve.
inline constexpr base::Duration kSuccessorTrial = std::chrono::seconds(5);
// A start waits no longer for the predecessor, which may hang.
inline constexpr base::Duration kSuccessorTrialMax = std::chrono::minutes(1);

struct ServiceOptions {
  std::string config_path;                          // absolute
  std::vector<control::ListenAddress> listen = {};  // instead of server.listen
  bool take_over = false;                           // from a gateway that runs with the same data directory
  std::string executable = {};                      // what `upgrade` starts, with these arguments; empty: it cannot
  std::vector<std::string> successor_arguments = {};
  // How long a new process serves beside this one before it has the sockets to itself, where `upgrade` does not say.
  base::Duration successor_trial = kSuccessorTrial;
};

struct StartFault {
  int exit_status = kExitFailed;
  std::string message;  // for the operator, one or several lines
};

class Service {
 public:
  explicit Service(ServiceOptions options);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service();

  // Up to the moment when it serves.
  std::expected<void, StartFault> start();
  // Serves until it is stopped and has drained. Returns the exit status.
  int run();

  // Loads the file again; the answer of `llm-gateway reload`.
  CommandAnswer reload(std::string_view cause,
                       control::Reloader::Emptying emptying = control::Reloader::Emptying::refused);
  // Stops accepting and ends when running requests have, or drain_timeout passed.
  void stop(std::string_view cause);

  gateway::Gateway& gateway() { return *gateway_; }
  const std::string& data_dir() const { return data_dir_; }
  // Where administration listens; empty without.
  const std::string& admin_address() const { return admin_address_; }

 private:
  using Started = std::expected<void, StartFault>;
  using Trouble = store::ObjectThread::Trouble;

  // start.cpp
  Started load_configuration();
  Started claim_data_dir(std::vector<gateway::ListeningSocket>& inherited);
  Started open_store();
  Started open_admin(std::vector<gateway::ListeningSocket>& inherited);
  // Those of this program's that have a name in the file system, but for what is the predecessor's until it has
  // stopped.
  void own_unix_sockets(const std::vector<std::string>& lent);
  Started complete_takeover();
  void adopt_pid_file(process::FileDescriptor file);
  Started open_control();
  // Serves beside the predecessor until that has stopped, or this process is told to end.
  base::Result<void> stand_trial(int connection, base::Instant deadline);
  net::Task<void> watch_predecessor(int connection, base::Instant deadline);
  net::Task<void> watch_end_of_trial();
  // What this process serves by is kept up to date; from the next one on it obeys.
  void watch_sources();
  void watch_everything();

  // service.cpp
  net::Task<void> watch_signals();
  void on_signal(int number);
  std::string reopen_log();
  net::Task<void> watch_control();
  net::Task<void> watch_files();
  net::Task<void> look_after();
  net::Task<void> settle_down();
  void on_command(const process::ControlRequest& request);
  void begin_drain(std::string_view cause, base::Duration limit);
  // Of a process that finishes its requests after an upgrade, and is to end: drain_timeout from now on.
  net::Task<void> shorten_drain();
  // objects.cpp
  void take_objects();
  void take_engines();
  void refresh(uint64_t client);
  void tell_api();
  void log_notes();
  // A warning for each doubt about the file, and all of them as lines to follow an answer.
  std::string log_doubts();
  // Lines to follow an answer; empty where nothing is doubted.
  std::string warnings(const control::ConfigErrors& doubts) const;
  void tell_expiry();
  // A warning where no call can be served for want of a connection, a model or a key: once, until that is over.
  void warn_of_missing();
  void on_store_state(Trouble trouble, std::string reason);
  void on_store_readable(std::string problem);
  void look_at_master_key();
  std::string unreadable() const;
  void warn_of_store();
  // The workers have ended; so does the loop, as soon as nothing would be lost by it, or the drain's limit is over.
  net::Task<void> end_in_order();
  net::Task<void> end_by_force(base::Duration limit);
  void remove_unix_sockets();
  StatusReport status_report();
  // The settings of the file that this process does not run by.
  std::vector<std::string> waiting_for_restart() const;
  CommandAnswer explain(std::string_view argument);
  telemetry::Log& log();

  // upgrade.cpp
  base::Result<process::HandoffOffer> offer(pid_t successor);
  void on_successor_ready(pid_t successor);
  net::Task<void> end_trial(pid_t successor);
  void on_handed_over(pid_t successor);
  void on_takeover_abandoned(pid_t successor);
  void hold_drain_file();
  // Says in it how far this process is, until its end.
  net::Task<void> tell_drain();
  base::Duration trial_of(pid_t successor) const;
  void start_upgrade(uint64_t client, std::string_view trial);
  net::Task<void> watch_successor();
  std::string doubtful_certificates() const;
  void end_upgrade(const CommandAnswer& answer);
  // A stop means the gateway, so a new process that does not serve yet ends, too.
  void give_up_upgrade();
  void turn_claimant_away();
  // Whether another process has the sockets, or will when this one is gone: then what has a name in the file system
  // stays.
  bool leaves_heir() const;

  ServiceOptions options_;
  net::Loop loop_;
  std::unique_ptr<net::Network> network_;
  std::string data_dir_;
  base::Instant started_at_;

  process::FileDescriptor signals_;
  process::SystemdNotifier notifier_;
  std::optional<process::PidFile> pid_file_;
  std::optional<process::PidFile> drain_file_;  // when another process has the other one
  std::optional<process::Takeover> takeover_;
  std::unique_ptr<process::ControlServer> control_;

  std::optional<control::Reloader> reloader_;
  control::FileWatcher watcher_;
  std::string last_reload_error_;
  std::string last_change_;  // what the last reload that changed something did, when and why

  std::unique_ptr<ObjectFeed> feed_;
  admin::EngineRegistry engines_;
  std::unique_ptr<admin::ApiServer> api_;
  base::Duration database_wait_ = ObjectFeed::kFirstLimit;  // what is left of it for the rest of the start
  Trouble store_state_ = Trouble::none;
  std::string store_trouble_;     // what it means, and why; empty: there is no trouble, or no store
  std::string store_unreadable_;  // why what it has cannot be read; empty: it can
  bool master_key_gone_ = false;  // its file, as of the last look
  std::string missing_;           // as warn_of_missing() said last

  std::unique_ptr<gateway::Gateway> gateway_;
  std::optional<telemetry::ReloadMetrics> reload_metrics_;
  std::string trouble_;  // of the workers, as of the last look
  int interrupts_ = 0;

  std::unique_ptr<AdminHandler> admin_handler_;
  std::unique_ptr<http::Server> admin_;
  std::string admin_name_;
  std::string admin_address_;
  int admin_fd_ = -1;  // the server's

  struct Upgrade {
    uint64_t client = 0;
    std::optional<process::ProcessHandle> successor;
    bool served = false;  // it has, beside this process
    base::Duration trial{0};
    net::Cancellation over;
  };
  std::unique_ptr<Upgrade> upgrade_;
  // The new process that has been offered the sockets and does not have them to itself yet.
  struct Claimant {
    pid_t pid = 0;
    std::optional<process::ProcessHandle> process;  // nothing: it cannot be looked at, being in another container
    bool served = false;
  };
  std::optional<Claimant> claimant_;
  std::vector<process::ProcessHandle> given_up_;  // new processes that end, or are killed, before they serve
  std::optional<process::ProcessHandle> heir_;    // the new process that serves
  int ended_on_trial_ = 0;  // the signal that told this process to end while its predecessor still served
  bool handed_over_ = false;
  bool hurries_ = false;                   // shorten_drain() runs
  base::Instant drained_until_{};          // the end of the drain's limit
  std::vector<std::string> unix_sockets_;  // paths of listeners that are this program's to remove

  net::TaskGroup tasks_;
};

// Builds a Service, starts and runs it; tells `reporter` how the start went. Returns the exit status.
int serve(ServiceOptions options, process::StartupReporter* reporter);

}  // namespace llmgw::app
