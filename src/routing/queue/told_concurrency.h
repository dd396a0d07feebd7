// How many calls an engine takes at a time by its own word: beside what gate.h learns of its answers, which never tells
// less than kLearntRequestsMin. Shared state, any thread; pure but for it.
#pragma once

#include <cstdint>

#include "routing/queue/gate.h"

namespace llmgw::routing {

// What its metrics said, with `in_flight` calls of ours there: that calls wait while it works on `running` (then those
// are what it takes), or not. `again`: it said so the time before, too, so they have not just come; only then is less
// than kLearntRequestsMin believed, down to one. There, one more is tried each time that it has all it takes and none
// waits.
struct ToldQueue {
  bool waits = false;
  bool again = false;
  uint32_t running = 0;
  int32_t in_flight = 0;
};
void learn_concurrency_from_metrics(GateState& gate, const ToldQueue& told);

}  // namespace llmgw::routing
