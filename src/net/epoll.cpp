#include "net/epoll.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

namespace llmgw::net {
namespace {

constexpr int kEventsPerPoll = 256;  // more than one round handles; the rest stays in the kernel

class EpollPoller : public Poller {
 public:
  EpollPoller() : epoll_(epoll_create1(EPOLL_CLOEXEC)), event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.ptr = nullptr;
    if (epoll_ < 0 || event_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &event) != 0) std::abort();
  }
  ~EpollPoller() override {
    close(event_);
    close(epoll_);
  }

  base::Instant now() override { return base::real_now(); }
  base::WallTime wall_now() override { return base::real_wall_now(); }
  int descriptor() const override { return epoll_; }

  void poll(Loop& loop, base::Instant until) override {
    std::array<epoll_event, kEventsPerPoll> events;
    const int count = epoll_wait(epoll_, events.data(), kEventsPerPoll, timeout_ms(loop, until));
    for (int i = 0; i < count; ++i) {
      const uint32_t mask = events[i].events;
      auto* readiness = static_cast<Readiness*>(events[i].data.ptr);
      // The eventfd only ends the wait; its counter never overflows in practice and needs no reading (edge-triggered).
      if (readiness == nullptr) continue;
      const bool hangup = (mask & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0;
      readiness->signal(loop, (mask & EPOLLIN) != 0, (mask & EPOLLOUT) != 0, hangup);
    }
  }

  void wake() override {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(event_, &one, sizeof one);
  }

 private:
  static int timeout_ms(Loop& loop, base::Instant until) {
    if (until == base::kNever) return -1;
    const base::Duration left = until - loop.now();
    if (left.count() <= 0) return 0;
    constexpr int64_t kNanosecondsPerMs = 1'000'000;
    constexpr int64_t kLongestMs = 60'000;
    return static_cast<int>(std::min((left.count() + kNanosecondsPerMs - 1) / kNanosecondsPerMs, kLongestMs));
  }

  int epoll_;
  int event_;
};

}  // namespace

std::unique_ptr<Poller> make_epoll_poller() {
  return std::make_unique<EpollPoller>();
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

base::Result<void> Descriptor::watch() {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &readiness_;
  if (epoll_ctl(loop_.poller().descriptor(), EPOLL_CTL_ADD, fd_, &event) != 0) {
    return fail(base::os_error(errno, "epoll_ctl"));
  }
  return {};
}

}  // namespace llmgw::net
