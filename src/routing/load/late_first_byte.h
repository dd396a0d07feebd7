// How long 95 of 100 answers of an instance take to begin: when a longer wait is worth asking another one. A quantile
// by steps (Ma, Muthukrishnan, Sandler, "Frugal Streaming for Estimating Quantiles", 2014), here relative ones, so that
// no unit has to be known: a later answer moves the estimate up by 19 times what an earlier one moves it down. One word
// of the instance's state. Any thread; a lost update is a lost sample.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "routing/load/instance_table.h"

namespace llmgw::routing {

inline void note_first_byte(InstanceState& state, base::Duration took) {
  constexpr double kDown = 0.005;  // some hundred answers until it is known
  constexpr double kUp = 19 * kDown;
  constexpr double kMostMicroseconds = 3.6e9;  // an hour
  const double seen =
      std::clamp(double(std::chrono::duration_cast<std::chrono::microseconds>(took).count()), 1.0, kMostMicroseconds);
  const double old = state.late_us.load(std::memory_order_relaxed);
  // The first is taken for an ordinary one.
  const double next = old == 0 ? 2 * seen : seen > old ? old * (1 + kUp) : old * (1 - kDown);
  state.late_us.store(static_cast<uint32_t>(std::lround(std::clamp(next, 1.0, kMostMicroseconds))),
                      std::memory_order_relaxed);
}

inline std::optional<base::Duration> late_first_byte(const InstanceState& state) {
  const uint32_t us = state.late_us.load(std::memory_order_relaxed);
  if (us == 0) return std::nullopt;
  return std::chrono::microseconds(us);
}

}  // namespace llmgw::routing
