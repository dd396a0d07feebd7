#include "net/loop.h"

#include <utility>

namespace llmgw::net {

void Suspension::park(Suspension*& slot) {
  leave_slot();
  slot_ = &slot;
  slot = this;
}

void Suspension::leave_slot() {
  if (slot_ != nullptr) {
    *slot_ = nullptr;
    slot_ = nullptr;
  }
}

void Suspension::suspend(std::coroutine_handle<> handle, const Wait& wait) {
  handle_ = handle;
  order_ = wait.order;
  if (wait.deadline != base::kNever) loop_.timers_.arm(timer_, wait.deadline);
  if (wait.cancellation != nullptr) {
    cancellation_ = wait.cancellation;
    if (wait.cancellation->cancelled()) {
      wake(Wake::cancelled);
    } else {
      wait.cancellation->add(cancel_);
    }
  }
}

bool Suspension::expired(const Wait& wait) {
  if (wait.cancellation != nullptr && wait.cancellation->cancelled()) {
    cancellation_ = wait.cancellation;
    wake_ = Wake::cancelled;
    return true;
  }
  if (wait.deadline <= loop_.now()) {
    wake_ = Wake::deadline;
    return true;
  }
  return false;
}

void Suspension::wake(Wake reason) {
  leave_slot();
  wake_ = reason;
  if (!linked()) loop_.ready_[static_cast<size_t>(order_)].push_back(*this);
}

void Suspension::on_deadline(Timer& timer) {
  static_cast<DeadlineTimer&>(timer).owner.wake(Wake::deadline);
}

void Suspension::on_cancel(Cancellation::Listener& listener) {
  static_cast<CancelListener&>(listener).owner.wake(Wake::cancelled);
}

base::Error Suspension::wake_error(const char* context) const {
  if (wake_ == Wake::deadline) return {base::ErrorCode::deadline_exceeded, context, 0};
  return {cancellation_ != nullptr ? cancellation_->reason() : base::ErrorCode::cancelled, context, 0};
}

void Readiness::signal(Loop& loop, bool now_readable, bool now_writable, bool now_hangup) {
  readable |= now_readable || now_hangup;
  writable |= now_writable || now_hangup;
  if (readable && reader != nullptr) loop.make_ready(*reader);
  if (writable && writer != nullptr) loop.make_ready(*writer);
  if (now_hangup && !hangup) {
    hangup = true;
    if (on_hangup != nullptr) on_hangup->cancel(base::ErrorCode::closed);
  }
}

Loop::Loop(std::unique_ptr<Poller> poller, uint64_t seed)
    : poller_(std::move(poller)),
      now_(poller_->now()),
      wall_now_(poller_->wall_now()),
      timers_(now_),
      rng_(seed),
      scratch_(std::make_unique_for_overwrite<char[]>(kScratchBytes)) {}

Loop::~Loop() = default;

void Loop::run(Suspension& suspension) {
  turns_left_ = kImmediateCompletionsMax;
  if (suspension.wake_ != Suspension::Wake::ready || suspension.attempt_(suspension)) {
    suspension.leave_slot();
    suspension.timer_.disarm();
    suspension.cancel_.unlink();
    suspension.handle_.resume();
  }
}

// What becomes ready while these run waits for the next round, after a look at the sockets.
void Loop::run_ready() {
  run_beginnings();
  auto& batch = batch_[static_cast<size_t>(Order::continuation)];
  batch.take(ready_[static_cast<size_t>(Order::continuation)]);
  while (!batch.empty()) {
    run(batch.pop_front());
    if (sender_count_ >= kSendersMax) run_senders();
    give_way();
  }
  run_senders();
}

void Loop::run_beginnings() {
  auto& batch = batch_[static_cast<size_t>(Order::beginning)];
  batch.take(ready_[static_cast<size_t>(Order::beginning)]);
  while (!batch.empty()) {
    run(batch.pop_front());
    if (sender_count_ >= kSendersMax) run_senders(Order::beginning);
  }
  run_senders(Order::beginning);
}

void Loop::run_senders() {
  run_senders(Order::beginning);
  run_senders(Order::continuation);
}

void Loop::run_senders(Order order) {
  base::IntrusiveList<SendTurn> now;
  now.take(senders_[static_cast<size_t>(order)]);
  while (!now.empty()) {
    turns_left_ = kImmediateCompletionsMax;
    now.pop_front().handle_.resume();
    if (order == Order::beginning) continue;
    ++continuations_;  // twice: to send takes longer than all the rest of it
    give_way();
  }
  if (senders_[0].empty() && senders_[1].empty()) sender_count_ = 0;
}

// After a continuation: lets beginnings that have come meanwhile go first.
void Loop::give_way() {
  if (++continuations_ < kContinuationsPerLook) return;
  continuations_ = 0;
  poller_->poll(*this, now_);
  run_beginnings();
}

void Loop::run_posted() {
  if (!has_posted_.load(std::memory_order_acquire)) return;
  std::vector<std::move_only_function<void()>> functions;
  {
    std::lock_guard lock(posted_mutex_);
    functions.swap(posted_);
    has_posted_.store(false, std::memory_order_relaxed);
  }
  for (auto& function : functions) {
    turns_left_ = kImmediateCompletionsMax;
    function();
  }
}

bool Loop::iterate(bool may_block) {
  ++iterations_;
  base::Instant until = now_;
  if (may_block && !anything_ready() && !has_posted_.load(std::memory_order_acquire)) until = timers_.next_wakeup();
  const bool idle_for_ever = until == base::kNever;
  poller_->poll(*this, until);
  now_ = poller_->now();
  wall_now_ = poller_->wall_now();
  turns_left_ = kImmediateCompletionsMax;
  timers_.advance(now_);
  const bool progress = !idle_for_ever || anything_ready();
  run_posted();
  continuations_ = 0;
  run_ready();
  return progress;
}

void Loop::run() {
  while (!stopped_.load(std::memory_order_acquire)) iterate(true);
  stopped_.store(false, std::memory_order_relaxed);
}

bool Loop::run_until(const std::function<bool()>& done) {
  const bool simulated = poller_->descriptor() < 0;
  while (!done()) {
    const bool progress = iterate(true);
    if (simulated && !progress && !anything_ready() && timers_.next_wakeup() == base::kNever &&
        !has_posted_.load(std::memory_order_acquire)) {
      return done();
    }
  }
  return true;
}

void Loop::stop() {
  stopped_.store(true, std::memory_order_release);
  poller_->wake();
}

void Loop::post(std::move_only_function<void()> function) {
  {
    std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(function));
    has_posted_.store(true, std::memory_order_release);
  }
  poller_->wake();
}

}  // namespace llmgw::net
