#include "routing/queue/admission_queue.h"

#include <array>
#include <tuple>

namespace llmgw::routing {
namespace {

using base::Duration;
using base::Instant;

// A second of waiting outweighs so many seconds of work: long prompts wait, but not for ever.
constexpr double kAging = 0.2;
// Tenants remembered by the fair order; more than any gateway serves at a time.
constexpr size_t kTenantsMax = 65536;
// Nobody is told to come back sooner.
constexpr double kRetryMin = 1;

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

Duration from_seconds(double value) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value));
}

}  // namespace

std::optional<QueueOrder> queue_order_by_name(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNames{"fifo", "priority", "slo", "fair"};
  const auto* const found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<QueueOrder>(found - kNames.begin());
}

std::expected<void, AdmissionQueue::Refused> AdmissionQueue::push(const Waiter& waiter, Instant now, double ahead_s) {
  if (waiting_.size() >= options_.waiting_max) {
    // One place is free when the engine has taken the next.
    const double next_s = ahead_s + work_s_ / static_cast<double>(std::max<size_t>(waiting_.size(), 1));
    return std::unexpected(Refused{QueueRefusal::full, from_seconds(std::max(next_s, kRetryMin))});
  }
  if (options_.order == QueueOrder::slo && options_.refuse_hopeless) {
    // Whoever still can be in time goes before those that cannot, so only the former are in its way.
    double before_s = ahead_s;
    for (const Held& held : waiting_) {
      if (held.waiter.arrived <= waiter.arrived && seconds(now - held.waiter.arrived) < seconds(options_.goal)) {
        before_s += held.waiter.work_s;
      }
    }
    const double late_s = before_s + waiter.work_s - seconds(options_.goal);
    if (late_s > 0) return std::unexpected(Refused{QueueRefusal::hopeless, from_seconds(std::max(late_s, kRetryMin))});
  }
  Held held{.waiter = waiter, .sequence = sequence_++};
  if (options_.order == QueueOrder::fair) {
    if (finish_tags_.size() >= kTenantsMax) {
      std::erase_if(finish_tags_, [this](const auto& tag) { return tag.second <= virtual_time_; });
    }
    double& finish = finish_tags_[waiter.tenant];
    held.start_tag = std::max(virtual_time_, finish);
    finish = held.start_tag + double(waiter.tokens) / std::max(waiter.weight, 1U);
  }
  work_s_ += waiter.work_s;
  waiting_.push_back(held);
  return {};
}

bool AdmissionQueue::before(const Held& a, const Held& b, Instant now) const {
  switch (options_.order) {
    case QueueOrder::fifo: return a.sequence < b.sequence;
    case QueueOrder::priority:
      return std::tuple(-a.waiter.priority, a.sequence) < std::tuple(-b.waiter.priority, b.sequence);
    case QueueOrder::fair: return std::tuple(a.start_tag, a.sequence) < std::tuple(b.start_tag, b.sequence);
    case QueueOrder::slo: break;
  }
  const auto rank = [&](const Held& held) {
    const double waited = seconds(now - held.waiter.arrived);
    const bool in_time = waited + held.waiter.work_s <= seconds(options_.goal);
    return in_time ? std::tuple(0, -waited, held.sequence)
                   : std::tuple(1, held.waiter.work_s - kAging * waited, held.sequence);
  };
  return rank(a) < rank(b);
}

void AdmissionQueue::forget(size_t index) {
  work_s_ = waiting_.size() == 1 ? 0 : work_s_ - waiting_[index].waiter.work_s;
  waiting_[index] = waiting_.back();
  waiting_.pop_back();
}

std::optional<Waiter> AdmissionQueue::pop(Instant now) {
  if (waiting_.empty()) return std::nullopt;
  size_t best = 0;
  for (size_t i = 1; i < waiting_.size(); ++i) {
    if (before(waiting_[i], waiting_[best], now)) best = i;
  }
  const Held next = waiting_[best];
  virtual_time_ = std::max(virtual_time_, next.start_tag);
  forget(best);
  return next.waiter;
}

bool AdmissionQueue::remove(WaiterId id) {
  const auto found = std::ranges::find(waiting_, id, [](const Held& held) { return held.waiter.id; });
  if (found == waiting_.end()) return false;
  forget(static_cast<size_t>(found - waiting_.begin()));
  return true;
}

void LearntConcurrency::record(Duration first_token, uint32_t in_flight) {
  constexpr double kTolerance = 2;     // times the best: a batch costs something
  constexpr double kForget = 1.00002;  // the best ages, so that a change of load is noticed in the end
  const double took = seconds(first_token);
  best_s_ = best_s_ == 0 ? took : std::min(took, best_s_ * kForget);
  if (took > best_s_ * kTolerance) {
    limit_ = std::max(double(least_), limit_ * 0.98);
  } else if (in_flight + 1 >= limit()) {
    limit_ = std::min(double(most_), limit_ + 1 / limit_);
  }
}

}  // namespace llmgw::routing
