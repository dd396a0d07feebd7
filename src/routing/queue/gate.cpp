#include "routing/queue/gate.h"

#include <algorithm>
#include <cmath>

namespace llmgw::routing {
namespace {

// Times the best seen: batches make single answers slower long before the engine has too much.
constexpr float kTolerance = 4;
// The best ages, so that a change of the load is noticed in the end: by half in some 35,000 answers.
constexpr float kForget = 1.00002F;
constexpr float kDecrease = 0.98F;
constexpr float kDecreaseRefused = 0.7F;
// Of an engine that said that it takes few, answers grow the limit by so much less: its metrics tell better, unless
// they are gone for good.
constexpr float kSmallGrowth = 0.125F;
// What a prompt costs however short it is, in tokens: the step it waits for.
constexpr float kTokensPerStep = 512;
// Shorter times say more about the network.
constexpr base::Duration kNoise = std::chrono::milliseconds(50);

// Share of the newest call in the average of their times, and the shortest: 0 is unknown.
constexpr float kCallRate = 0.2F;
constexpr float kCallMin = 1e-4F;
// Of a call's time, this is left however long it has taken.
constexpr double kLeastLeft = 0.1;

float limit_of(const GateState& gate) {
  const float learnt = gate.requests_limit.load(std::memory_order_relaxed);
  return learnt == 0 ? float(kLearntRequestsMin) : learnt;
}

// Not below the least, but where the engine itself has said that it takes less (told_concurrency.h).
void set_limit(GateState& gate, float limit) {
  const float least = std::min(limit_of(gate), float(kLearntRequestsMin));
  gate.requests_limit.store(std::clamp(limit, least, float(kLearntRequestsMax)), std::memory_order_relaxed);
}

bool all_taken(const InstanceState& state, uint32_t most) {
  return state.requests_in_flight.load(std::memory_order_relaxed) >= static_cast<int64_t>(most);
}

// In seconds, of the calls that hold a place.
std::optional<double> mean_age(const GateState& gate, base::Instant now) {
  const uint64_t places = gate.places.load(std::memory_order_relaxed);
  const uint64_t held = places >> kPlaceBits;
  if (held == 0) return std::nullopt;
  const double since = static_cast<double>(places & ((uint64_t{1} << kPlaceBits) - 1)) / static_cast<double>(held);
  const double ticks = static_cast<double>(now.time_since_epoch().count()) / static_cast<double>(kPlaceTick.count());
  return std::max(ticks - since, 0.0) * std::chrono::duration<double>(kPlaceTick).count();
}

}  // namespace

uint32_t requests_limit(const GateState& gate, const GateLimits& limits) {
  if (limits.requests_max != 0) return limits.requests_max;
  return limits.learns ? static_cast<uint32_t>(limit_of(gate)) : 0;
}

bool has_place(const InstanceState& state, const GateState& gate, const GateLimits& limits) {
  if (const uint32_t most = requests_limit(gate, limits); most != 0 && all_taken(state, most)) return false;
  if (limits.prompt_tokens_max == 0) return true;
  const int64_t sent =
      state.tokens_in_flight.load(std::memory_order_relaxed) - gate.waiting_tokens.load(std::memory_order_relaxed);
  return sent < int64_t{limits.prompt_tokens_max};
}

void note_call_time(GateState& gate, base::Duration took) {
  const float seen = std::chrono::duration<float>(std::max(took, base::Duration::zero())).count();
  const float old = gate.call_s.load(std::memory_order_relaxed);
  gate.call_s.store(old == 0 ? std::max(seen, kCallMin) : std::max(old + kCallRate * (seen - old), kCallMin),
                    std::memory_order_relaxed);
}

double PlaceTimes::until(double ahead) const {
  const double position = before + ahead;
  const double rounds = std::floor(position / places);
  return first_s + each_s * (position - rounds * places) + round_s * rounds;
}

std::optional<PlaceTimes> place_times(const InstanceState& state, const GateState& gate, const GateLimits& limits,
                                      base::Instant now) {
  const uint32_t most = requests_limit(gate, limits);
  if (most == 0 || !all_taken(state, most)) return PlaceTimes{};
  const double known_s = gate.call_s.load(std::memory_order_relaxed);
  const double age_s = mean_age(gate, now).value_or(known_s / 2);  // nobody knows: as if they had come one by one
  // Where none has ended yet, who has taken so long may take as long again.
  const double call_s = known_s == 0 ? 2 * age_s : std::max(known_s, age_s);
  if (call_s == 0) return std::nullopt;
  // Their ages lie evenly around the mean, as far as they can: all the same at the beginning of a burst, and from 0 to
  // a whole call where they have come one by one.
  const double spread_s = known_s == 0 ? 0 : std::min(age_s, call_s - age_s);
  const double each_s = 2 * spread_s / most;
  // One that takes longer than most may end at any moment.
  const double first_s = std::max(call_s - age_s - spread_s + each_s / 2, kLeastLeft * call_s / most);
  return PlaceTimes{.first_s = first_s, .each_s = each_s, .round_s = call_s, .places = double(most)};
}

void learn_concurrency(GateState& gate, base::Duration took, int64_t tokens, int32_t in_flight) {
  const float stretch =
      std::chrono::duration<float>(std::max(took, kNoise)).count() / (static_cast<float>(tokens) + kTokensPerStep);
  float best = gate.best_stretch.load(std::memory_order_relaxed);
  best = best == 0 ? stretch : std::min(stretch, best * kForget);
  gate.best_stretch.store(best, std::memory_order_relaxed);
  const float limit = limit_of(gate);
  if (limit < float(kLearntRequestsMin)) {
    if (static_cast<float>(in_flight) + 1 >= limit) set_limit(gate, limit + kSmallGrowth / limit);
  } else if (stretch > best * kTolerance) {
    set_limit(gate, limit * kDecrease);
    gate.grown.store(true, std::memory_order_relaxed);
  } else if (static_cast<float>(in_flight) + 1 >= limit) {
    // Doubles each round until there was too much once.
    set_limit(gate, limit + (gate.grown.load(std::memory_order_relaxed) ? 1 / limit : 1));
  }
}

void learn_concurrency_from_queue(GateState& gate, uint32_t running) {
  gate.grown.store(true, std::memory_order_relaxed);
  const float limit = std::min(limit_of(gate), static_cast<float>(std::max(running, 1U)));
  gate.requests_limit.store(limit, std::memory_order_relaxed);
}

void learn_concurrency_from_refusal(GateState& gate) {
  gate.grown.store(true, std::memory_order_relaxed);
  set_limit(gate, limit_of(gate) * kDecreaseRefused);
}

}  // namespace llmgw::routing
