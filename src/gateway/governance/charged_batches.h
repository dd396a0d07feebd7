// The batches of which this process has written what they cost, so that a client that lists its batches every minute
// leaves no record each time. A convenience alone: what is forgotten here, and what other processes write, the ledger's
// database knows to be charged already (control/ledger/ledger_store.h). Thread-safe; asked of finished batches alone.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <unordered_set>
#include <utility>

namespace llmgw::gateway {

class ChargedBatches {
 public:
  // The oldest goes first.
  static constexpr size_t kBatchesMax = 20'000;

  // True: it has not been here. `key`: accounting::batch_key().
  bool add(std::string key) {
    const std::lock_guard lock(mutex_);
    const auto [at, added] = known_.insert(std::move(key));
    if (!added) return false;
    order_.push_back(&*at);
    if (order_.size() > kBatchesMax) {
      known_.erase(known_.find(*order_.front()));
      order_.pop_front();
    }
    return true;
  }

 private:
  std::mutex mutex_;
  std::unordered_set<std::string> known_;
  std::deque<const std::string*> order_;  // into `known_`, which leaves its texts where they are
};

}  // namespace llmgw::gateway
