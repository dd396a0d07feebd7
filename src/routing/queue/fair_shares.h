// What tenants have had, for the fair order: start-time fair queueing (Goyal, Vin, Cheng 1996). A tenant's tag is how
// far it has come in tokens by its weight; who is behind goes first, and nobody saves up while away. Shared by all
// workers without a lock; any thread. Tenants are numbers; those that are equal modulo kTenantsMax share.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace llmgw::routing {

class FairShares {
 public:
  // More keys than any gateway serves at a time. Half a megabyte of zeroed pages, taken as they are used.
  static constexpr uint32_t kTenantsMax = 65536;

  FairShares() : tags_(static_cast<Tag*>(std::calloc(kTenantsMax, sizeof(Tag)))) {
    if (tags_ == nullptr) throw std::bad_alloc();
  }

  // A request that costs so much: its start tag.
  double begin(uint64_t tenant, double cost, uint32_t weight) {
    const double now = virtual_time_.load(std::memory_order_relaxed);
    Tag& tag = tags_[tenant % kTenantsMax];
    double seen = tag.load(std::memory_order_relaxed);
    for (;;) {
      const double start = seen > now ? seen : now;
      if (tag.compare_exchange_weak(seen, start + cost / (weight == 0 ? 1 : weight), std::memory_order_relaxed)) {
        return start;
      }
    }
  }
  // It cost more than was said, or less.
  void correct(uint64_t tenant, double more, uint32_t weight) {
    Tag& tag = tags_[tenant % kTenantsMax];
    double seen = tag.load(std::memory_order_relaxed);
    const double step = more / (weight == 0 ? 1 : weight);
    while (!tag.compare_exchange_weak(seen, seen + step, std::memory_order_relaxed)) {
    }
  }
  // The request of that start tag is served.
  void serve(double start_tag) {
    double seen = virtual_time_.load(std::memory_order_relaxed);
    while (seen < start_tag && !virtual_time_.compare_exchange_weak(seen, start_tag, std::memory_order_relaxed)) {
    }
  }

 private:
  using Tag = std::atomic<double>;
  struct Free {
    void operator()(Tag* tags) const { std::free(tags); }
  };
  std::atomic<double> virtual_time_ = 0;
  std::unique_ptr<Tag[], Free> tags_;
};

}  // namespace llmgw::routing
