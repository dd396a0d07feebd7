// Tells systemd how the service is: the datagrams of sd_notify(3) (systemd 252), written by hand. Without
// $NOTIFY_SOCKET every call does nothing and succeeds. Errors are for the log; serving never depends on them.
// Made at start, before threads exist; then any one thread.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "app/process/file_descriptor.h"
#include "base/result.h"
#include "base/time.h"

namespace llmgw::process {

class SystemdNotifier {
 public:
  // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; leaves them for a successor this process starts.
  static base::Result<SystemdNotifier> from_environment();
  // `address`: a path, or @name in the abstract name space; empty: notifies nobody.
  static base::Result<SystemdNotifier> connect_to(std::string_view address);

  bool active() const { return socket_.valid(); }

  base::Result<void> ready(std::string_view status);
  // `now` from the kernel's monotonic clock (base::real_now()). Followed by ready() when the reload is over.
  base::Result<void> reloading(base::Instant now);
  base::Result<void> stopping();
  // One line for `systemctl status`; line breaks become spaces.
  base::Result<void> status(std::string_view text);
  // Said by a predecessor: `successor` is the service's main process from now on.
  base::Result<void> main_process(pid_t successor);
  base::Result<void> watchdog();

  // How often watchdog() must be called: half of what systemd waits. Empty: it does not watch this process.
  std::optional<base::Duration> watchdog_period() const { return watchdog_period_; }

 private:
  base::Result<void> send(std::string_view state);
  FileDescriptor socket_;
  std::optional<base::Duration> watchdog_period_;
};

// WATCHDOG_USEC and WATCHDOG_PID as the environment has them, nullptr where absent. Pure.
std::optional<base::Duration> read_watchdog_period(const char* usec, const char* pid, pid_t own_pid);

}  // namespace llmgw::process
