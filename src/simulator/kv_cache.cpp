#include "simulator/kv_cache.h"

namespace llmgw::simulator {

KvCache::KvCache(size_t blocks, bool prefix_sharing) : blocks_(blocks), prefix_sharing_(prefix_sharing) {
  free_.reserve(blocks);
  for (size_t i = blocks; i > 0; --i) free_.push_back(static_cast<BlockId>(i - 1));
}

size_t KvCache::match(std::span<const uint64_t> hashes) const {
  size_t found = 0;
  while (found < hashes.size() && published_.contains(hashes[found])) ++found;
  return found;
}

bool KvCache::acquire(std::span<const uint64_t> hashes, size_t shared, size_t fresh, std::vector<BlockId>& held) {
  size_t waking = 0;
  for (size_t i = 0; i < shared; ++i) waking += blocks_[published_.find(hashes[i])->second].holders == 0 ? 1 : 0;
  if (free_.size() + idle_ < waking + fresh) return false;
  for (size_t i = 0; i < shared; ++i) {
    const BlockId id = published_.find(hashes[i])->second;
    if (blocks_[id].holders++ == 0) {
      idle_remove(id);
      ++used_;
    }
    held.push_back(id);
  }
  for (size_t i = 0; i < fresh; ++i) {
    const BlockId id = take_free();
    blocks_[id] = Block{.holders = 1};
    ++used_;
    held.push_back(id);
  }
  return true;
}

void KvCache::publish(BlockId id, uint64_t hash) {
  Block& block = blocks_[id];
  if (!prefix_sharing_ || block.published) return;
  if (!published_.try_emplace(hash, id).second) return;
  block.hash = hash;
  block.published = true;
}

void KvCache::release(std::vector<BlockId>& held) {
  while (!held.empty()) {
    const BlockId id = held.back();
    held.pop_back();
    if (--blocks_[id].holders != 0) continue;
    --used_;
    if (blocks_[id].published) {
      idle_push(id);
    } else {
      free_.push_back(id);
    }
  }
}

void KvCache::forget() {
  while (idle_ != 0) free_.push_back(evict_oldest());
}

void KvCache::idle_push(BlockId id) {
  Block& block = blocks_[id];
  block.older = newest_idle_;
  block.newer = kNone;
  (newest_idle_ == kNone ? oldest_idle_ : blocks_[newest_idle_].newer) = id;
  newest_idle_ = id;
  ++idle_;
}

void KvCache::idle_remove(BlockId id) {
  const Block& block = blocks_[id];
  (block.older == kNone ? oldest_idle_ : blocks_[block.older].newer) = block.newer;
  (block.newer == kNone ? newest_idle_ : blocks_[block.newer].older) = block.older;
  --idle_;
}

KvCache::BlockId KvCache::take_free() {
  if (!free_.empty()) {
    const BlockId id = free_.back();
    free_.pop_back();
    return id;
  }
  return evict_oldest();
}

KvCache::BlockId KvCache::evict_oldest() {
  const BlockId id = oldest_idle_;
  idle_remove(id);
  published_.erase(blocks_[id].hash);
  blocks_[id] = Block{};
  return id;
}

}  // namespace llmgw::simulator
