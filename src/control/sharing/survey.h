// Which limits others may have used that this process has not: those of a scope without a tally, or with one whose
// budget's period is over. For each a small question that changes nothing in Redis, so that neither Redis nor this
// process keeps anything of a limit that nobody uses. Pure; time is passed in. The sharing thread's.
//
// Scopes that a snapshot brings are asked about first: all of them when a process begins, and it waits for that. Later
// each is asked about once a round, and a round takes a second, or longer where there are very many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "admission/meter.h"
#include "control/snapshot.h"

namespace llmgw::control {

class Survey {
 public:
  static constexpr admission::Nanoseconds kRoundInterval = admission::kSecond;
  // Scopes asked about in one exchange: the first time, when answers are waited for, and later.
  static constexpr size_t kFirstMax = 4096;
  static constexpr size_t kLaterMax = 50;
  // Scopes that a later exchange looks at to find those.
  static constexpr size_t kVisitsMax = 1000;

  struct Item {
    size_t scope = 0;  // in Snapshot::scopes
    bool first = false;
  };

  // Its scopes from here on. `before` is the one that was surveyed until now, null: none.
  void adopt(const Snapshot& snapshot, const Snapshot* before);
  // What the next exchange is to ask about. Of `wants(scope)` those that it is true of.
  template <class Wants>
  std::vector<Item> next(admission::Nanoseconds now, const Wants& wants);
  // The exchange failed: asked again. A scope of several questions may stand there once for each, one behind another.
  void put_back(std::span<const Item> items);
  // Every scope has been asked about once.
  bool complete() const { return first_.empty(); }

 private:
  size_t count_ = 0;
  std::vector<size_t> first_;  // the next is the last
  size_t next_ = 0;
  admission::Nanoseconds round_began_ = 0;
};

template <class Wants>
std::vector<Survey::Item> Survey::next(admission::Nanoseconds now, const Wants& wants) {
  std::vector<Item> items;
  while (!first_.empty() && items.size() < kFirstMax) {
    if (wants(first_.back())) items.push_back({.scope = first_.back(), .first = true});
    first_.pop_back();
  }
  if (!items.empty()) return items;
  if (next_ >= count_) {
    if (now - round_began_ < kRoundInterval) return items;
    next_ = 0;
  }
  if (next_ == 0) round_began_ = now;
  for (size_t visits = 0; visits < kVisitsMax && next_ < count_ && items.size() < kLaterMax; ++visits, ++next_) {
    if (wants(next_)) items.push_back({.scope = next_});
  }
  return items;
}

}  // namespace llmgw::control
