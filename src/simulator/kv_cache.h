// A simulated paged key-value cache: a fixed number of blocks, shared by prefix, evicted least recently used.
// The rules are vLLM's (its automatic prefix caching as of v1): only full blocks are shared, a block is found by the
// hash of everything up to its end, a block nobody holds stays findable until its memory is needed, and the tail of
// a prefix goes before its head. One thread; no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace llmgw::simulator {

class KvCache {
 public:
  using BlockId = uint32_t;

  // Without `prefix_sharing` nothing is ever found again.
  KvCache(size_t blocks, bool prefix_sharing);

  // How many leading blocks of `hashes` are in the cache now.
  size_t match(std::span<const uint64_t> hashes) const;
  // Takes hold of the first `shared` blocks of `hashes` (as `match` counted them) and of `fresh` new ones, appended to
  // `held`. All or nothing: false if there is too little memory, and then nothing has changed.
  bool acquire(std::span<const uint64_t> hashes, size_t shared, size_t fresh, std::vector<BlockId>& held);
  // The block has been filled; from now on `match` finds it. A block of the same hash that is known keeps its place.
  void publish(BlockId block, uint64_t hash);
  // Lets go of all blocks in `held` and clears it.
  void release(std::vector<BlockId>& held);
  // Forgets every block nobody holds.
  void forget();

  size_t blocks() const { return blocks_.size(); }
  // Blocks somebody holds. The rest is free or can be made free.
  size_t used() const { return used_; }

 private:
  static constexpr BlockId kNone = UINT32_MAX;
  struct Block {
    uint64_t hash = 0;
    uint32_t holders = 0;
    bool published = false;
    BlockId older = kNone;
    BlockId newer = kNone;
  };

  void idle_push(BlockId id);
  void idle_remove(BlockId id);
  BlockId take_free();
  BlockId evict_oldest();

  std::vector<Block> blocks_;
  std::vector<BlockId> free_;
  std::unordered_map<uint64_t, BlockId> published_;
  BlockId oldest_idle_ = kNone;
  BlockId newest_idle_ = kNone;
  size_t idle_ = 0;  // published blocks nobody holds
  size_t used_ = 0;
  bool prefix_sharing_;
};

}  // namespace llmgw::simulator
