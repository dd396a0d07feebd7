#include "gateway/heartbeat.h"

namespace llmgw::gateway {

void Heartbeats::reset(size_t workers, base::Instant now) {
  places_ = std::make_unique<Place[]>(workers);
  workers_ = workers;
  for (size_t worker = 0; worker < workers; ++worker) beat(worker, now);
}

std::string Heartbeats::trouble(base::Instant now) const {
  for (size_t worker = 0; worker < workers_; ++worker) {
    const int64_t last_ns = places_[worker].last_ns.load(std::memory_order_relaxed);
    // A place may be younger than `now`, or ended: then the difference is negative.
    const base::Duration silence(ns(now) - last_ns);
    if (silence <= kHangLimit) continue;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(silence).count();
    return "worker " + std::to_string(worker) + " has not answered for " + std::to_string(seconds) + " s";
  }
  return {};
}

}  // namespace llmgw::gateway
