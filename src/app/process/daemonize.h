// `start --daemon`: the program goes to the background, and the command returns only when the daemon serves, or says
// why it does not. Call before any thread exists and before the PID file is taken.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "app/process/file_descriptor.h"
#include "base/result.h"
#include "base/time.h"

namespace llmgw::process {

// The daemon's end of the start: says once how it went. If it dies in silence, that is a failure.
class StartupReporter {
 public:
  StartupReporter() = default;
  explicit StartupReporter(FileDescriptor channel) : channel_(std::move(channel)) {}
  // The program serves: the waiting command ends with status 0.
  void ready();
  // It never will; the command prints `message` and ends with `exit_status` (1 to 255). Then the caller exits.
  void failed(int exit_status, std::string_view message);

 private:
  void send(std::string_view report);
  FileDescriptor channel_;
};

struct StartupOutcome {
  int exit_status = 1;
  pid_t daemon = 0;     // its number if it is ready
  std::string message;  // why it failed, in one or a few lines; empty if it is ready
};

// What the daemon sent, all of it, read by the waiting command. Pure.
StartupOutcome read_startup_report(std::string_view report);

struct DaemonOptions {
  std::string log_path;  // where standard output and error go, appended; empty: /dev/null
  // A configuration of thousands of models is ready within a second; a start that takes a minute hangs.
  base::Duration ready_timeout = std::chrono::seconds(60);
};

struct Daemonized {
  bool in_daemon = false;
  StartupReporter reporter;  // in the daemon
  StartupOutcome outcome;    // in the command: print the message, exit with the status
};

// Returns twice: in the daemon at once (own session, no terminal, standard streams redirected, same working
// directory), in the command when the daemon has reported, died or let `ready_timeout` pass.
base::Result<Daemonized> daemonize(const DaemonOptions& options);

}  // namespace llmgw::process
