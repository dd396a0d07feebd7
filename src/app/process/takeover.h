// A new process takes the listening sockets over from the running one: `start` beside a running gateway, or the process
// that `upgrade` makes it start. Blocking, bounded by time-outs; at start, one thread.
//
//   auto takeover = Takeover::request(data_dir, timeout);        refused: nobody runs, bind as usual
//   ... accept on takeover->listeners() ...
//   takeover->announce_ready(timeout);                            the predecessor accepts no more, or has ended
//   PidFile::adopt(takeover->take_pid_file(), path); control_server->publish();
//
// Dropped before announce_ready() has returned, it leaves the predecessor serving as before. After that nobody else
// serves: whatever can fail stands before it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/process/file_descriptor.h"
#include "app/process/listening_sockets.h"
#include "base/result.h"
#include "base/time.h"

namespace llmgw::process {

class Takeover {
 public:
  // refused: no gateway runs with this data directory. permission: it refused; `reason`, if given, says why as JSON.
  static base::Result<Takeover> request(const std::string& data_dir, base::Duration timeout,
                                        std::string* reason = nullptr);

  // In the predecessor's order, non-blocking and close-on-exec. Take them out; those left in it are closed with it,
  // and connections waiting in their queues are reset once the predecessor has closed them too.
  std::vector<InheritedListener>& listeners() { return listeners_; }
  // The predecessor's locked PID file; invalid if it had none. Call once.
  FileDescriptor take_pid_file() { return std::move(pid_file_); }

  // Say it when every listener is accepted on. Returns when the predecessor has stopped accepting, which it does when
  // this process has served beside it for a moment, or is gone.
  // permission: it has taken its offer back; `reason`, if given, says why as JSON.
  // `wait`, if given, is called in between, and returns when `connection` is readable or `deadline` is over: meanwhile
  // the caller does what it likes. An error of it is returned, and the predecessor left as it was.
  using Waiting = std::move_only_function<base::Result<void>(int connection, base::Instant deadline)>;
  base::Result<void> announce_ready(base::Duration timeout, std::string* reason = nullptr, Waiting wait = {});

 private:
  Takeover() = default;
  FileDescriptor connection_;
  std::vector<InheritedListener> listeners_;
  FileDescriptor pid_file_;
};

}  // namespace llmgw::process
