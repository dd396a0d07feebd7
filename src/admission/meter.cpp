#include "admission/meter.h"

#include <algorithm>
#include <cmath>

namespace llmgw::admission {

namespace {

// Far beyond a window, and far from an overflow when added to a time.
constexpr Nanoseconds kCostMax = kMinute * 60 * 24 * 365;

}  // namespace

Rate Rate::of_requests_per_second(double rate) {
  if (rate <= 0) return {};
  const auto interval = std::max<Nanoseconds>(1, std::llround(static_cast<double>(kSecond) / rate));
  // Less than one a second: one at a time, so far apart.
  const Nanoseconds window = std::max(kSecond, interval);
  return {.window = window, .interval = interval, .limit = static_cast<uint64_t>(window / interval)};
}

Rate Rate::of_requests_per_minute(uint64_t rate) {
  if (rate == 0) return {};
  const auto interval = std::max<Nanoseconds>(1, kMinute / static_cast<Nanoseconds>(rate));
  return {.window = kMinute, .interval = interval, .limit = rate};
}

CompiledLimits CompiledLimits::of(const Limits& limits, ZoneCache& zones) {
  return {.second = Rate::of_requests_per_second(limits.requests_per_second),
          .minute = Rate::of_requests_per_minute(limits.requests_per_minute),
          .tokens_per_minute = limits.tokens_per_minute,
          .concurrency = limits.concurrency,
          .has_budget = limits.budget.has_value(),
          .budget = limits.budget.value_or(base::NanoDollars{}).nano,
          .period = PeriodRule(limits.budget_period, zones.get(limits.time_zone), limits.time_zone),
          .refuses_unpriced = limits.unpriced == UnpricedCalls::refuse};
}

Nanoseconds token_cost(uint64_t tokens, uint64_t tokens_per_minute) {
  // A division of 128 bits takes twenty times as long.
  constexpr uint64_t kMinuteOf64Bits = static_cast<uint64_t>(kMinute);
  constexpr uint64_t kTokensOf64Bits = (uint64_t{1} << 62) / kMinuteOf64Bits;
  if (tokens <= kTokensOf64Bits && tokens_per_minute <= uint64_t{1} << 62) {
    const uint64_t cost = (tokens * kMinuteOf64Bits + tokens_per_minute - 1) / tokens_per_minute;
    return static_cast<Nanoseconds>(std::min(cost, static_cast<uint64_t>(kCostMax)));
  }
  const auto product = static_cast<unsigned __int128>(tokens) * static_cast<uint64_t>(kMinute);
  const auto cost = (product + tokens_per_minute - 1) / tokens_per_minute;
  return cost > static_cast<unsigned __int128>(kCostMax) ? kCostMax : static_cast<Nanoseconds>(cost);
}

namespace cell {

Nanoseconds take(std::atomic<Nanoseconds>& word, Nanoseconds cost, Nanoseconds window, Nanoseconds now) {
  if (cost > window) return kForever;
  Nanoseconds seen = word.load(std::memory_order_relaxed);
  while (true) {
    const Nanoseconds next = std::max(seen, now) + cost;
    if (next - now > window) return next - now - window;
    if (word.compare_exchange_weak(seen, next, std::memory_order_relaxed)) return 0;
  }
}

void adjust(std::atomic<Nanoseconds>& word, Nanoseconds difference, Nanoseconds now) {
  Nanoseconds seen = word.load(std::memory_order_relaxed);
  // What has been used up by time cannot be given back: below now the word means nothing.
  Nanoseconds next = 0;
  do {
    next = std::min(base::add_saturating(std::max(seen, now), difference), now + kAheadMax);
  } while (!word.compare_exchange_weak(seen, next, std::memory_order_relaxed));
}

void follow(std::atomic<Nanoseconds>& word, const std::atomic<Nanoseconds>& taken, Nanoseconds told, Nanoseconds ahead,
            Nanoseconds now) {
  Nanoseconds seen = word.load(std::memory_order_relaxed);
  Nanoseconds next = 0;
  do {
    const Nanoseconds since = base::subtract_wrapping(taken.load(std::memory_order_relaxed), told);
    next = now + std::min(base::add_saturating(ahead, since), kAheadMax);
  } while (!word.compare_exchange_weak(seen, next, std::memory_order_relaxed));
}

void rescale(std::atomic<Nanoseconds>& word, double from, double to, Nanoseconds window, Nanoseconds now) {
  Nanoseconds seen = word.load(std::memory_order_relaxed);
  Nanoseconds next = 0;
  do {
    if (seen <= now || from <= 0) return;
    const double ahead = static_cast<double>(seen - now) * (to / from);
    next = now + static_cast<Nanoseconds>(std::min(ahead, static_cast<double>(window)));
  } while (!word.compare_exchange_weak(seen, next, std::memory_order_relaxed));
}

Left left(const std::atomic<Nanoseconds>& word, Nanoseconds window, uint64_t limit, Nanoseconds now) {
  const Nanoseconds used = std::max<Nanoseconds>(0, word.load(std::memory_order_relaxed) - now);
  if (used >= window) return {.count = 0, .reset = used};
  if (uint64_t product = 0; !__builtin_mul_overflow(static_cast<uint64_t>(window - used), limit, &product)) {
    return {.count = product / static_cast<uint64_t>(window), .reset = used};
  }
  const auto share = static_cast<unsigned __int128>(window - used) * limit / static_cast<uint64_t>(window);
  return {.count = static_cast<uint64_t>(share), .reset = used};
}

}  // namespace cell

void charge(Meter& meter, int64_t amount) {
  const int64_t before = meter.charged_before.load(std::memory_order_acquire);
  int64_t seen = meter.charged.load(std::memory_order_relaxed);
  int64_t next = 0;
  do {
    next = base::add_wrapping(before, base::add_saturating(base::subtract_wrapping(seen, before), amount));
  } while (!meter.charged.compare_exchange_weak(seen, next, std::memory_order_relaxed));
}

void roll(Meter& meter, const PeriodRule& rule, int64_t wall) {
  int64_t end = meter.period_end.load(std::memory_order_acquire);
  if (wall < end) return;
  const int64_t next = rule.end_of_period(wall);
  if (!meter.period_end.compare_exchange_strong(end, next, std::memory_order_acq_rel)) return;
  if (end != 0) {
    meter.charged_before.store(meter.charged.load(std::memory_order_relaxed), std::memory_order_release);
    meter.taken.rule.store(rule.id(), std::memory_order_release);
    return;
  }
  // The first period of a meter begins with what was loaded into it, and by whose rule that was is known then.
  uint64_t none = 0;
  meter.taken.rule.compare_exchange_strong(none, rule.id(), std::memory_order_acq_rel);
}

void roll_on(Meter& meter, const PeriodRule& rule, int64_t wall) {
  if (wall < meter.period_end.load(std::memory_order_acquire)) return;
  if (meter.taken.rule.load(std::memory_order_acquire) == rule.id()) roll(meter, rule, wall);
}

void change_period(Meter& meter, const PeriodRule& rule, int64_t spent, int64_t wall) {
  meter.taken.restored.store(spent, std::memory_order_relaxed);
  meter.period_end.store(rule.end_of_period(wall), std::memory_order_release);
  const int64_t charged = meter.charged.load(std::memory_order_relaxed);
  meter.charged_before.store(base::subtract_wrapping(charged, spent), std::memory_order_release);
  meter.taken.rule.store(rule.id(), std::memory_order_release);
}

}  // namespace llmgw::admission
