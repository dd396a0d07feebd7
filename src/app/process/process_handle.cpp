#include "app/process/process_handle.h"

#include <poll.h>
#include <sys/syscall.h>

#include <cerrno>

#include "app/process/deadline.h"

namespace llmgw::process {

base::Result<ProcessHandle> ProcessHandle::open(pid_t pid) {
  FileDescriptor handle(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (handle.valid()) return ProcessHandle(std::move(handle), pid);
  if (errno == ESRCH) return base::fail(base::ErrorCode::not_found, "open a process");
  return base::fail(base::os_error(errno, "open a process"));
}

base::Result<void> ProcessHandle::send_signal(int number) const {
  if (syscall(SYS_pidfd_send_signal, handle_.get(), number, nullptr, 0) == 0) return {};
  if (errno == ESRCH) return base::fail(base::ErrorCode::not_found, "signal a process");
  return base::fail(base::os_error(errno, "signal a process"));
}

base::Result<void> ProcessHandle::wait_for_end(base::Duration timeout) const {
  return wait_until(handle_.get(), POLLIN, base::real_now() + timeout);
}

}  // namespace llmgw::process
