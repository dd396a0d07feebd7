// Timers of one loop: a hierarchical timing wheel (Varghese and Lauck, 1987) of 1 ms ticks. Arming, re-arming and
// disarming are O(1) and allocate nothing; a timer never fires early and at most one tick late. One thread.
#pragma once

#include <array>
#include <cstdint>

#include "base/intrusive_list.h"
#include "base/time.h"

namespace llmgw::net {

// Lives in whatever waits; disarms itself when it dies. `fire` may destroy the timer.
struct Timer : base::ListNode {
  using Fire = void (*)(Timer&);
  explicit Timer(Fire on_fire) : fire(on_fire) {}
  bool armed() const { return linked(); }
  void disarm() { unlink(); }

  Fire fire;
  uint64_t due_tick = 0;
};

class TimerWheel {
 public:
  static constexpr base::Duration kTick = std::chrono::milliseconds(1);

  explicit TimerWheel(base::Instant start) : start_(start) {}

  // Fires at or after `due`. A due time in the past fires at the next advance().
  void arm(Timer& timer, base::Instant due);
  // Fires everything due at `now`; `now` must not go backwards.
  void advance(base::Instant now);
  // A time not after the first timer's due time at which advance() has work; kNever when nothing is armed.
  base::Instant next_wakeup();

 private:
  static constexpr int kLevels = 4;
  static constexpr int kBits = 8;  // 256 slots a level: 256 ms, 65 s, 4.6 h, 49 days
  static constexpr uint64_t kSlots = 1u << kBits;
  static constexpr uint64_t kReach = (uint64_t{1} << (kBits * kLevels)) - 1;

  struct Level {
    std::array<base::IntrusiveList<Timer>, kSlots> slots;
    std::array<uint64_t, kSlots / 64> occupied{};  // may be set for a slot that has emptied since
  };

  void place(Timer& timer);
  void cascade(int level);
  bool next_occupied(int level, uint64_t from, uint64_t& slot);

  base::Instant start_;
  uint64_t tick_ = 0;  // the last tick that was fired
  std::array<Level, kLevels> levels_;
};

}  // namespace llmgw::net
