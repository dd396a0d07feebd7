// Time as values. Logic never asks a clock: it is handed an Instant. The loop (net/loop.h) owns the clock,
// real or simulated. Any thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace llmgw::base {

using Duration = std::chrono::nanoseconds;

// Tag of the monotonic clock of a loop; its epoch is arbitrary. Never compared with wall time.
struct MonotonicClock {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonotonicClock, Duration>;
  static constexpr bool is_steady = true;
};
using Instant = MonotonicClock::time_point;
using WallTime = std::chrono::sys_time<Duration>;  // since 1970-01-01 UTC, for logs and ledgers

inline constexpr Instant kNever = Instant::max();

// Reads the real clocks. Only the shells (net/loop.cpp, telemetry's writer) call these.
Instant real_now();
WallTime real_wall_now();

}  // namespace llmgw::base
