#include "control/sharing/tally.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"

namespace llmgw::control {
namespace {

using admission::kMinute;
using admission::kSecond;
using admission::Nanoseconds;

// What the scripts do, as far as sums go; the scripts themselves are run by tests/e2e/shared_limits_test.py.
struct SimulatedRedis {
  struct Mark {
    uint64_t number = 0;
    int64_t total = 0;
  };
  struct Period {
    std::optional<int64_t> sum;
    int64_t base = 0;  // of the sum: from before this memory
    std::string memory;
    std::map<std::string, Mark> marks;
  };
  std::map<int64_t, Period> periods;
  std::map<std::string, Mark> window_marks;
  std::map<int64_t, Nanoseconds> window;  // use by slice

  void book_window(const std::string& gateway, Nanoseconds length, Nanoseconds confirmed,
                   const std::vector<WindowTally::Point>& points, Nanoseconds told_at, Nanoseconds now) {
    const auto found = window_marks.find(gateway);
    Mark mark = found == window_marks.end() ? Mark{0, confirmed} : found->second;
    for (const auto& point : points) {
      if (point.number <= mark.number) continue;
      const Nanoseconds time = now - (told_at - point.time);
      if (time > now - length) window[time / (length / WindowTally::kSlices)] += point.total - mark.total;
      mark = {point.number, point.total};
    }
    if (mark.number != 0) window_marks[gateway] = mark;
  }
  int64_t book_budget(const std::string& gateway, const BudgetTally::Period& told) {
    Period& period = periods[told.end];
    const auto found = period.marks.find(gateway);
    const bool is_new = found == period.marks.end();
    if (is_new) learn(period, told);
    const Mark mark = is_new ? Mark{0, told.confirmed.total} : found->second;
    if (is_new || told.newest.number > mark.number) {
      *period.sum += told.newest.total - mark.total;
      period.marks[gateway] = {told.newest.number, told.newest.total};
    }
    return *period.sum;
  }
  static void learn(Period& period, const BudgetTally::Period& told) {
    static int memories = 0;
    if (!period.sum) {
      period.sum = period.base = told.sum;
      period.memory = std::to_string(++memories);
    }
    if (told.sum <= 0) return;
    const bool other = !told.memory.empty() && told.memory != period.memory;
    const int64_t raised = told.sum - (other ? period.base : *period.sum);
    if (raised <= 0) return;
    *period.sum += raised;
    period.base += raised;
  }
  Nanoseconds in_window() const {
    return std::accumulate(window.begin(), window.end(), Nanoseconds{0},
                           [](Nanoseconds sum, const auto& slice) { return sum + slice.second; });
  }
};

std::vector<WindowTally::Point> points_of(const WindowTally& tally) {
  return {tally.telling().begin(), tally.telling().end()};
}

// Gateways that use a window and a budget and tell Redis over a network that loses, delays, repeats and reorders.
class Cluster {
 public:
  static constexpr Nanoseconds kLength = 100 * kMinute;  // nothing leaves the window here
  static constexpr int64_t kPeriod = 60;                 // seconds

  Cluster(uint64_t seed, size_t gateways) : rng_(seed) {
    for (size_t i = 0; i < gateways; ++i) start();
  }

  void step() {
    now_ += static_cast<Nanoseconds>(rng_.below(200'000'000));
    for (Gateway& gateway : gateways_) {
      use(gateway);
      collect(gateway);
      if (rng_.chance(0.5)) tell(gateway);
    }
    for (size_t i = rng_.below(4); i > 0 && !on_the_way_.empty(); --i) run(rng_.below(on_the_way_.size()));
  }
  // Everything arrives, in some order, and then all is told once more.
  void settle() {
    while (!on_the_way_.empty()) run(rng_.below(on_the_way_.size()));
    for (Gateway& gateway : gateways_) {
      while (gateway.waits()) collect(gateway);
      // What was told last, and what was used since.
      for (int i = 0; i < 2; ++i) {
        on_the_way_.push_back(telling_of(gateway));
        answer_lost_ = false;
        run(on_the_way_.size() - 1);
      }
      EXPECT_FALSE(gateway.window.untold());
      EXPECT_FALSE(gateway.budget.untold());
    }
  }
  // A new process in the place of one; what that had not told is lost with it.
  void replace(size_t index) {
    settle();
    gateways_.erase(gateways_.begin() + static_cast<ptrdiff_t>(index));
    start();
  }
  SimulatedRedis redis;
  Nanoseconds used_window = 0;
  std::map<int64_t, int64_t> used_budget;  // by the end of the period

