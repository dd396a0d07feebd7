// What has been used of one scope's limits, and the arithmetic on it. A Meter is a cache line of atomics (and one more
// for sharing) that all workers of the process share: limits hold exactly over all of them, without a lock. Time is
// passed in. A Meter outlives every snapshot that names it, so a reload forgets nothing.
//
// Requests and tokens: the generic cell rate algorithm (ITU-T I.371, annex A) in its virtual scheduling form. The word
// is the theoretical arrival time; how far it lies ahead of now is how much of the window is used. After a pause a
// whole window may come at once; from then on the rate holds. So no window ever sees more than twice its limit, and the
// mean is the limit. Tokens are the same with a cost of their own for each call.
//
// Money: a sum that only grows but for corrections, and what it was when the period began. See Meter::roll.
#pragma once

#include <atomic>
#include <cstdint>

#include "admission/limits.h"
#include "admission/period.h"
#include "base/saturating.h"

namespace llmgw::admission {

using Nanoseconds = int64_t;  // of the monotonic clock where it is a point in time

inline constexpr Nanoseconds kSecond = 1'000'000'000;
inline constexpr Nanoseconds kMinute = 60 * kSecond;

// What several gateways share is told by sums that only the sharing thread reads, in a cache line of their own; and
// what it has heard. The rule of the budget's period is here because it is seldom looked at.
struct alignas(64) Taken {
  std::atomic<Nanoseconds> second = 0;  // of each window, ever; corrections included
  std::atomic<Nanoseconds> minute = 0;
  std::atomic<Nanoseconds> tokens = 0;
  std::atomic<uint64_t> begun = 0;             // calls that counted in `running`, ever
  std::atomic<int64_t> running_elsewhere = 0;  // calls that others have, as they last said
  // By how much what was taken here may be booked late, and the words with it: who is told when to come back waits so
  // much longer. 0: nothing is shared.
  std::atomic<Nanoseconds> lateness = 0;
  std::atomic<uint64_t> rule = 0;     // PeriodRule::id of the period at hand, or of what was loaded for it; 0: of none
  std::atomic<int64_t> restored = 0;  // what had been spent when the rule was changed
};

struct alignas(64) Meter {
  std::atomic<Nanoseconds> second_word = 0;  // theoretical arrival times: of requests a second,
  std::atomic<Nanoseconds> minute_word = 0;  // requests a minute,
  std::atomic<Nanoseconds> token_word = 0;   // tokens a minute
  std::atomic<int64_t> running = 0;          // calls
  std::atomic<int64_t> charged = 0;          // nano-dollars ever, reservations included
  std::atomic<int64_t> charged_before = 0;   // what `charged` was when the period began
  std::atomic<int64_t> period_end = 0;       // seconds since 1970; 0: no period has begun
  std::atomic<uint64_t> refused = 0;
  Taken taken;
};
static_assert(sizeof(Meter) == 128);

// A rate as the algorithm wants it.
struct Rate {
  Nanoseconds window = 0;    // 0: no limit
  Nanoseconds interval = 0;  // of the window, for one
  uint64_t limit = 0;        // how many fit into a window

  static Rate of_requests_per_second(double rate);
  static Rate of_requests_per_minute(uint64_t rate);
};

// The limits of a scope, ready for use. Immutable; any thread.
struct CompiledLimits {
  Rate second;
  Rate minute;
  uint64_t tokens_per_minute = 0;
  int64_t concurrency = 0;
  bool has_budget = false;
  int64_t budget = 0;  // nano-dollars
  PeriodRule period;
  bool refuses_unpriced = false;

  static CompiledLimits of(const Limits& limits, ZoneCache& zones);
  bool limits_requests() const { return second.window != 0 || minute.window != 0; }
};

// How much of the minute's window so many tokens are; rounded up, so that nothing is free.
Nanoseconds token_cost(uint64_t tokens, uint64_t tokens_per_minute);

// The elementary operations. Each takes effect whole or not at all.
namespace cell {

// Moves the word on by `cost` if it then lies at most a window ahead of now. 0: done; else how long to wait until it
// would be. kForever: the cost is more than a window.
inline constexpr Nanoseconds kForever = INT64_MAX;
Nanoseconds take(std::atomic<Nanoseconds>& word, Nanoseconds cost, Nanoseconds window, Nanoseconds now);
// No word lies further ahead of now: a hundred years, far from an overflow. What is more is forgotten.
inline constexpr Nanoseconds kAheadMax = kMinute * 60 * 24 * 36'500;
// Corrects what was taken, up or down.
void adjust(std::atomic<Nanoseconds>& word, Nanoseconds difference, Nanoseconds now);
// After a change of the limit: what lies ahead is as many of the new limit's as it was of the old one's, and at most
// all of them. One costs `from` of the old window and `to` of the new one.
void rescale(std::atomic<Nanoseconds>& word, double from, double to, Nanoseconds window, Nanoseconds now);
// What is left of the window, and when all of it will be.
struct Left {
  uint64_t count = 0;
  Nanoseconds reset = 0;
};
Left left(const std::atomic<Nanoseconds>& word, Nanoseconds window, uint64_t limit, Nanoseconds now);

// Puts a word where all gateways together have it: `ahead` of now, and what this process took since it
// had taken `told`.
void follow(std::atomic<Nanoseconds>& word, const std::atomic<Nanoseconds>& taken, Nanoseconds told, Nanoseconds ahead,
            Nanoseconds now);

}  // namespace cell

// Begins a new period where the old one has ended. `wall` in seconds since 1970.
//
// Only one thread moves period_end on and then the mark. Until the mark is there others still see the old period's sum
// and may refuse, at worst while that thread is not running; what they charge in between counts for the old period.
// Nothing waits and nothing is counted twice.
void roll(Meter& meter, const PeriodRule& rule, int64_t wall);

// The same for a call that has begun. Its rule may be one of a configuration that is gone, by which no period begins.
void roll_on(Meter& meter, const PeriodRule& rule, int64_t wall);

// Goes over to another rule: to the period at hand by it, of which so many nano-dollars are known to be spent. What
// calls have reserved that are running now ended with the old period; they are charged in the new one when they end.
// One thread at a time.
void change_period(Meter& meter, const PeriodRule& rule, int64_t spent, int64_t wall);

// Nano-dollars of the period, reservations included. `charged` may pass its type's end, which differences do not see.
inline int64_t spent(const Meter& meter) {
  return base::subtract_wrapping(meter.charged.load(std::memory_order_relaxed),
                                 meter.charged_before.load(std::memory_order_relaxed));
}
// Adds to that, or takes off it. What a period has spent is INT64_MAX at most: a used-up budget stays used up.
void charge(Meter& meter, int64_t amount);

}  // namespace llmgw::admission
