// How much an instance is given at a time: what is more waits in the gateway, where it can still be put in order, or
// go elsewhere. Three limits, each optional:
//
//   requests   a number from the configuration
//   learnt     the same, found by additive increase and multiplicative decrease on the gradient of the time to first
//              token, as Netflix's concurrency-limits does (github.com/Netflix/concurrency-limits, Vegas, Gradient2)
//   prompts    uncached prompt tokens that have no first token yet: an engine computes prompts one after the other,
//              so what it is given beyond its next steps only waits there, first come first served
//
// Shared states, any thread; the functions are pure but for them.
#pragma once

#include <cstdint>
#include <optional>

#include "routing/load/instance_table.h"

namespace llmgw::routing {

// An engine gets another prompt while it has less than this before it: the steps of vLLM and SGLang take 2,048 to 8,192
// tokens, so it never runs dry.
inline constexpr uint32_t kPromptWindowTokens = 2048;
// Learning begins here, and goes below only by the engine's own word (told_concurrency.h).
inline constexpr uint32_t kLearntRequestsMin = 16;
// No engine batches more.
inline constexpr uint32_t kLearntRequestsMax = 4096;

struct GateLimits {
  uint32_t requests_max = 0;       // 0: no limit
  uint32_t prompt_tokens_max = 0;  // 0: no limit
  bool learns = false;
  bool any() const { return requests_max != 0 || prompt_tokens_max != 0 || learns; }
};

// As it stands; 0: none.
uint32_t requests_limit(const GateState& gate, const GateLimits& limits);
// Whether the instance may be sent another call. A look and no reservation: Lease keeps to the number of requests, of
// the prompts each of n workers that look at once may send one.
bool has_place(const InstanceState& state, const GateState& gate, const GateLimits& limits);

// A call had its place there for `took`: what place_times() is told by, beside the leases that hold places.
void note_call_time(GateState& gate, base::Duration took);
// How long it probably takes until places are free there. All 0: one is, or there is no limit on calls.
struct PlaceTimes {
  double first_s = 0;  // until the first is
  double each_s = 0;   // from one to the next, until all that are taken now have been free
  double round_s = 0;  // and so long does each of them take again
  double places = 1;   // how many there are
  double before = 0;   // who gets theirs before all that until() counts

  // Until one is free for whoever comes behind `ahead` others.
  double until(double ahead) const;
};
// By how long calls have taken there, and how long those have that hold the places now: right after a burst all have
// just begun, and nobody is free before a whole call is over. Nothing: all are taken, and nobody can tell for how long.
std::optional<PlaceTimes> place_times(const InstanceState& state, const GateState& gate, const GateLimits& limits,
                                      base::Instant now);

// Nobody is told to come back sooner, nor later: an estimate of more says nothing.
inline constexpr base::Duration kRetryAfterMin = std::chrono::seconds(1);
inline constexpr base::Duration kRetryAfterMax = std::chrono::minutes(10);

// A first token came `took` after its prompt of `tokens` uncached ones was sent, with `in_flight` calls there.
void learn_concurrency(GateState& gate, base::Duration took, int64_t tokens, int32_t in_flight);
// The engine says itself that calls wait there while it works on `running`: those are what it takes.
void learn_concurrency_from_queue(GateState& gate, uint32_t running);
// It refused a call.
void learn_concurrency_from_refusal(GateState& gate);

}  // namespace llmgw::routing
