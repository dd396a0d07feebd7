// The calls of one worker that wait for an instance of one model, and whose turn it is. One at a time has the turn and
// looks for an instance; when it has found one, the next gets it, in the order of the route's queue. One thread.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "net/io.h"
#include "routing/queue/admission_queue.h"

namespace llmgw::gateway {

class WaitingRoom {
 public:
  WaitingRoom(net::Loop& loop, const routing::QueueOptions& options) : queue_(options), changed_(loop) {}

  bool empty() const { return queue_.size() == 0 && turn_ == 0; }
  size_t waiting() const { return queue_.size(); }

  // One call's stay: it leaves with this object, whatever happens.
  class Stay {
   public:
    Stay(WaitingRoom& room, routing::WaiterId id) : room_(room), id_(id) {}
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;
    ~Stay() { room_.leave(id_); }

   private:
    WaitingRoom& room_;
    routing::WaiterId id_;
  };

  // On success the caller makes a Stay.
  auto enter(const routing::Waiter& waiter, base::Instant now) {
    auto entered = queue_.push(waiter, now, 0);
    if (entered) pass_on(now);
    return entered;
  }
  bool has_turn(routing::WaiterId id, base::Instant now) {
    pass_on(now);
    return turn_ == id;
  }
  // Something has changed: a place may be free, or the turn has passed on.
  net::Signal& changed() { return changed_; }
  routing::WaiterId new_id() { return ++last_id_; }

 private:
  void pass_on(base::Instant now) {
    if (turn_ != 0) return;
    if (const auto next = queue_.pop(now)) turn_ = next->id;
  }
  void leave(routing::WaiterId id) {
    if (turn_ == id) {
      turn_ = 0;
    } else {
      queue_.remove(id);
    }
    changed_.notify();
  }

  routing::AdmissionQueue queue_;
  net::Signal changed_;
  routing::WaiterId turn_ = 0;  // nobody's
  routing::WaiterId last_id_ = 0;
};

}  // namespace llmgw::gateway
