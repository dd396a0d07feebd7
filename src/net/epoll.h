// A descriptor watched by a loop's epoll, edge-triggered for both directions from its first moment: one system call a
// connection. Internal to net.
#pragma once

#include "base/result.h"
#include "net/loop.h"

namespace llmgw::net {

class Descriptor {
 public:
  Descriptor(Loop& loop, int fd) : loop_(loop), fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();  // closes

  base::Result<void> watch();
  int fd() const { return fd_; }
  Loop& loop() const { return loop_; }
  Readiness& readiness() { return readiness_; }

 private:
  Loop& loop_;
  int fd_;
  bool watched_ = false;
  Readiness readiness_;
};

}  // namespace llmgw::net
