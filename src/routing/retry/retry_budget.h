// How many calls may be tried again: a share of the calls of the same model, so that retries never multiply an outage,
// and one model's outage leaves the others their retries. Token buckets of relaxed atomics, shared by all workers. Also
// the waits between attempts. Any thread.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

#include "base/rng.h"
#include "base/time.h"

namespace llmgw::routing {

class RetryBudget {
 public:
  void note_call() {
    again_.add(2);       // a retry for every five calls
    elsewhere_.add(10);  // on average each call may go elsewhere once
  }
  // False: too many calls are retried already.
  bool take() { return again_.take(); }
  // When that is spent: for an instance that is well and was not asked by this call, or another model. Such an attempt
  // adds nothing to what has failed, so it has a reserve of its own; bounded all the same, for what is well has to stay
  // so.
  bool take_elsewhere() { return elsewhere_.take(); }

 private:
  class Bucket {
   public:
    void add(int64_t tenths) {
      if (tenths_.load(std::memory_order_relaxed) < kTenthsMax) tenths_.fetch_add(tenths, std::memory_order_relaxed);
    }
    bool take() {
      if (tenths_.fetch_sub(kPerRetry, std::memory_order_relaxed) >= kPerRetry) return true;
      tenths_.fetch_add(kPerRetry, std::memory_order_relaxed);
      return false;
    }

   private:
    static constexpr int64_t kPerRetry = 10;
    static constexpr int64_t kTenthsMax = 500;  // 50 at once, and as many to begin with
    std::atomic<int64_t> tenths_ = kTenthsMax;
  };
  Bucket again_;
  Bucket elsewhere_;
};

// One for each model, by a hash of its name: of more than some hundred models two may share one.
class RetryBudgets {
 public:
  RetryBudget& of(uint64_t hash) { return budgets_[(hash ^ (hash >> 32)) % budgets_.size()].budget; }

 private:
  struct alignas(64) Own {
    RetryBudget budget;
  };
  std::array<Own, 1024> budgets_;  // 64 KiB
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
