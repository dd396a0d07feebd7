#include "base/time.h"

#include <ctime>

namespace llmgw::base {
namespace {

Duration read_clock(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

Instant real_now() {
  return Instant(read_clock(CLOCK_MONOTONIC));
}
WallTime real_wall_now() {
  return WallTime(read_clock(CLOCK_REALTIME));
}

}  // namespace llmgw::base
