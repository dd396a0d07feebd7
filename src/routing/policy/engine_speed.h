// How fast an instance computes prompts, learnt from its answers, and how long it needs for what it has been given.
// Relaxed atomics; any thread.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "routing/load/instance_table.h"

namespace llmgw::routing {

// Seconds that an instance needs for what is in flight there; `speed` in tokens a second.
double queue_seconds(const InstanceState& state, base::Instant now, uint32_t weight, double speed);
// How fast it computes prompts, by the first tokens of its answers or a guess.
double tokens_per_second(const InstanceState& state);
// The same, where no first token was seen by whole answers: by this waits are estimated. They know it less well, and
// of instances that are alike the one that seems faster by chance would get all calls of a quiet hour.
double tokens_per_second(const InstanceState& state, const GateState& gate);
// What instances of a group are compared by. Speeds are measured, so chance makes one of two equal instances the
// faster; and who is not asked is not measured. So that neither keeps calls from an instance:
//
//   one that has shown less than a few answers counts as the fastest of the group that has; the guess where none has
//   what one has shown counts less the longer ago it answered: after a minute it is half way to the fastest
//   speeds are rounded to a grid of quarters of the fastest, up or down by a chance that is the same for all of a
//   decision: those within a few percent are mostly equal, one that is slower by a quarter never is the fastest
//
// One a decision; one thread.
class ComparedSpeeds {
 public:
  explicit ComparedSpeeds(double chance) : chance_(chance) {}  // uniform in [0, 1)
  // All of the group, before of() is asked.
  void add(const InstanceState& state);
  double of(const InstanceState& state, base::Instant now) const;  // tokens a second

 private:
  double chance_;
  uint32_t fastest_shown_ = 0;
  uint32_t fastest_seen_ = 0;  // once or more
};

// 0: neither has shown it.
uint32_t learnt_speed(const InstanceState& state, const GateState& gate);
// The first token of an answer came at `now`; the request was sent at `sent`, and the engine computed
// `computed_tokens` of its prompt for it: moves the learnt speed and the latency. An engine computes prompts one after
// the other, so this one took the time since it was sent or since the one before was done, whatever was later.
void note_first_token(InstanceState& state, int64_t computed_tokens, base::Instant sent, base::Instant now);
// An answer that was not streamed, of `said` tokens, came `took` after its request was sent: may move the speed that is
// learnt from such.
void note_whole_answer(GateState& gate, int64_t computed_tokens, uint64_t said, base::Duration took);

}  // namespace llmgw::routing