 private:
  struct Gateway {
    std::string name;
    WindowTally window;
    BudgetTally budget;
    Nanoseconds untold_window = 0;
    int64_t charged = 0, before = 0, end = 0;
    bool waits() const { return !budget.periods().empty() && budget.periods().back().end != end; }
  };
  struct Telling {
    std::string gateway;
    Nanoseconds at;
    WindowTally::Mark mark;
    Nanoseconds confirmed;
    std::vector<WindowTally::Point> points;
    std::vector<BudgetTally::Period> periods;
  };

  void start() { gateways_.emplace_back().name = "gateway-" + std::to_string(++started_); }

  void use(Gateway& gateway) {
    const int64_t wall = now_ / kSecond;
    const int64_t end = wall - wall % kPeriod + kPeriod;
    if (gateway.end != end) {
      if (gateway.end != 0) gateway.before = gateway.charged;
      gateway.end = end;
    }
    if (rng_.chance(0.3)) return;
    const auto amount = static_cast<int64_t>(rng_.below(1000)) - 200;  // corrections among them
    gateway.charged += amount;
    used_budget[end] += amount;
    gateway.untold_window += amount;
    used_window += amount;
  }
  void collect(Gateway& gateway) {
    ++number_;
    gateway.window.use(number_, std::exchange(gateway.untold_window, 0), kLength, now_);
    gateway.budget.collect(number_, {.before = gateway.before, .end = gateway.end, .charged = gateway.charged});
    gateway.budget.forget(now_ / kSecond);
  }
  Telling telling_of(Gateway& gateway) const {
    const WindowTally::Mark mark = gateway.window.begin_telling();
    return {.gateway = gateway.name,
            .at = now_,
            .mark = mark,
            .confirmed = gateway.window.confirmed().total,
            .points = points_of(gateway.window),
            .periods = {gateway.budget.periods().begin(), gateway.budget.periods().end()}};
  }
  void tell(Gateway& gateway) {
    if (rng_.chance(0.1)) return;  // lost on its way
    on_the_way_.push_back(telling_of(gateway));
    if (rng_.chance(0.2)) on_the_way_.push_back(telling_of(gateway));  // it comes twice
  }
  void run(size_t index) {
    const Telling telling = on_the_way_[index];
    on_the_way_.erase(on_the_way_.begin() + static_cast<ptrdiff_t>(index));
    redis.book_window(telling.gateway, kLength, telling.confirmed, telling.points, telling.at, now_);
    std::vector<int64_t> sums;
    for (const auto& period : telling.periods) sums.push_back(redis.book_budget(telling.gateway, period));
    if (answer_lost_ && rng_.chance(0.5)) return;
    for (Gateway& gateway : gateways_) {
      if (gateway.name != telling.gateway) continue;
      gateway.window.confirm(telling.mark);
      for (size_t i = 0; i < sums.size(); ++i) {
        const int64_t end = telling.periods[i].end;
        gateway.budget.confirm(end, telling.periods[i].newest, sums[i], redis.periods[end].memory);
      }
    }
    answer_lost_ = true;
  }

  base::Rng rng_;
  std::vector<Gateway> gateways_;
  std::vector<Telling> on_the_way_;
  Nanoseconds now_ = 1000 * kSecond;
  uint64_t number_ = 0;
  int started_ = 0;
  bool answer_lost_ = true;
};

TEST(SharedTally, WhateverIsLostLateOrRepeatedIsBookedOnce) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Cluster cluster(seed, 1 + seed % 3);
    for (int step = 0; step < 1000; ++step) {
      if (seed % 4 == 0 && step % 300 == 299) cluster.replace(0);
      cluster.step();
    }
    cluster.settle();
    EXPECT_EQ(cluster.redis.in_window(), cluster.used_window) << "seed " << seed;
    for (const auto& [end, used] : cluster.used_budget) {
      EXPECT_EQ(cluster.redis.periods[end].sum.value_or(0), used) << "seed " << seed << ", period " << end;
    }
  }
}

