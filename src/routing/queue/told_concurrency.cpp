#include "routing/queue/told_concurrency.h"

#include <algorithm>

namespace llmgw::routing {

void learn_concurrency_from_metrics(GateState& gate, const ToldQueue& told) {
  if (told.waits) {
    const uint32_t least = told.again ? 1 : kLearntRequestsMin;
    return learn_concurrency_from_queue(gate, std::max(told.running, least));
  }
  const uint32_t taken = requests_limit(gate, {.learns = true});
  const bool small = taken < kLearntRequestsMin;
  if (small && told.in_flight >= static_cast<int64_t>(taken)) {
    gate.requests_limit.store(static_cast<float>(taken + 1), std::memory_order_relaxed);
  }
}

}  // namespace llmgw::routing
