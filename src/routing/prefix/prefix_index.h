// Where which prefix is probably cached: a bounded table from block hashes to the instances that were sent them last.
// Shared by all workers without a lock. It is a hint: two workers that write one entry at once can leave a wrong
// holder behind, which costs a cache miss and no more.
//
// Least recently used, an instance at a time: a holder is stamped with its instance's block clock, which counts the
// blocks that entered that cache; older than the cache is large means gone. The size is what the engine reports, or
// learnt from the cached tokens that answers report. A block that more instances hold than an entry has places for is
// shared by everybody: it is then no reason to prefer one of them.
//
// 32 bytes an entry and half as many again as blocks: 48 MB for a million.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "routing/load/instance_table.h"

namespace llmgw::routing {

inline constexpr size_t kHoldersMax = 3;
inline constexpr size_t kIndexBlocksMax = 1 << 20;

// How many leading blocks each instance holds; kept by a worker and used again, so that no look-up allocates.
class PrefixHits {
 public:
  explicit PrefixHits(uint32_t instances) : hits_(instances, 0) {}
  // Blocks that `slot` holds of the prompt looked up last.
  uint32_t of(Slot slot) const { return std::max<uint32_t>(hits_[slot], shared_); }
  // Leading blocks that everybody holds.
  uint32_t shared() const { return shared_; }

 private:
  friend class PrefixIndex;
  void reset();
  std::vector<uint32_t> hits_;
  std::vector<Slot> touched_;
  uint32_t shared_ = 0;
};

class PrefixIndex {
 public:
  // How long a provider keeps a prefix nobody asks for; engines keep until memory is needed.
  static constexpr base::Duration kForEver = std::chrono::hours(24 * 100);

  explicit PrefixIndex(const InstanceTable& instances, size_t blocks_max = kIndexBlocksMax);
  ~PrefixIndex();
  PrefixIndex(const PrefixIndex&) = delete;
  PrefixIndex& operator=(const PrefixIndex&) = delete;

  void look_up(std::span<const uint64_t> chain, base::Instant now, base::Duration lifetime, PrefixHits& hits) const;
  // The prompt goes to `slot`: its blocks will be there.
  void insert(std::span<const uint64_t> chain, Slot slot, base::Instant now);
  // The prompt will go to `slot` once so many other blocks have entered its cache: those that are looked up find it
  // there, what is there is as before.
  void promise(std::span<const uint64_t> chain, Slot slot, uint32_t blocks_before, base::Instant now);
  // Leading blocks that `slot` has now, without what was promised.
  uint32_t held(std::span<const uint64_t> chain, Slot slot) const;
  // How many blocks entered the cache of `slot` since it was sent each of the leading blocks of `chain` last, as many
  // as are known of. To be taken before insert(), and kept for learn() once the answer says how many were still there.
  size_t ages(std::span<const uint64_t> chain, Slot slot, std::span<uint32_t> out) const;
  // An answer said that `cached` blocks were still there of `expected`: the others have entered the cache anew.
  static void correct(InstanceState& state, size_t expected, size_t cached) {
    if (cached < expected) {
      state.block_clock.fetch_add(static_cast<uint32_t>(expected - cached), std::memory_order_relaxed);
    }
  }
  // Moves the instance's estimated size towards what an answer proves.
  static void learn(InstanceState& state, std::span<const uint32_t> ages, size_t cached_blocks);

  size_t bytes() const;

 private:
  struct Entry;
  Entry* find(uint64_t hash) const;
  Entry& find_or_displace(uint64_t hash, uint32_t now_s);
  uint32_t enter(std::span<const uint64_t> chain, Slot slot, std::optional<uint32_t> ahead, base::Instant now);

  const InstanceTable& instances_;
  size_t slots_;
  // Of zeroed pages: an index that nobody uses takes no memory.
  struct Free {
    void operator()(Entry* entries) const;
  };
  std::unique_ptr<Entry[], Free> entries_;
};

}  // namespace llmgw::routing