TEST(SharedTally, AFailoverThatLostTheLastWritesLosesNothingOfThoseWhoStillTell) {
  Cluster cluster(7, 2);
  for (int step = 0; step < 100; ++step) cluster.step();
  cluster.settle();
  const SimulatedRedis replica = cluster.redis;
  for (int step = 0; step < 20; ++step) cluster.step();
  cluster.settle();
  cluster.redis = replica;
  // Everyone tells again when it next uses something.
  for (int step = 0; step < 20; ++step) cluster.step();
  cluster.settle();
  EXPECT_EQ(cluster.redis.in_window(), cluster.used_window);
  const auto [end, used] = *cluster.used_budget.rbegin();
  EXPECT_EQ(cluster.redis.periods[end].sum, used);
}

TEST(SharedTally, ARedisThatForgotEverythingGetsWhatTheGatewaysKnow) {
  SimulatedRedis redis;
  BudgetTally first, second;
  const auto tell = [&](BudgetTally& tally, const std::string& name) {
    const auto period = tally.periods().back();
    const int64_t sum = redis.book_budget(name, period);
    tally.confirm(period.end, period.newest, sum, redis.periods[60].memory);
  };
  first.collect(1, {.before = 0, .end = 60, .charged = 100});
  tell(first, "first");
  second.collect(2, {.before = 0, .end = 60, .charged = 70});
  tell(second, "second");
  redis = {};
  // The first one has not heard of the second's; the second one has of both.
  first.collect(3, {.before = 0, .end = 60, .charged = 105});
  tell(first, "first");
  second.collect(4, {.before = 0, .end = 60, .charged = 77});
  tell(second, "second");
  EXPECT_EQ(redis.periods[60].sum, 105 + 77) << "and what was booked between";
}

TEST(SharedTally, WhoeverComesFirstARedisThatForgotLearnsTheLargestSum) {
  for (const bool restarted_first : {true, false}) {
    SimulatedRedis redis;
    const auto tell = [&](BudgetTally& tally, const std::string& name) {
      const auto period = tally.periods().back();
      const int64_t sum = redis.book_budget(name, period);
      tally.confirm(period.end, period.newest, sum, redis.periods[60].memory);
    };
    BudgetTally stays;
    redis.book_budget("another", {.end = 60, .newest = {.number = 1, .total = 70}});
    stays.collect(1, {.before = 0, .end = 60, .charged = 30});
    tell(stays, "stays");
    EXPECT_EQ(stays.periods().back().sum, 100);
    redis = {};
    // One that was restarted meanwhile has 70 of its ledger, and spends 5.
    BudgetTally restarted(70, 70);
    restarted.collect(2, {.before = 0, .end = 60, .charged = 75});
    for (int round = 0; round < 3; ++round) {
      tell(restarted_first ? restarted : stays, restarted_first ? "restarted" : "stays");
      tell(restarted_first ? stays : restarted, restarted_first ? "stays" : "restarted");
    }
    tell(restarted, "restarted");
    EXPECT_EQ(redis.periods[60].sum, 105);
    EXPECT_EQ(stays.periods().back().sum, 105);
    EXPECT_EQ(restarted.periods().back().sum, 105);
  }
}

TEST(WindowTally, UseKeepsItsTimeWhileRedisIsAway) {
  WindowTally tally;
  SimulatedRedis redis;
  std::map<int64_t, Nanoseconds> used;
  struct Try {
    WindowTally::Mark mark;
    std::vector<WindowTally::Point> points;
    Nanoseconds at;
  };
  std::vector<Try> tries;
  const Nanoseconds slice = kMinute / WindowTally::kSlices;
  const Nanoseconds begin = 1000 * kSecond;
  Nanoseconds now = begin;
  uint64_t number = 0;
  for (; now < begin + 10 * kMinute; now += 100'000'000) {
    tally.use(++number, 7, kMinute, now);
    used[now / slice] += 7;
    EXPECT_LE(tally.points(), WindowTally::kPointsMax);
    // The first telling is not answered: Redis is frozen, and runs every try when it thaws.
    if (number % 5 == 1) tries.push_back({tally.begin_telling(), points_of(tally), now});
  }
  for (const auto& [mark, points, at] : tries) {
    redis.book_window("g", kMinute, 0, points, at, now);
    tally.confirm(mark);
  }
  EXPECT_LE(redis.in_window(), 7) << "late, and so booked late";
  redis.window.clear();
  WindowTally::Mark mark = tally.begin_telling();
  redis.book_window("g", kMinute, tally.confirmed().total, points_of(tally), now, now);
  EXPECT_LE(redis.in_window(), 7 * 10 * 60) << "what is older than a minute is in no window any more";
  EXPECT_GT(redis.in_window(), 7 * 10 * 57);
  for (const auto& [at, amount] : redis.window) {
    if (at > (now - kMinute) / slice + 1) EXPECT_EQ(amount, used[at]);
  }
  // What comes next is booked by itself: the old total has been told as well.
  tally.confirm(mark);
  redis.window.clear();
  tally.use(++number, 11, kMinute, now);
  mark = tally.begin_telling();
  redis.book_window("g", kMinute, tally.confirmed().total, points_of(tally), now, now);
  EXPECT_EQ(redis.in_window(), 11);
}

