// A descriptor that is no connection (signalfd, inotify, pidfd, another epoll) on a loop. One thread, the loop's.
#pragma once

#include <memory>

#include "net/io.h"
#include "net/network.h"
#include "net/task.h"

namespace llmgw::app {

class WatchedDescriptor {
 public:
  // Watches a duplicate: `fd` stays the caller's.
  static base::Result<WatchedDescriptor> watch(net::Loop& loop, int fd);

  // Ends when the descriptor has become readable since the last time; the caller then reads all there is.
  net::Task<base::Result<void>> readable(net::Wait wait);

 private:
  explicit WatchedDescriptor(std::unique_ptr<net::Stream> stream) : stream_(std::move(stream)) {}
  std::unique_ptr<net::Stream> stream_;  // for its readiness only
};

}  // namespace llmgw::app
