// What InstanceState::waiting means, which holds what an engine says of its own queue: also where it ought to say so
// and does not any more. Relaxed atomics; any thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "routing/load/instance_table.h"

namespace llmgw::routing {

// Set in the gauge of an engine that is asked and does not say it: the rest is what it said last.
inline constexpr uint16_t kSilentGauge = 0x8000;
// Larger numbers are told as that.
inline constexpr uint16_t kGaugeMax = kSilentGauge - 2;

inline bool is_silent(uint16_t gauge) {
  return gauge != kUnknownGauge && (gauge & kSilentGauge) != 0;
}

// The gauge where nothing was said: what was said last, a sixteenth less each time. A second apart, half is left after
// eleven seconds and little after half a minute.
inline uint16_t silent_gauge(uint16_t before) {
  constexpr int kShare = 16;
  if (before == kUnknownGauge) return kSilentGauge;
  const int last = before & ~kSilentGauge;
  return static_cast<uint16_t>((last - (last + kShare - 1) / kShare) | kSilentGauge);
}

// A waiting request of somebody else's, about which nothing is known.
inline constexpr double kForeignTokens = 1024;

// Requests of others that wait there: of one that is silent by what it said last, 0 of one that nobody asks.
inline double foreign_requests(const InstanceState& state) {
  const uint16_t waiting = state.waiting.load(std::memory_order_relaxed);
  if (waiting == kUnknownGauge) return 0;
  const int32_t sent = std::max(state.requests_in_flight.load(std::memory_order_relaxed), 0);
  return std::max(0.0, double(waiting & ~kSilentGauge) - sent);
}

}  // namespace llmgw::routing
