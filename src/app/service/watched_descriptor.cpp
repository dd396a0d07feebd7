#include "app/service/watched_descriptor.h"

#include <fcntl.h>

#include <cerrno>

namespace llmgw::app {

base::Result<WatchedDescriptor> WatchedDescriptor::watch(net::Loop& loop, int fd) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return base::fail(base::os_error(errno, "watching a descriptor"));
  TRY(stream, net::adopt_stream(loop, copy, {}));
  return WatchedDescriptor(std::move(stream));
}

net::Task<base::Result<void>> WatchedDescriptor::readable(net::Wait wait) {
  auto ready = co_await net::wait_readable(*stream_, wait);
  // Edge-triggered: what comes from now on is a new edge.
  if (ready) stream_->readiness().readable = false;
  co_return ready;
}

}  // namespace llmgw::app
