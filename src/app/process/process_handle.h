// Another process, named so that a recycled number cannot be hit by mistake (pidfd_open(2)). One thread.
#pragma once

#include <sys/types.h>

#include "app/process/file_descriptor.h"
#include "base/result.h"
#include "base/time.h"

namespace llmgw::process {

class ProcessHandle {
 public:
  // not_found: no such process.
  static base::Result<ProcessHandle> open(pid_t pid);

  // Readable once the process has ended (also while it is a zombie).
  int fd() const { return handle_.get(); }
  pid_t pid() const { return pid_; }

  // not_found: it has ended.
  base::Result<void> send_signal(int number) const;
  // deadline_exceeded: it still runs after `timeout`.
  base::Result<void> wait_for_end(base::Duration timeout) const;

 private:
  ProcessHandle(FileDescriptor handle, pid_t pid) : handle_(std::move(handle)), pid_(pid) {}
  FileDescriptor handle_;
  pid_t pid_;
};

}  // namespace llmgw::process