TEST(WindowTally, WhatIsNotToldDrainsByItself) {
  WindowTally tally;
  Nanoseconds now = 1000 * kSecond;
  EXPECT_EQ(tally.backlog(kMinute, now), 0);
  // Half the rate for as long as one likes is never more than one call ahead.
  for (uint64_t number = 1; number < 400; ++number, now += 2 * kSecond) tally.use(number, kSecond, kMinute, now);
  EXPECT_LE(tally.backlog(kMinute, now), 2 * kSecond);
  // All at once is all of it.
  for (uint64_t number = 400; number < 430; ++number) tally.use(number, kSecond, kMinute, now);
  EXPECT_GE(tally.backlog(kMinute, now), 30 * kSecond);
  EXPECT_LE(tally.backlog(kMinute, now), 32 * kSecond);
}

TEST(BudgetTally, UseGoesToThePeriodInWhichItWas) {
  BudgetTally tally(500, 500);  // restored
  tally.collect(1, {.before = 0, .end = 0, .charged = 500});
  EXPECT_TRUE(tally.periods().empty());
  tally.collect(2, {.before = 0, .end = 60, .charged = 530});
  ASSERT_EQ(tally.periods().size(), 1u);
  EXPECT_EQ(tally.periods()[0].sum, 500) << "for a Redis that knows nothing";
  EXPECT_EQ(tally.periods()[0].newest.total, 30);
  // A period begins between two readings: at 540.
  tally.collect(3, {.before = 540, .end = 120, .charged = 555});
  ASSERT_EQ(tally.periods().size(), 2u);
  EXPECT_EQ(tally.periods()[0].newest.total, 40);
  EXPECT_EQ(tally.periods()[1].newest.total, 15);
  EXPECT_EQ(tally.periods()[1].sum, 0);
  // Told, it is forgotten; not told, it is kept for a day.
  tally.forget(121);
  ASSERT_EQ(tally.periods().size(), 2u);
  tally.confirm(60, tally.periods()[0].newest, 540, "memory");
  tally.forget(121);
  ASSERT_EQ(tally.periods().size(), 1u);
  tally.collect(4, {.before = 560, .end = 180, .charged = 560});
  ASSERT_EQ(tally.periods().size(), 2u);
  tally.forget(120 + BudgetTally::kKeptSeconds + 1);
  ASSERT_EQ(tally.periods().size(), 1u);
  EXPECT_EQ(tally.periods()[0].end, 180);
}

TEST(BudgetTally, AMarkThatIsNotThereYetIsWaitedFor) {
  BudgetTally tally;
  tally.collect(1, {.before = 0, .end = 60, .charged = 10});
  tally.collect(2, {.before = 0, .end = 120, .charged = 12});
  EXPECT_EQ(tally.periods().size(), 1u);
  tally.collect(3, {.before = 11, .end = 120, .charged = 15});
  ASSERT_EQ(tally.periods().size(), 2u);
  EXPECT_EQ(tally.periods()[0].newest.total, 11);
  EXPECT_EQ(tally.periods()[1].newest.total, 4);
  // It never comes: what was charged since is the new period's.
  for (uint64_t number = 4; number < 4 + BudgetTally::kMarkWaitsMax; ++number) {
    tally.collect(number, {.before = 11, .end = 180, .charged = 20});
    EXPECT_EQ(tally.periods().size(), 2u);
  }
  tally.collect(50, {.before = 11, .end = 180, .charged = 20});
  ASSERT_EQ(tally.periods().size(), 3u);
  EXPECT_EQ(tally.periods()[1].newest.total, 4);
  EXPECT_EQ(tally.periods()[2].newest.total, 5);
}

}  // namespace
}  // namespace llmgw::control
