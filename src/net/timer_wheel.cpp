#include "net/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace llmgw::net {
namespace {

constexpr uint64_t index_at(uint64_t tick, int level, int bits) {
  return (tick >> (level * bits)) & ((uint64_t{1} << bits) - 1);
}

}  // namespace

void TimerWheel::arm(Timer& timer, base::Instant due) {
  const base::Duration delay = due - start_;
  const int64_t ticks = delay.count() <= 0 ? 0 : (delay.count() + kTick.count() - 1) / kTick.count();
  timer.due_tick = std::max(static_cast<uint64_t>(ticks), tick_ + 1);
  timer.due_tick = std::min(timer.due_tick, tick_ + kReach);
  place(timer);
}

// The level is that of the highest byte in which the due tick differs from the current one.
void TimerWheel::place(Timer& timer) {
  const uint64_t difference = timer.due_tick ^ tick_;
  const int level = std::min(kLevels - 1, (63 - std::countl_zero(difference | 1)) / kBits);
  const uint64_t slot = index_at(timer.due_tick, level, kBits);
  levels_[level].slots[slot].push_back(timer);
  levels_[level].occupied[slot / 64] |= uint64_t{1} << (slot % 64);
}

void TimerWheel::cascade(int level) {
  const uint64_t slot = index_at(tick_, level, kBits);
  base::IntrusiveList<Timer> moved;
  moved.take(levels_[level].slots[slot]);
  levels_[level].occupied[slot / 64] &= ~(uint64_t{1} << (slot % 64));
  while (!moved.empty()) place(moved.pop_front());
}

void TimerWheel::advance(base::Instant now) {
  const base::Duration elapsed = now - start_;
  const uint64_t target = elapsed.count() <= 0 ? 0 : static_cast<uint64_t>(elapsed / kTick);
  while (tick_ < target) {
    // Jump over empty stretches of the lowest level, but stop where a higher level has to be cascaded.
    uint64_t slot = 0;
    const uint64_t boundary = (tick_ | (kSlots - 1)) + 1;
    uint64_t next = boundary;
    if (next_occupied(0, index_at(tick_, 0, kBits) + 1, slot)) next = (tick_ & ~(kSlots - 1)) + slot;
    if (next > target) {
      tick_ = target;
      return;
    }
    tick_ = next;
    for (int level = kLevels - 1; level > 0; --level) {
      if ((tick_ & ((uint64_t{1} << (level * kBits)) - 1)) == 0) cascade(level);
    }
    const uint64_t current = index_at(tick_, 0, kBits);
    base::IntrusiveList<Timer> due;
    due.take(levels_[0].slots[current]);
    levels_[0].occupied[current / 64] &= ~(uint64_t{1} << (current % 64));
    while (!due.empty()) {
      Timer& timer = due.pop_front();
      timer.fire(timer);
    }
  }
}

bool TimerWheel::next_occupied(int level, uint64_t from, uint64_t& slot) {
  auto& occupied = levels_[level].occupied;
  for (uint64_t i = from; i < kSlots;) {
    const uint64_t word = occupied[i / 64] >> (i % 64);
    if (word == 0) {
      i = (i / 64 + 1) * 64;
      continue;
    }
    i += static_cast<uint64_t>(std::countr_zero(word));
    if (!levels_[level].slots[i].empty()) {
      slot = i;
      return true;
    }
    occupied[i / 64] &= ~(uint64_t{1} << (i % 64));
  }
  return false;
}

base::Instant TimerWheel::next_wakeup() {
  for (int level = 0; level < kLevels; ++level) {
    uint64_t slot = 0;
    if (!next_occupied(level, index_at(tick_, level, kBits) + 1, slot)) continue;
    const uint64_t width = uint64_t{1} << ((level + 1) * kBits);
    const uint64_t tick = (tick_ & ~(width - 1)) + (slot << (level * kBits));
    return start_ + kTick * static_cast<int64_t>(tick);
  }
  // The top level wraps: what lies before the current slot there is due in its next turn.
  uint64_t slot = 0;
  if (next_occupied(kLevels - 1, 0, slot)) {
    const uint64_t width = uint64_t{1} << (kLevels * kBits);
    return start_ + kTick * static_cast<int64_t>((tick_ & ~(width - 1)) + width + (slot << ((kLevels - 1) * kBits)));
  }
  return base::kNever;
}

}  // namespace llmgw::net
