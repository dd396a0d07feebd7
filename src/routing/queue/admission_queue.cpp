#include "routing/queue/admission_queue.h"

#include <array>
#include <tuple>

namespace llmgw::routing {
namespace {

using base::Duration;
using base::Instant;

// A second of waiting outweighs so many seconds of work: long prompts wait, but not for ever.
constexpr double kAging = 0.2;
// Puts what cannot be in time behind all that can, and a priority before any waiting: more than the seconds that a
// machine is up (30 years), and small enough that a double tells microseconds apart beside it.
constexpr double kClass = 1e9;

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

Duration retry_in(double value) {
  const double bounded = std::clamp(value, seconds(kRetryAfterMin), seconds(kRetryAfterMax));
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(bounded));
}

}  // namespace

std::optional<QueueOrder> queue_order_by_name(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNames{"fifo", "priority", "slo", "fair"};
  const auto* const found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<QueueOrder>(found - kNames.begin());
}

// Whoever still can be in time goes before those that cannot, so only the former are in its way.
bool AdmissionQueue::hopeless(const Waiter& waiter, Instant now, double ahead_s, const PlaceTimes& places,
                              double& late_s) const {
  double before_s = ahead_s;
  double ahead = 0;
  for (const Held& held : waiting_) {
    if (held.waiter.arrived <= waiter.arrived && now - held.waiter.arrived < options_.goal) {
      before_s += held.waiter.work_s;
      ++ahead;
    }
  }
  late_s = std::max(before_s, places.until(ahead)) + waiter.work_s - seconds(options_.goal);
  return late_s > 0;
}

// A place in the line is free when the engine has taken the next; where it takes only so many at a time, who waits
// there already goes before whoever comes back.
Duration AdmissionQueue::retry_after(double ahead_s, const PlaceTimes& places) const {
  const auto waiting = static_cast<double>(waiting_.size());
  const double prompts_s = ahead_s + work_s_ / std::max(waiting, 1.0);
  return retry_in(std::max(prompts_s, places.until(waiting)));
}

std::expected<AdmissionQueue::Entered, AdmissionQueue::Refused> AdmissionQueue::push(const Waiter& waiter, Instant now,
                                                                                     double ahead_s,
                                                                                     const PlaceTimes& places) {
  double late_s = 0;
  if (waiting_.size() >= options_.waiting_max && !may_displace()) {
    return std::unexpected(Refused{QueueRefusal::full, retry_after(ahead_s, places)});
  }
  if (options_.order == QueueOrder::slo && options_.refuse_hopeless && hopeless(waiter, now, ahead_s, places, late_s)) {
    return std::unexpected(Refused{QueueRefusal::hopeless, retry_in(late_s)});
  }
  Held held{.waiter = waiter, .sequence = sequence_++};
  const bool fair = options_.order == QueueOrder::fair;
  if (fair) held.start_tag = shares_.begin(waiter.tenant, waiter.tokens, waiter.weight);
  Entered entered;
  size_t last = waiting_.size();
  for (size_t i = 0; i < waiting_.size(); ++i) {
    if (before(waiting_[i], held, now)) ++entered.position;
    if (last == waiting_.size() || before(waiting_[last], waiting_[i], now)) last = i;
  }
  if (waiting_.size() >= options_.waiting_max) {
    if (waiting_.empty() || !before(held, waiting_[last], now)) {
      if (fair) shares_.correct(waiter.tenant, -double(waiter.tokens), waiter.weight);
      return std::unexpected(Refused{QueueRefusal::full, retry_after(ahead_s, places)});
    }
    entered.displaced = waiting_[last].waiter.id;
    remove(*entered.displaced);
  }
  work_s_ += waiter.work_s;
  waiting_.push_back(held);
  return entered;
}

// By when they came, not by how long they have waited: so it stays what it is, and workers can compare what they read
// at different times.
double AdmissionQueue::rank(const Held& held, Instant now) const {
  const double arrived = seconds(held.waiter.arrived.time_since_epoch());
  switch (options_.order) {
    case QueueOrder::fifo: return arrived;
    case QueueOrder::priority: return -kClass * held.waiter.priority + arrived;
    case QueueOrder::fair: return held.start_tag;
    case QueueOrder::slo: break;
  }
  const bool in_time = seconds(now - held.waiter.arrived) + held.waiter.work_s <= seconds(options_.goal);
  return in_time ? arrived : kClass + held.waiter.work_s + kAging * arrived;
}

bool AdmissionQueue::before(const Held& a, const Held& b, Instant now) const {
  return std::tuple(rank(a, now), a.sequence) < std::tuple(rank(b, now), b.sequence);
}

void AdmissionQueue::forget(size_t index) {
  work_s_ = waiting_.size() == 1 ? 0 : work_s_ - waiting_[index].waiter.work_s;
  waiting_[index] = waiting_.back();
  waiting_.pop_back();
}

size_t AdmissionQueue::next(Instant now) const {
  size_t best = 0;
  double best_rank = waiting_.empty() ? 0 : rank(waiting_[0], now);
  for (size_t i = 1; i < waiting_.size(); ++i) {
    const double own = rank(waiting_[i], now);
    if (own > best_rank || (own == best_rank && waiting_[i].sequence > waiting_[best].sequence)) continue;
    best = i;
    best_rank = own;
  }
  return best;
}

std::optional<double> AdmissionQueue::head_rank(Instant now) const {
  if (waiting_.empty()) return std::nullopt;
  return rank(waiting_[next(now)], now);
}

const Waiter* AdmissionQueue::head(Instant now) const {
  return waiting_.empty() ? nullptr : &waiting_[next(now)].waiter;
}

const Waiter* AdmissionQueue::tail(Instant now) const {
  const auto last = std::ranges::max_element(waiting_, [&](const Held& a, const Held& b) { return before(a, b, now); });
  return last == waiting_.end() ? nullptr : &last->waiter;
}

std::optional<Waiter> AdmissionQueue::pop(Instant now) {
  if (waiting_.empty()) return std::nullopt;
  const size_t best = next(now);
  const Held taken = waiting_[best];
  if (options_.order == QueueOrder::fair) shares_.serve(taken.start_tag);
  forget(best);
  return taken.waiter;
}

// Out of turn it moves nobody's share on.
bool AdmissionQueue::take(WaiterId id, Instant now) {
  const auto found = std::ranges::find(waiting_, id, [](const Held& held) { return held.waiter.id; });
  if (found == waiting_.end()) return false;
  if (options_.order == QueueOrder::fair) shares_.serve(waiting_[next(now)].start_tag);
  forget(static_cast<size_t>(found - waiting_.begin()));
  return true;
}

void AdmissionQueue::rework(WaiterId id, double work_s) {
  const auto found = std::ranges::find(waiting_, id, [](const Held& held) { return held.waiter.id; });
  if (found != waiting_.end()) set_work(*found, work_s);
}

// What its tenant was charged is given back: it had nothing for it.
bool AdmissionQueue::remove(WaiterId id) {
  const auto found = std::ranges::find(waiting_, id, [](const Held& held) { return held.waiter.id; });
  if (found == waiting_.end()) return false;
  if (options_.order == QueueOrder::fair) {
    shares_.correct(found->waiter.tenant, -double(found->waiter.tokens), found->waiter.weight);
  }
  forget(static_cast<size_t>(found - waiting_.begin()));
  return true;
}

}  // namespace llmgw::routing
