// "Stop what you are waiting for": handed down to every operation of a request, fired once by whoever notices that the
// answer is no longer wanted. The waiting operation then ends with the given error. One thread (the loop's).
#pragma once

#include "base/intrusive_list.h"
#include "base/result.h"

namespace llmgw::net {

class Cancellation {
 public:
  // Something to be told. Dying, it withdraws itself.
  struct Listener : base::ListNode {
    using Notify = void (*)(Listener&);
    explicit Listener(Notify on_cancel) : notify(on_cancel) {}
    Notify notify;  // must not destroy coroutines: it may only wake or cancel further
  };

  Cancellation() = default;
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  void cancel(base::ErrorCode reason = base::ErrorCode::cancelled) {
    if (cancelled_) return;
    cancelled_ = true;
    reason_ = reason;
    while (!listeners_.empty()) {
      Listener& listener = listeners_.pop_front();
      listener.notify(listener);
    }
  }
  bool cancelled() const { return cancelled_; }
  base::ErrorCode reason() const { return reason_; }

  // Only while not cancelled().
  void add(Listener& listener) { listeners_.push_back(listener); }

 private:
  base::IntrusiveList<Listener> listeners_;
  bool cancelled_ = false;
  base::ErrorCode reason_ = base::ErrorCode::cancelled;
};

// A cancellation that also fires when its parent does. The parent must outlive it or be unlinked by dying first.
class LinkedCancellation : public Cancellation, private Cancellation::Listener {
 public:
  explicit LinkedCancellation(Cancellation& parent) : Listener(&on_parent), parent_(&parent) {
    if (parent.cancelled()) {
      cancel(parent.reason());
    } else {
      parent.add(*this);
    }
  }

 private:
  static void on_parent(Listener& listener) {
    auto& self = static_cast<LinkedCancellation&>(listener);
    self.cancel(self.parent_->reason());
  }
  Cancellation* parent_;
};

}  // namespace llmgw::net
