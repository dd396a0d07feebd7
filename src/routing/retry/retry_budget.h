// How many calls may be tried again: a share of all calls, so that retries never multiply an outage. A token bucket of
// relaxed atomics, shared by all workers. Also the waits between attempts. Any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/rng.h"
#include "base/time.h"

namespace llmgw::routing {

class RetryBudget {
 public:
  void note_call() {
    if (tenths_.load(std::memory_order_relaxed) < kTenthsMax) tenths_.fetch_add(kPerCall, std::memory_order_relaxed);
  }
  // False: too many calls are retried already.
  bool take() {
    if (tenths_.fetch_sub(kPerRetry, std::memory_order_relaxed) >= kPerRetry) return true;
    tenths_.fetch_add(kPerRetry, std::memory_order_relaxed);
    return false;
  }

 private:
  static constexpr int64_t kPerRetry = 10;
  static constexpr int64_t kPerCall = 2;      // a retry for every five calls
  static constexpr int64_t kTenthsMax = 500;  // 50 at once, and as many to begin with
  std::atomic<int64_t> tenths_ = kTenthsMax;
};

// Before the same instance is asked again: full jitter (AWS, "Exponential Backoff And Jitter", 2015), or what the
// instance asked for.
inline base::Duration backoff(uint32_t round, base::Rng& rng) {
  constexpr double kFirstSeconds = 0.1;
  constexpr double kMostSeconds = 2;
  const double most = std::min(kMostSeconds, kFirstSeconds * double(1U << std::min(round, 10U)));
  return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(most * rng.uniform()));
}

}  // namespace llmgw::routing
