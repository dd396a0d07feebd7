// Who stands first in each worker's line before an instance: so that a free place goes to the first of all, whichever
// worker it waits in. Shared by all workers without a lock. A worker publishes its own and looks at the others'; what
// has not been published anew for kStale is not believed, so a worker that hangs holds up nobody for longer.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>

#include "routing/load/instance_table.h"

namespace llmgw::routing {

class LineHeads {
 public:
  // Further workers share columns, and go first a little too often.
  static constexpr uint32_t kWorkersMax = 64;
  // A worker publishes every few milliseconds while somebody waits in it. Where there are more threads than processors
  // it may get none for some tens of them, and who stands first in it keeps its place that long.
  static constexpr base::Duration kStale = std::chrono::milliseconds(100);
  static constexpr double kNobody = std::numeric_limits<double>::infinity();

  explicit LineHeads(uint32_t instances)
      : heads_(static_cast<Head*>(std::calloc(size_t{instances} * kWorkersMax, sizeof(Head)))) {
    if (heads_ == nullptr) throw std::bad_alloc();
  }
  // A column of one's own.
  uint32_t join() { return workers_.fetch_add(1, std::memory_order_relaxed) % kWorkersMax; }

  // `rank`: less goes first, and stays so while time passes (AdmissionQueue::head_rank); in the unit of the line's
  // order. kNobody: the line is empty.
  void publish(Slot slot, uint32_t worker, double rank, base::Instant now) {
    Head& head = heads_[size_t{slot} * kWorkersMax + worker];
    head.rank.store(rank, std::memory_order_relaxed);
    head.at_ms.store(rank == kNobody ? 0 : short_ms(now), std::memory_order_relaxed);
  }
  // Whether nobody elsewhere comes before `rank`.
  bool first(Slot slot, uint32_t worker, double rank, base::Instant now) const {
    const uint32_t workers = workers_.load(std::memory_order_relaxed);
    for (uint32_t i = 0; i < (workers < kWorkersMax ? workers : kWorkersMax); ++i) {
      if (i == worker) continue;
      const Head& head = heads_[size_t{slot} * kWorkersMax + i];
      const uint32_t at_ms = head.at_ms.load(std::memory_order_relaxed);
      if (at_ms == 0 || since_short(at_ms, now) > kStale) continue;
      if (head.rank.load(std::memory_order_relaxed) < rank) return false;
    }
    return true;
  }

 private:
  struct Head {
    std::atomic<double> rank;
    std::atomic<uint32_t> at_ms;  // short_ms(); 0: nobody waits
  };
  struct Free {
    void operator()(Head* heads) const { std::free(heads); }
  };
  std::atomic<uint32_t> workers_ = 0;
  std::unique_ptr<Head[], Free> heads_;
};

}  // namespace llmgw::routing
