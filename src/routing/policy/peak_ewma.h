// Peak EWMA of a latency, as in Finagle (twitter.github.io/finagle, "Balancers: P2C + Peak EWMA"): jumps up at once,
// comes down with time. Packed into 64 bits so that workers share it without a lock. Any thread.
#pragma once

#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>

#include "base/time.h"

namespace llmgw::routing {

// Half of a peak is forgotten in about 7 s.
inline constexpr double kEwmaSeconds = 10;

class PeakEwma {
 public:
  static void record(std::atomic<uint64_t>& cell, base::Instant now, base::Duration latency) {
    const auto value = std::chrono::duration<float>(latency).count();
    uint64_t seen = cell.load(std::memory_order_relaxed);
    for (;;) {
      const float old = std::bit_cast<float>(static_cast<uint32_t>(seen >> 32));
      float next = value;
      if (seen != 0 && value < old) {
        const double passed = double(ms(now) - static_cast<uint32_t>(seen)) / 1000.0;
        const double keep = std::exp(-passed / kEwmaSeconds);
        next = static_cast<float>(old * keep + value * (1 - keep));
      }
      const uint64_t wanted = uint64_t{std::bit_cast<uint32_t>(next)} << 32 | ms(now);
      if (cell.compare_exchange_weak(seen, wanted, std::memory_order_relaxed)) return;
    }
  }
  // Seconds; 0: nothing was recorded.
  static double read(const std::atomic<uint64_t>& cell) {
    return std::bit_cast<float>(static_cast<uint32_t>(cell.load(std::memory_order_relaxed) >> 32));
  }

  // When the last one was recorded, to a millisecond; a long time ago if never.
  static base::Instant last(const std::atomic<uint64_t>& cell, base::Instant now) {
    const uint64_t seen = cell.load(std::memory_order_relaxed);
    if (seen == 0) return base::Instant{};
    const uint32_t passed = ms(now) - static_cast<uint32_t>(seen);
    // Another thread's clock may be ahead of this one's.
    constexpr uint32_t kAheadMax = 60'000;
    return passed > UINT32_MAX - kAheadMax ? now : now - std::chrono::milliseconds(passed);
  }

 private:
  static uint32_t ms(base::Instant now) {
    return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
  }
};

}  // namespace llmgw::routing
