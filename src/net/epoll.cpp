#include "net/epoll.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "net/system_calls.h"

namespace llmgw::net {
namespace {

constexpr int kEventsPerPoll = 256;  // more than one round handles; the rest stays in the kernel
constexpr base::Duration kSpinMin = std::chrono::microseconds(10);
// Little more than a wake-up takes: to look for longer costs more than it saves.
constexpr base::Duration kSpinMax = std::chrono::microseconds(80);

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
    const int count = wait(events, timeout_ms(loop, until), loop.few_requests());
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
  // Looks again and again for as long as recent waits say an event is near, then sleeps. To be woken on an idle
  // processor takes 5 us on bare metal and 50 us in a virtual machine, twice a request; who waits for milliseconds, as
  // between the tokens of a model, sleeps at once. The rule is that of Linux's guest halt polling
  // (Documentation/virt/guest-halt-polling.rst, 5.4): the time to look grows while sleeps are short, and a long one
  // ends it. Only with few requests in flight: with many there is work to do or processor time to save.
  int wait(std::array<epoll_event, kEventsPerPoll>& events, int timeout_ms, bool may_spin) {
    if (timeout_ms == 0) return wait_for_events(epoll_, events, 0);
    if (!may_spin) spin_ = base::Duration{0};
    const base::Instant start = now();
    if (spin_.count() > 0) {
      do {
        const int count = wait_for_events(epoll_, events, 0);
        if (count != 0) return count;
      } while (now() - start < spin_);
    }
    const int count = wait_for_events(epoll_, events, timeout_ms);
    if (may_spin) {
      const bool was_short = now() - start < kSpinMax;
      spin_ = was_short ? std::clamp(spin_ * 2, kSpinMin, kSpinMax) : base::Duration{0};
    }
    return count;
  }

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
  base::Duration spin_{0};
};

}  // namespace

std::unique_ptr<Poller> make_epoll_poller() {
  return std::make_unique<EpollPoller>();
}

Descriptor::~Descriptor() {
  if (fd_ < 0) return;
  // To close is not enough: while another process holds the socket too (one being started, until it executes its own
  // program; a successor with our listeners), epoll would go on reporting to who has gone.
  if (watched_) epoll_ctl(loop_.poller().descriptor(), EPOLL_CTL_DEL, fd_, nullptr);
  close(fd_);
}

base::Result<void> Descriptor::watch() {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &readiness_;
  if (epoll_ctl(loop_.poller().descriptor(), EPOLL_CTL_ADD, fd_, &event) != 0) {
    return fail(base::os_error(errno, "epoll_ctl"));
  }
  watched_ = true;
  return {};
}

}  // namespace llmgw::net
