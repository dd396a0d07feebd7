#include "net/timer_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "base/rng.h"

namespace llmgw::net {
namespace {

using namespace std::chrono_literals;
using base::Instant;

struct CountingTimer : Timer {
  CountingTimer() : Timer([](Timer& timer) { ++static_cast<CountingTimer&>(timer).fired; }) {}
  int fired = 0;
};

TEST(TimerWheel, NeverEarlyAtMostOneTickLate) {
  const Instant start{};
  TimerWheel wheel(start);
  CountingTimer timer;
  wheel.arm(timer, start + 10500us);
  wheel.advance(start + 10ms);
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(start + 11ms);
  EXPECT_EQ(timer.fired, 1);
  EXPECT_EQ(wheel.next_wakeup(), base::kNever);
}

// Random timers against a plain map, over jumps that cross every level of the wheel.
TEST(TimerWheel, AgreesWithAReference) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    base::Rng rng(seed);
    const Instant start{};
    Instant now = start;
    TimerWheel wheel(start);
    std::vector<std::unique_ptr<CountingTimer>> timers;
    std::vector<Instant> due;
    for (int step = 0; step < 60; ++step) {
      for (int i = 0; i < 5; ++i) {
        const auto reach = base::Duration(int64_t{1} << rng.below(43));
        timers.push_back(std::make_unique<CountingTimer>());
        due.push_back(now + base::Duration(static_cast<int64_t>(rng.below(static_cast<uint64_t>(reach.count())))));
        wheel.arm(*timers.back(), due.back());
      }
      if (rng.chance(0.3)) {
        const size_t victim = rng.below(timers.size());
        if (timers[victim]->fired == 0) {
          timers[victim]->disarm();
          due[victim] = base::kNever;
        }
      }
      Instant earliest = base::kNever;
      for (size_t i = 0; i < timers.size(); ++i) {
        if (timers[i]->fired == 0) earliest = std::min(earliest, due[i]);
      }
      const Instant wakeup = wheel.next_wakeup();
      if (earliest != base::kNever) {
        ASSERT_LE(wakeup, std::max(earliest, now) + 2ms) << "seed " << seed;
      }
      now += base::Duration(static_cast<int64_t>(rng.below(uint64_t{1} << rng.below(42))));
      wheel.advance(now);
      for (size_t i = 0; i < timers.size(); ++i) {
        if (due[i] == base::kNever) {
          ASSERT_EQ(timers[i]->fired, 0);
        } else if (due[i] + 2ms <= now) {
          ASSERT_EQ(timers[i]->fired, 1) << "seed " << seed << " timer " << i;
        } else if (due[i] > now) {
          ASSERT_EQ(timers[i]->fired, 0) << "seed " << seed << " timer " << i;
        }
      }
    }
  }
}

TEST(TimerWheel, ATimerMayRearmItself) {
  struct Periodic : Timer {
    Periodic(TimerWheel& owner, Instant first)
        : Timer([](Timer& timer) {
            auto& self = static_cast<Periodic&>(timer);
            ++self.fired;
            self.next += 1ms;
            self.wheel.arm(self, self.next);
          }),
          wheel(owner),
          next(first) {}
    TimerWheel& wheel;
    Instant next;
    int fired = 0;
  };
  const Instant start{};
  TimerWheel wheel(start);
  Periodic timer(wheel, start + 1ms);
  wheel.arm(timer, timer.next);
  wheel.advance(start + 500ms);
  EXPECT_EQ(timer.fired, 500);
}

}  // namespace
}  // namespace llmgw::net
