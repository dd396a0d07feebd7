// Whether the workers live: each stamps its own place from its loop, and anybody may look at all of them. A hanging
// worker cannot say so itself; every other one can. No lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/time.h"

namespace llmgw::gateway {

inline constexpr base::Duration kHeartbeatInterval = std::chrono::seconds(1);
// A worker that shows no sign of life for so long hangs: nothing on the request path may take a fraction of it.
inline constexpr base::Duration kHangLimit = std::chrono::seconds(5);

class Heartbeats {
 public:
  // Before the workers start; all of them are taken to live at `now`.
  void reset(size_t workers, base::Instant now);

  // The worker's thread.
  void beat(size_t worker, base::Instant now) { places_[worker].last_ns.store(ns(now), std::memory_order_relaxed); }
  // It has ended as it should: nobody waits for it any more.
  void end(size_t worker) { places_[worker].last_ns.store(INT64_MAX, std::memory_order_relaxed); }

  // The first worker that has been silent for more than kHangLimit, as a sentence; empty: all is well. `now` is of the
  // kernel's monotonic clock. Any thread.
  std::string trouble(base::Instant now) const;

 private:
  static int64_t ns(base::Instant instant) { return instant.time_since_epoch().count(); }
  // A place is written once a second: sharing a cache line does not matter.
  struct Place {
    std::atomic<int64_t> last_ns = 0;
  };
  std::unique_ptr<Place[]> places_;
  size_t workers_ = 0;
};

}  // namespace llmgw::gateway
