#include "admission/reservation.h"

#include <algorithm>
#include <cassert>

namespace llmgw::admission {
namespace {

// Adds unless the sum since `mark` would pass `max`.
bool add_within(std::atomic<int64_t>& sum, int64_t amount, int64_t mark, int64_t max) {
  int64_t seen = sum.load(std::memory_order_relaxed);
  do {
    int64_t next = 0;
    if (__builtin_add_overflow(base::subtract_wrapping(seen, mark), amount, &next) || next > max) return false;
  } while (!sum.compare_exchange_weak(seen, base::add_wrapping(seen, amount), std::memory_order_relaxed));
  return true;
}

// A budget that is used up stays so also for a call whose price nobody can tell beforehand.
bool reserve_money(Meter& meter, int64_t amount, int64_t budget) {
  const int64_t mark = meter.charged_before.load(std::memory_order_acquire);
  if (amount > 0) return add_within(meter.charged, amount, mark, budget);
  return base::subtract_wrapping(meter.charged.load(std::memory_order_relaxed), mark) < budget;
}

constexpr Nanoseconds to_nanoseconds(int64_t seconds) {
  return seconds * kSecond;
}

// Whose scope it is, the caller says.
Denial deny(Dimension dimension, Nanoseconds wait) {
  return {.dimension = dimension, .scope = 0, .retry_after = wait};
}

Denial deny_rate(Dimension dimension, const Meter& meter, Nanoseconds wait) {
  if (wait == cell::kForever) return deny(dimension, wait);
  return deny(dimension, base::add_saturating(wait, meter.taken.lateness.load(std::memory_order_relaxed)));
}

// `amount` is what the call needs in all.
Denial deny_money(const CompiledLimits& limits, int64_t amount, int64_t period_end, Moment moment) {
  const bool never = limits.budget <= 0 || amount > limits.budget;
  return deny(Dimension::budget,
              never ? cell::kForever : to_nanoseconds(std::max<int64_t>(1, period_end - moment.wall)));
}

Demand plus(const Demand& one, const Demand& other) {
  return {.tokens = base::add_saturating(one.tokens, other.tokens),
          .nano_dollars = base::add_saturating(one.nano_dollars, other.nano_dollars)};
}

// What was used since.
Demand since(const Demand& used, const Demand& before) {
  return {.tokens = used.tokens - before.tokens, .nano_dollars = used.nano_dollars - before.nano_dollars};
}

}  // namespace

std::optional<Denial> Reservation::take_one(Hold& hold, const Demand& demand, Moment moment) {
  const CompiledLimits& limits = *hold.scope.limits;
  Meter& meter = *hold.scope.meter;
  if (limits.concurrency > 0) {
    const int64_t elsewhere = meter.taken.running_elsewhere.load(std::memory_order_relaxed);
    if (!add_within(meter.running, 1, -elsewhere, limits.concurrency)) return deny(Dimension::concurrency, 0);
    meter.taken.begun.fetch_add(1, std::memory_order_relaxed);
    hold.counted = true;
  }
  if (limits.has_budget) {
    roll(meter, limits.period, moment.wall);
    const int64_t end = meter.period_end.load(std::memory_order_acquire);
    if (!reserve_money(meter, demand.nano_dollars, limits.budget)) {
      return deny_money(limits, demand.nano_dollars, end, moment);
    }
    hold.nano_dollars = demand.nano_dollars;
    hold.period_end = end;
    hold.money = true;
  }
  if (limits.second.window != 0) {
    const auto wait = cell::take(meter.second_word, limits.second.interval, limits.second.window, moment.now);
    if (wait != 0) return deny_rate(Dimension::requests_per_second, meter, wait);
    meter.taken.second.fetch_add(limits.second.interval, std::memory_order_relaxed);
    hold.second = true;
  }
  if (limits.minute.window != 0) {
    const auto wait = cell::take(meter.minute_word, limits.minute.interval, limits.minute.window, moment.now);
    if (wait != 0) return deny_rate(Dimension::requests_per_minute, meter, wait);
    meter.taken.minute.fetch_add(limits.minute.interval, std::memory_order_relaxed);
    hold.minute = true;
  }
  if (limits.tokens_per_minute != 0) {
    const Nanoseconds cost = token_cost(demand.tokens, limits.tokens_per_minute);
    const auto wait = cell::take(meter.token_word, cost, kMinute, moment.now);
    if (wait != 0) return deny_rate(Dimension::tokens_per_minute, meter, wait);
    meter.taken.tokens.fetch_add(cost, std::memory_order_relaxed);
    hold.tokens = cost;
  }
  return std::nullopt;
}

std::optional<Denial> Reservation::take(std::span<const Governed> scopes, const Demand& demand, Moment moment) {
  assert(count_ == 0 && scopes.size() <= kScopesMax);
  for (const Governed& scope : scopes) {
    Hold& hold = holds_[count_];
    hold = {.scope = scope};
    auto denial = take_one(hold, demand, moment);
    if (!denial) {
      ++count_;
      continue;
    }
    denial->scope = count_;
    scope.meter->refused.fetch_add(1, std::memory_order_relaxed);
    give_back(hold, moment.now);
    while (count_ > 0) give_back(holds_[--count_], moment.now);
    return denial;
  }
  return std::nullopt;
}

// As if the call had never asked.
void Reservation::give_back(const Hold& hold, Nanoseconds now) {
  const CompiledLimits& limits = *hold.scope.limits;
  Meter& meter = *hold.scope.meter;
  const auto undo = [now](std::atomic<Nanoseconds>& word, std::atomic<Nanoseconds>& taken, Nanoseconds cost) {
    cell::adjust(word, -cost, now);
    taken.fetch_sub(cost, std::memory_order_relaxed);
  };
  if (hold.tokens != 0) undo(meter.token_word, meter.taken.tokens, hold.tokens);
  if (hold.minute) undo(meter.minute_word, meter.taken.minute, limits.minute.interval);
  if (hold.second) undo(meter.second_word, meter.taken.second, limits.second.interval);
  if (hold.money) charge(meter, -hold.nano_dollars);
  if (hold.counted) meter.running.fetch_sub(1, std::memory_order_relaxed);
}

// Of a scope that holds already: what is reserved of its tokens and money.
std::optional<Denial> Reservation::reserve_anew(Hold& hold, const Demand& demand, const Demand& used, Moment moment) {
  const CompiledLimits& limits = *hold.scope.limits;
  Meter& meter = *hold.scope.meter;
  const Demand all = plus(since(used, hold.before), demand);
  if (hold.money) {
    roll_on(meter, limits.period, moment.wall);
    const int64_t end = meter.period_end.load(std::memory_order_acquire);
    // What was reserved in the last period ended with that.
    if (std::exchange(hold.period_end, end) != end) hold.nano_dollars = 0;
    const int64_t more = all.nano_dollars - hold.nano_dollars;
    if (more > 0 && !reserve_money(meter, more, limits.budget))
      return deny_money(limits, all.nano_dollars, end, moment);
    if (more < 0) charge(meter, more);
    hold.nano_dollars = all.nano_dollars;
  }
  if (limits.tokens_per_minute != 0) {
    const Nanoseconds cost = token_cost(all.tokens, limits.tokens_per_minute);
    const Nanoseconds more = cost - hold.tokens;
    if (more > 0) {
      const auto wait = cell::take(meter.token_word, more, kMinute, moment.now);
      if (wait != 0) return deny_rate(Dimension::tokens_per_minute, meter, wait);
    } else if (more < 0) {
      cell::adjust(meter.token_word, more, moment.now);
    }
    meter.taken.tokens.fetch_add(more, std::memory_order_relaxed);
    hold.tokens = cost;
  }
  return std::nullopt;
}

// Undoes that.
void Reservation::put_back(const Hold& hold, const Hold& before, Nanoseconds now) {
  Meter& meter = *hold.scope.meter;
  const int64_t reserved_before = hold.period_end == before.period_end ? before.nano_dollars : 0;
  if (hold.money) charge(meter, reserved_before - hold.nano_dollars);
  if (hold.tokens == before.tokens) return;
  cell::adjust(meter.token_word, before.tokens - hold.tokens, now);
  meter.taken.tokens.fetch_add(before.tokens - hold.tokens, std::memory_order_relaxed);
}

Reservation::Hold* Reservation::find(const Meter* meter) {
  const auto held = std::span(holds_).first(count_);
  const auto found = std::ranges::find(held, meter, [](const Hold& each) -> const Meter* { return each.scope.meter; });
  return found == held.end() ? nullptr : &*found;
}

std::optional<Denial> Reservation::go_on(std::span<const Governed> scopes, const Demand& demand, const Demand& used,
                                         Moment moment) {
  assert(scopes.size() <= kScopesMax);
  std::array<Hold, kScopesMax> next;
  for (size_t i = 0; i < scopes.size(); ++i) {
    const Hold* own = find(scopes[i].meter);
    next[i] = own != nullptr ? *own : Hold{.scope = scopes[i], .before = used};
    auto denial = own != nullptr ? reserve_anew(next[i], demand, used, moment) : take_one(next[i], demand, moment);
    if (!denial) continue;
    denial->scope = i;
    scopes[i].meter->refused.fetch_add(1, std::memory_order_relaxed);
    for (size_t undone = 0; undone <= i; ++undone) {
      own = find(scopes[undone].meter);
      own != nullptr ? put_back(next[undone], *own, moment.now) : give_back(next[undone], moment.now);
    }
    return denial;
  }
  for (const Hold& hold : std::span(holds_).first(count_)) {
    const bool stays = std::ranges::find(scopes, hold.scope.meter, &Governed::meter) != scopes.end();
    if (!stays) settle_one(hold, used, moment);
  }
  holds_ = next;
  count_ = scopes.size();
  return std::nullopt;
}

void Reservation::settle_one(const Hold& hold, const Demand& used, Moment moment) {
  Meter& meter = *hold.scope.meter;
  const Demand own = since(used, hold.before);
  if (hold.scope.limits->tokens_per_minute != 0) {
    const Nanoseconds cost = token_cost(own.tokens, hold.scope.limits->tokens_per_minute);
    if (cost != hold.tokens) {
      cell::adjust(meter.token_word, cost - hold.tokens, moment.now);
      meter.taken.tokens.fetch_add(cost - hold.tokens, std::memory_order_relaxed);
    }
  }
  if (hold.money) {
    roll_on(meter, hold.scope.limits->period, moment.wall);
    // A call belongs to the period in which it ends; what it had reserved in the last one ended with that.
    const bool same_period = meter.period_end.load(std::memory_order_acquire) == hold.period_end;
    charge(meter, own.nano_dollars - (same_period ? hold.nano_dollars : 0));
  }
  if (hold.counted) meter.running.fetch_sub(1, std::memory_order_relaxed);
}

void Reservation::settle(const Demand& used, Moment moment) {
  while (count_ > 0) settle_one(holds_[--count_], used, moment);
}

namespace {

void tighten(Allowance& allowance, uint64_t limit, const cell::Left& left) {
  if (limit == 0 || (allowance.limit != 0 && allowance.remaining <= left.count)) return;
  allowance = {.limit = limit, .remaining = left.count, .reset = left.reset};
}

}  // namespace

void tighten_requests(Allowance& allowance, const Governed& scope, Nanoseconds now) {
  const CompiledLimits& limits = *scope.limits;
  for (const auto& [rate, word] :
       {std::pair(&limits.minute, &scope.meter->minute_word), std::pair(&limits.second, &scope.meter->second_word)}) {
    if (rate->window != 0) tighten(allowance, rate->limit, cell::left(*word, rate->window, rate->limit, now));
  }
}

void tighten_tokens(Allowance& allowance, const Governed& scope, Nanoseconds now) {
  const uint64_t limit = scope.limits->tokens_per_minute;
  if (limit != 0) tighten(allowance, limit, cell::left(scope.meter->token_word, kMinute, limit, now));
}

}  // namespace llmgw::admission
