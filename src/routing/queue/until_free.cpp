#include "routing/queue/until_free.h"

#include <algorithm>

#include "routing/load/pause.h"

namespace llmgw::routing {
namespace {

using base::Duration;
using base::Instant;

// Of the instance and of the model there, whatever `of` says, the longer.
template <class Of>
Duration longer(const InstanceTable& instances, const Candidate& candidate, Of of) {
  const Duration own = of(instances.state(candidate.slot));
  return candidate.model_slot == kUnknown ? own : std::max(own, of(instances.state(candidate.model_slot)));
}

std::optional<Duration> until_free(const InstanceTable& instances, const Candidate& candidate, Instant now) {
  const Duration left = longer(instances, candidate, [now](const InstanceState& state) {
    return std::max(out_left(state.health, now), pause_left(state, now));
  });
  const GateState& gate = instances.gate(candidate.slot);
  const auto times = place_times(instances.state(candidate.slot), gate, candidate.gate, now);
  if (!times) return std::nullopt;
  const double waiting = std::max(gate.waiting_requests.load(std::memory_order_relaxed), 0);
  const std::chrono::duration<double> place(times->until(waiting));
  return std::max(left, std::chrono::duration_cast<Duration>(place));
}

}  // namespace

Duration pause_of(const InstanceTable& instances, const Candidate& candidate, Instant now) {
  return longer(instances, candidate, [now](const InstanceState& state) { return pause_left(state, now); });
}

Duration pause_of_all(const InstanceTable& instances, std::span<const Candidate> candidates, Instant now) {
  std::optional<Duration> least;
  for (const Candidate& candidate : candidates) {
    if (candidate.weight == 0) continue;
    const Duration pause = pause_of(instances, candidate, now);
    if (!least || pause < *least) least = pause;
  }
  return least.value_or(Duration::zero());
}

bool is_well(const InstanceTable& instances, const Candidate& candidate, const HealthOptions& options, Instant now) {
  return !candidate.either([&](Slot slot) {
    const HealthState state = health_state(instances.state(slot).health, now, options);
    return state != HealthState::up && state != HealthState::ramp;
  });
}

bool any_well(const InstanceTable& instances, std::span<const Candidate> candidates, const HealthOptions& options,
              Instant now) {
  return std::ranges::any_of(candidates, [&](const Candidate& candidate) {
    if (candidate.excluded || candidate.weight == 0) return false;
    return is_well(instances, candidate, options, now) && pause_of(instances, candidate, now) == Duration::zero();
  });
}

std::optional<Duration> until_free(const InstanceTable& instances, std::span<const Candidate> candidates, Instant now) {
  std::optional<Duration> soonest;
  for (const Candidate& candidate : candidates) {
    if (candidate.weight == 0) continue;
    const auto wait = until_free(instances, candidate, now);
    if (wait && (!soonest || *wait < *soonest)) soonest = wait;
  }
  if (!soonest || *soonest == Duration::zero()) return std::nullopt;
  return std::clamp(*soonest, kRetryAfterMin, kRetryAfterMax);
}

// Until the engine has computed what it was sent and takes the next; where it takes only so many at a time, who waits
// there already goes first.
Duration retry_after_wait(const InstanceTable& instances, const Candidate& candidate, Instant now) {
  const InstanceState& state = instances.state(candidate.slot);
  const GateState& gate = instances.gate(candidate.slot);
  const double speed = tokens_per_second(state, gate);
  const double waiting = std::max(gate.waiting_requests.load(std::memory_order_relaxed), 1);
  const auto tokens = static_cast<double>(std::max<int64_t>(gate.waiting_tokens.load(std::memory_order_relaxed), 0));
  const double sent_s = std::max(queue_seconds(state, now, 1, speed) - tokens / speed, 0.0);
  const std::chrono::duration<double> prompts(sent_s + tokens / speed / waiting);
  const Duration place = until_free(instances, candidate, now).value_or(Duration::zero());
  return std::clamp(std::max(place, std::chrono::duration_cast<Duration>(prompts)), kRetryAfterMin, kRetryAfterMax);
}

}  // namespace llmgw::routing
