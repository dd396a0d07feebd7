// The event loop of one worker thread: readiness in, coroutines resumed, timers fired. Where readiness and time come
// from is the Poller's business: epoll and the real clock, or the simulated world (net/sim).
// Everything here belongs to the loop's thread, except post() and stop().
#pragma once

#include <array>
#include <atomic>
#include <coroutine>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/intrusive_list.h"
#include "base/rng.h"
#include "base/time.h"
#include "net/cancellation.h"
#include "net/timer_wheel.h"

namespace llmgw::net {

class Loop;

// Who goes first on a busy loop. Somebody waits for a `beginning`: a request, the first bytes of an answer. A
// `continuation` is a piece of a stream under way, which is late by what it gives way to and no more: between any two
// looks at the sockets the loop serves kContinuationsPerLook of them.
enum class Order : uint8_t { beginning, continuation };

// How long an operation may take and what may end it early.
struct Wait {
  base::Instant deadline = base::kNever;
  Cancellation* cancellation = nullptr;
  Order order = Order::beginning;
};

// A suspended operation. It lives in the awaiter, and so in the waiting coroutine's frame; dying, it leaves every list.
class Suspension : public base::ListNode {
 public:
  // Tries to complete. False: not yet, and the attempt has parked itself again.
  using Attempt = bool (*)(Suspension&);
  enum class Wake : uint8_t { ready, deadline, cancelled };

  Suspension(Loop& loop, Attempt attempt) : loop_(loop), attempt_(attempt) {}
  ~Suspension() { leave_slot(); }

  // Waits in `slot` until whoever owns the slot calls Loop::make_ready.
  void park(Suspension*& slot);
  // Called once by await_suspend: arms deadline and cancellation.
  void suspend(std::coroutine_handle<> handle, const Wait& wait);

  // True if the wait is already over: cancelled, or past its deadline.
  bool expired(const Wait& wait);

  Wake wake_reason() const { return wake_; }
  // The error to report when wake_reason() is not ready.
  base::Error wake_error(const char* context) const;
  Loop& loop() const { return loop_; }

 private:
  friend class Loop;
  void leave_slot();
  void wake(Wake reason);
  static void on_deadline(Timer& timer);
  static void on_cancel(Cancellation::Listener& listener);

  struct DeadlineTimer : Timer {
    explicit DeadlineTimer(Suspension& suspension) : Timer(&on_deadline), owner(suspension) {}
    Suspension& owner;
  };
  struct CancelListener : Cancellation::Listener {
    explicit CancelListener(Suspension& suspension) : Listener(&on_cancel), owner(suspension) {}
    Suspension& owner;
  };

  Loop& loop_;
  Attempt attempt_;
  std::coroutine_handle<> handle_;
  Suspension** slot_ = nullptr;
  DeadlineTimer timer_{*this};
  CancelListener cancel_{*this};
  const Cancellation* cancellation_ = nullptr;
  Wake wake_ = Wake::ready;
  Order order_ = Order::beginning;
};

// Where events come from.
class Poller {
 public:
  virtual ~Poller() = default;
  virtual base::Instant now() = 0;
  virtual base::WallTime wall_now() = 0;
  // Waits for events until `until` at most (kNever: until woken), and reports them through Readiness::signal.
  virtual void poll(Loop& loop, base::Instant until) = 0;
  // Ends a poll(). Any thread.
  virtual void wake() = 0;
  // The epoll descriptor; -1 in the simulated world, where no real descriptor can be watched.
  virtual int descriptor() const { return -1; }
};

std::unique_ptr<Poller> make_epoll_poller();

// What is known of a connection's readiness, and who waits for it. Written by the poller or by a simulated pipe.
struct Readiness {
  bool readable = false;
  bool writable = false;
  bool hangup = false;  // the peer closed or broke the connection; unread bytes may be left
  Suspension* reader = nullptr;
  Suspension* writer = nullptr;
  Cancellation* on_hangup = nullptr;  // fired once when hangup turns true

  void signal(Loop& loop, bool now_readable, bool now_writable, bool now_hangup);
};

// co_await send_turn(loop), before a send that answers what this turn of the loop has read: what is read in one turn is
// sent at the end of it, together. A receiver on this machine then wakes once for all of it; to wake one is the dearest
// part of a send. When nothing else is ready it goes on at once, so it delays nothing on a loop that is not busy.
class SendTurn : public base::ListNode {
 public:
  SendTurn(Loop& loop, Order order) : loop_(loop), order_(order) {}
  inline bool await_ready() const;
  inline void await_suspend(std::coroutine_handle<> handle);
  void await_resume() const {}

