#include "routing/queue/waiting_lines.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <utility>

#include "routing/load/pause.h"

namespace llmgw::routing {
namespace {

using base::Instant;

// A call moves only if it gains so many times what computing its cached prompt again costs: that work delays others.
constexpr double kTakeOverPrice = 3;
// Of a large group only so many are looked at for a place; the call that finds none looks again in milliseconds.
constexpr size_t kLookedAt = 32;
// Calls judged anew for one that goes: microseconds each.
constexpr size_t kReworkedMax = 32;
// What differs less is the same.
constexpr double kSameWork = 0.05;
// Share of the newest interval in the average.
constexpr double kIntervalRate = 0.2;

}  // namespace

bool WaitingLines::must_wait(const Candidate& candidate) const {
  if (!candidate.gate.any()) return false;
  const GateState& gate = instances_.gate(candidate.slot);
  // Those that wait already have it before the one that comes.
  return gate.waiting_requests.load(std::memory_order_relaxed) > 0 ||
         !has_place(instances_.state(candidate.slot), gate, candidate.gate);
}

std::expected<AdmissionQueue::Entered, AdmissionQueue::Refused> WaitingLines::enter(const HeldCall& call,
                                                                                    const QueueOptions& options,
                                                                                    Instant now) {
  const Slot slot = call.candidates[call.chosen].slot;
  auto found = lines_.find(slot);
  if (found == lines_.end()) {
    found = lines_.emplace(slot, Line{.queue = AdmissionQueue(options, shares_), .last_turn = now}).first;
  }
  Line& line = found->second;
  const InstanceState& state = instances_.state(slot);
  // The call's own prompt and those of this line are in the account already.
  const double speed = tokens_per_second(state, instances_.gate(slot));
  const double queued_s = queue_seconds(state, now, 1, speed) - line.queue.work_s() - call.waiter.work_s;
  auto entered = line.queue.push(call.waiter, now, std::max(queued_s, line.interval_s),
                                 places_before(call.candidates[call.chosen], line, now));
  if (entered) {
    if (entered->displaced) displaced_.push_back(*entered->displaced);
    calls_.emplace(call.waiter.id, call);
    const int64_t before = instances_.gate(slot).waiting_tokens.load(std::memory_order_relaxed);
    index_.promise(call.blocks, slot, static_cast<uint32_t>(std::max<int64_t>(before, 0) / call.block_tokens), now);
    publish(slot, line, now);
  } else if (line.queue.size() == 0) {
    lines_.erase(found);
  }
  return entered;
}

// Until the first of this line gets a place, and each of the others: what waits in other workers goes before.
PlaceTimes WaitingLines::places_before(const Candidate& candidate, const Line& line, Instant now) const {
  const GateState& gate = instances_.gate(candidate.slot);
  auto times = place_times(instances_.state(candidate.slot), gate, candidate.gate, now);
  if (!times) return {};
  // The call itself is in the account already.
  const auto others = static_cast<double>(gate.waiting_requests.load(std::memory_order_relaxed)) - 1 -
                      static_cast<double>(line.queue.size());
  times->before = std::max(others, 0.0);
  return *times;
}

void WaitingLines::leave(WaiterId id, Instant now) {
  const auto call = calls_.find(id);
  if (call == calls_.end()) return;
  const Slot slot = call->second.candidates[call->second.chosen].slot;
  calls_.erase(call);
  const auto line = lines_.find(slot);
  if (line == lines_.end()) return;
  line->second.queue.remove(id);
  publish(slot, line->second, now);
  if (line->second.queue.size() == 0) lines_.erase(line);
}

void WaitingLines::publish(Slot slot, const Line& line, Instant now) {
  heads_.publish(slot, worker_, line.queue.head_rank(now).value_or(LineHeads::kNobody), now);
}

std::span<const Turn> WaitingLines::step(Instant now) {
  turns_.clear();
  for (const WaiterId id : displaced_) {
    if (calls_.erase(id) != 0) turns_.push_back({.id = id, .displaced = true});
  }
  displaced_.clear();
  for (auto at = lines_.begin(); at != lines_.end();) {
    auto& [slot, line] = *at;
    serve(slot, line, now);
    take_over(slot, line, now);
    publish(slot, line, now);
    at = line.queue.size() == 0 ? lines_.erase(at) : std::next(at);
  }
  return turns_;
}

uint32_t WaitingLines::cached_now(Slot slot, const HeldCall& call) const {
  return std::min(index_.held(call.blocks, slot) * call.block_tokens, call.prompt_tokens);
}

double WaitingLines::work_now(Slot slot, const HeldCall& call) const {
  return (call.prompt_tokens - cached_now(slot, call)) /
         tokens_per_second(instances_.state(slot), instances_.gate(slot));
}

// Who goes next once it is judged by what is cached now: what was there when it came may be gone.
const Waiter* WaitingLines::true_head(Slot slot, Line& line, Instant now) {
  const Waiter* head = line.queue.head(now);
  for (size_t i = 0; i < kReworkedMax && head != nullptr; ++i) {
    const WaiterId id = head->id;
    const double before_s = head->work_s;
    const double work_s = work_now(slot, calls_.at(id));
    if (std::abs(work_s - before_s) <= kSameWork * before_s) return head;
    line.queue.rework(id, work_s);
    head = line.queue.head(now);
    if (head->id == id) return head;
  }
  return head;
}

// Those at the head, while there are places.
void WaitingLines::serve(Slot slot, Line& line, Instant now) {
  while (line.queue.size() != 0) {
    const HeldCall& any = calls_.at(line.queue.head(now)->id);
    if (!has_place(instances_.state(slot), instances_.gate(slot), any.candidates[any.chosen].gate)) return;
    const Waiter* const head = true_head(slot, line, now);
    if (!heads_.first(slot, worker_, *line.queue.head_rank(now), now)) return;
    const HeldCall call = calls_.at(head->id);
    if (!grant(slot, line, call, call.chosen, now)) return;
    // What it leaves in the cache makes those that begin alike cheaper.
    line.queue.rework(call.waiter.family, kReworkedMax, [&](WaiterId id) { return work_now(slot, calls_.at(id)); });
    const double passed = std::chrono::duration<double>(now - std::exchange(line.last_turn, now)).count();
    line.interval_s += (line.interval_s == 0 ? 1 : kIntervalRate) * (passed - line.interval_s);
  }
}

// False: another worker has taken the place.
bool WaitingLines::grant(Slot slot, Line& line, const HeldCall& call, uint32_t candidate, Instant now) {
  const Slot to = call.candidates[candidate].slot;
  const uint32_t most = requests_limit(instances_.gate(to), call.candidates[candidate].gate);
  Turn turn{.id = call.waiter.id, .candidate = candidate, .cached_tokens = cached_now(to, call)};
  const uint32_t uncached = call.prompt_tokens - turn.cached_tokens;
  if (to == slot) {
    if (!call.lease->send(most, uncached, now)) return false;
  } else {
    auto moved = Lease::take(instances_.state(to), most, uncached, now);
    if (!moved) return false;
    *call.lease = std::move(*moved);
  }
  turn.ages = static_cast<uint32_t>(index_.ages(call.blocks, to, call.ages));
  index_.insert(call.blocks, to, now);
  line.queue.take(call.waiter.id, now);
  calls_.erase(turn.id);
  turns_.push_back(turn);
  return true;
}

// Whether another instance would answer the call sooner than one that has `before_s` seconds of others' prompts to
// compute first, so much sooner that its prompt may be computed again. A copy serves all that wait for the same prefix.
const Candidate* WaitingLines::better_place(Slot slot, const Line& line, const HeldCall& call, double before_s,
                                            Instant now) const {
  const Candidate& own = call.candidates[call.chosen];
  const InstanceState& state = instances_.state(slot);
  const GateState& gate = instances_.gate(slot);
  // Where decoding takes the places nobody can say how long; where prompts do, what was sent before it.
  const bool by_requests = !has_place(state, gate, {.requests_max = own.gate.requests_max, .learns = own.gate.learns});
  const auto sent = static_cast<double>(state.tokens_in_flight.load(std::memory_order_relaxed) -
                                        gate.waiting_tokens.load(std::memory_order_relaxed));
  const double wait_s =
      before_s + (by_requests ? std::max(line.interval_s, 1.0) : sent / tokens_per_second(state, gate));
  std::optional<size_t> alike;
  for (size_t i = 0; i < std::min(call.candidates.size(), kLookedAt); ++i) {
    const Candidate& other = call.candidates[i];
    if (other.slot == slot || other.excluded || other.weight == 0 || other.priority != own.priority) continue;
    const InstanceState& there = instances_.state(other.slot);
    const bool has_history = other.either([&](Slot own_or_model) {
      const InstanceState& known = instances_.state(own_or_model);
      return known.health.load(std::memory_order_relaxed) != 0 || pause_left(known, now) > base::Duration::zero();
    });
    if (has_history) continue;  // leave it to the policy
    if (there.tokens_in_flight.load(std::memory_order_relaxed) != 0 || must_wait(other)) continue;
    const double again_s =
        double(call.prompt_tokens) / tokens_per_second(there, instances_.gate(other.slot)) - call.waiter.work_s;
    if (!alike) alike = std::max<size_t>(line.queue.count_alike(call.waiter.prefix), 1);
    if (wait_s * double(*alike) > kTakeOverPrice * std::max(again_s, 0.0)) return &other;
  }
  return nullptr;
}

// An idle instance takes over from the head of the line, and from its end: who stands there would be passed by all that
// come.
void WaitingLines::take_over(Slot slot, Line& line, Instant now) {
  while (const Waiter* const head = line.queue.head(now)) {
    const auto& candidates = calls_.at(head->id).candidates;
    const auto looked_at = candidates.first(std::min(candidates.size(), kLookedAt));
    const bool idle = std::ranges::any_of(looked_at, [&](const Candidate& other) {
      return instances_.state(other.slot).tokens_in_flight.load(std::memory_order_relaxed) == 0;
    });
    if (!idle) return;
    if (!move_away(slot, line, *head, 0, now)) break;
  }
  while (const Waiter* const tail = line.queue.tail(now)) {
    if (!move_away(slot, line, *tail, line.queue.work_s() - tail->work_s, now)) break;
  }
}

bool WaitingLines::move_away(Slot slot, Line& line, const Waiter& waiter, double before_s, Instant now) {
  const HeldCall call = calls_.at(waiter.id);
  const Candidate* const place = better_place(slot, line, call, before_s, now);
  if (place == nullptr) return false;
  return grant(slot, line, call, static_cast<uint32_t>(place - call.candidates.data()), now);
}

}  // namespace llmgw::routing
