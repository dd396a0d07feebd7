// The clock of the benchmark's programs. CLOCK_MONOTONIC is one clock for all processes of a machine, so a time stamp
// taken by the canned upstream can be subtracted from one taken by the load generator.
#pragma once

#include <ctime>

#include <cstdint>

namespace llmgw::bench {

inline constexpr int64_t kNanosPerMicro = 1'000;
inline constexpr int64_t kNanosPerMilli = 1'000'000;
inline constexpr int64_t kNanosPerSecond = 1'000'000'000;

inline int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * kNanosPerSecond + now.tv_nsec;
}

}  // namespace llmgw::bench