 private:
  friend class Loop;
  Loop& loop_;
  Order order_;
  std::coroutine_handle<> handle_;
};

class Loop {
 public:
  // Senders that wait for the end of a turn. More would only add to the delay of the first.
  static constexpr size_t kSendersMax = 32;
  // Shared by everything on this loop between two suspensions: large enough for the biggest read worth one system call.
  static constexpr size_t kScratchBytes = 64 * 1024;
  // Up to here a request's latency is made of wake-ups, beyond it of work.
  static constexpr uint64_t kFewRequests = 2;
  // What is served between two looks; a piece that is received counts one, one that is sent two: four pieces of a
  // stream. A look costs 0.3 us and such a piece 12, so looks take 1 % of a busy loop, and a beginning is late by 50
  // us.
  static constexpr size_t kContinuationsPerLook = 12;
  // Operations that complete at once before a coroutine must let others run.
  static constexpr int kImmediateCompletionsMax = 64;

  explicit Loop(std::unique_ptr<Poller> poller, uint64_t seed = base::system_random());
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  // Runs until stop(). May be called again afterwards.
  void run();
  // Runs until `done` says so or nothing can ever happen again (simulated world only); false in the latter case.
  bool run_until(const std::function<bool()>& done);
  // Any thread.
  void stop();
  // Runs `function` on the loop's thread. Any thread. For control, not for requests: it takes a lock.
  void post(std::move_only_function<void()> function);

  base::Instant now() const { return now_; }  // taken once an iteration
  base::WallTime wall_now() const { return wall_now_; }
  // Reads the clock: for measuring work inside one iteration.
  base::Instant precise_now() { return poller_->now(); }
  TimerWheel& timers() { return timers_; }
  base::Rng& rng() { return rng_; }
  Poller& poller() { return *poller_; }
  std::span<char> scratch() { return {scratch_.get(), kScratchBytes}; }

  // Queues a suspended operation for another attempt; it leaves the slot it waits in.
  void make_ready(Suspension& suspension) { suspension.wake(Suspension::Wake::ready); }
  // False once a coroutine has had its share of immediate completions: it must suspend and queue itself.
  bool take_turn() { return --turns_left_ > 0; }
  // What the server on this loop is handling. With few requests waits may be spent looking instead of sleeping.
  void set_requests_in_flight(uint64_t count) { few_requests_ = count <= kFewRequests; }
  bool few_requests() const { return few_requests_; }
  // Iterations so far: lets a watchdog see that the loop is alive.
  uint64_t iterations() const { return iterations_; }

 private:
  friend class Suspension;
  friend class SendTurn;
  void run_ready();
  void run_beginnings();
  void run_senders();
  void run_senders(Order order);
  void run(Suspension& suspension);
  void give_way();
  void run_posted();
  bool iterate(bool may_block);

  std::unique_ptr<Poller> poller_;
  base::Instant now_;
  base::WallTime wall_now_;
  TimerWheel timers_;
  base::Rng rng_;
  std::unique_ptr<char[]> scratch_;
  bool anything_ready() const { return !ready_[0].empty() || !ready_[1].empty(); }

  std::array<base::IntrusiveList<Suspension>, 2> ready_;  // by Order
  std::array<base::IntrusiveList<Suspension>, 2> batch_;  // what this turn still has to run
  std::array<base::IntrusiveList<SendTurn>, 2> senders_;  // by Order
  size_t continuations_ = 0;                              // since the last look at the sockets
  size_t sender_count_ = 0;                               // those that have queued since the queues were empty
  int turns_left_ = kImmediateCompletionsMax;
  bool few_requests_ = true;
  uint64_t iterations_ = 0;

  std::mutex posted_mutex_;
  std::vector<std::move_only_function<void()>> posted_;
  std::atomic<bool> has_posted_ = false;
  std::atomic<bool> stopped_ = false;
};

inline bool SendTurn::await_ready() const {
  return loop_.batch_[0].empty() && loop_.batch_[1].empty() && loop_.senders_[0].empty() && loop_.senders_[1].empty();
}
inline void SendTurn::await_suspend(std::coroutine_handle<> handle) {
  handle_ = handle;
  loop_.senders_[static_cast<size_t>(order_)].push_back(*this);
  ++loop_.sender_count_;
}
inline SendTurn send_turn(Loop& loop, Order order = Order::beginning) {
  return {loop, order};
}

}  // namespace llmgw::net
