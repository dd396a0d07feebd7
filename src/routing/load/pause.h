// An instance, or a model there, that asked to be left alone, by 429 or 503 with Retry-After: not sick, but not to be
// called until then. Any thread.
#pragma once

#include <algorithm>

#include "routing/load/instance_table.h"

namespace llmgw::routing {

// Nobody is left alone longer for one answer. Also what tells a pause from one of weeks ago: moments of 32 bits turn
// over.
inline constexpr base::Duration kPauseMax = std::chrono::minutes(10);

// Whether it said how long. Where it did not, it may be asked all the same when there is nobody else.
enum class PauseKind : uint8_t { guessed, asked };

inline void pause(InstanceState& state, base::Instant now, base::Duration time, PauseKind kind = PauseKind::asked) {
  const uint32_t until = short_ms(now + std::min(time, kPauseMax));
  // An odd moment was guessed; 0 is none, and so 2 the first even one.
  state.paused_until_ms.store(kind == PauseKind::guessed ? until : std::max(until & ~1U, 2U),
                              std::memory_order_relaxed);
}

// Of the pause that was last; nothing is said of whether it is over.
inline PauseKind pause_kind(const InstanceState& state) {
  return (state.paused_until_ms.load(std::memory_order_relaxed) & 1) != 0 ? PauseKind::guessed : PauseKind::asked;
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
