// An instance that asked to be left alone, by 429 or 503 with Retry-After: not sick, but not to be called until then.
// Any thread.
#pragma once

#include <algorithm>

#include "routing/load/instance_table.h"

namespace llmgw::routing {

// Nobody is left alone longer for one answer. Also what tells a pause from one of weeks ago: moments of 32 bits turn
// over.
inline constexpr base::Duration kPauseMax = std::chrono::minutes(10);

inline void pause(InstanceState& state, base::Instant now, base::Duration asked) {
  state.paused_until_ms.store(short_ms(now + std::min(asked, kPauseMax)), std::memory_order_relaxed);
}

// How long it still is to be left alone; 0: it is not.
inline base::Duration pause_left(const InstanceState& state, base::Instant now) {
  const uint32_t until = state.paused_until_ms.load(std::memory_order_relaxed);
  if (until == 0) return base::Duration::zero();
  const base::Duration left = -since_short(until, now);
  return left > kPauseMax + std::chrono::milliseconds(1) ? base::Duration::zero()
                                                         : std::max(left, base::Duration::zero());
}

}  // namespace llmgw::routing
