#include "simulator/kv_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "base/rng.h"

namespace llmgw::simulator {
namespace {

using Hashes = std::vector<uint64_t>;

void fill(KvCache& cache, const Hashes& hashes, std::vector<KvCache::BlockId>& held) {
  const size_t shared = cache.match(hashes);
  ASSERT_TRUE(cache.acquire(hashes, shared, hashes.size() - shared, held));
  for (size_t i = 0; i < hashes.size(); ++i) cache.publish(held[i], hashes[i]);
}

TEST(KvCache, SharesAPrefixWhileHeldAndAfterwards) {
  KvCache cache(8, true);
  std::vector<KvCache::BlockId> first, second;
  fill(cache, {1, 2, 3}, first);
  EXPECT_EQ(cache.used(), 3u);
  EXPECT_EQ(cache.match(Hashes{1, 2, 9}), 2u);
  fill(cache, {1, 2, 9}, second);
  EXPECT_EQ(cache.used(), 4u);
  cache.release(first);
  cache.release(second);
  EXPECT_EQ(cache.used(), 0u);
  EXPECT_EQ(cache.match(Hashes{1, 2, 3}), 3u);
  EXPECT_EQ(cache.match(Hashes{2, 3}), 2u);
  EXPECT_EQ(cache.match(Hashes{7, 1}), 0u);
}

TEST(KvCache, EvictsTheLeastRecentlyUsedAndTailsFirst) {
  KvCache cache(4, true);
  std::vector<KvCache::BlockId> held;
  fill(cache, {1, 2}, held);
  cache.release(held);
  fill(cache, {3, 4}, held);
  cache.release(held);
  fill(cache, {5}, held);
  EXPECT_EQ(cache.match(Hashes{1, 2}), 1u) << "the tail of the oldest prefix went first";
  EXPECT_EQ(cache.match(Hashes{3, 4}), 2u);
  std::vector<KvCache::BlockId> again;
  fill(cache, {1}, again);
  cache.release(again);
  std::vector<KvCache::BlockId> more;
  ASSERT_TRUE(cache.acquire({}, 0, 1, more));
  EXPECT_EQ(cache.match(Hashes{1}), 1u) << "just used, so 4 went instead";
  EXPECT_EQ(cache.match(Hashes{3, 4}), 1u);
}

TEST(KvCache, AcquiresAllOrNothing) {
  KvCache cache(3, true);
  std::vector<KvCache::BlockId> held, other;
  fill(cache, {1, 2}, held);
  cache.release(held);
  // Waking 1 and 2 leaves one block: two fresh ones cannot be had.
  EXPECT_FALSE(cache.acquire(Hashes{1, 2}, 2, 2, other));
  EXPECT_TRUE(other.empty());
  EXPECT_EQ(cache.used(), 0u);
  EXPECT_TRUE(cache.acquire(Hashes{1, 2}, 2, 1, other));
  EXPECT_EQ(cache.used(), 3u);
}

TEST(KvCache, FindsNothingWithoutSharing) {
  KvCache cache(4, false);
  std::vector<KvCache::BlockId> held;
  fill(cache, {1, 2}, held);
  EXPECT_EQ(cache.match(Hashes{1, 2}), 0u);
}

TEST(KvCache, ForgetsOnlyWhatNobodyHolds) {
  KvCache cache(4, true);
  std::vector<KvCache::BlockId> first, second;
  fill(cache, {1, 2}, first);
  fill(cache, {1, 3}, second);
  cache.release(first);
  cache.forget();
  EXPECT_EQ(cache.match(Hashes{1, 3}), 2u);
  EXPECT_EQ(cache.match(Hashes{1, 2}), 1u);
  std::vector<KvCache::BlockId> rest;
  EXPECT_TRUE(cache.acquire({}, 0, 2, rest));
}

TEST(KvCache, KeepsCountOverRandomUse) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    base::Rng rng(seed);
    KvCache cache(16, true);
    std::map<int, std::vector<KvCache::BlockId>> holders;
    for (int step = 0; step < 500; ++step) {
      if (holders.size() > 4 || (!holders.empty() && rng.chance(0.4))) {
        auto it = holders.begin();
        std::advance(it, rng.below(holders.size()));
        cache.release(it->second);
        holders.erase(it);
      } else {
        Hashes hashes;
        const uint64_t family = rng.below(4);
        for (uint64_t i = 0; i < 1 + rng.below(6); ++i) hashes.push_back(family * 100 + i);
        const size_t shared = cache.match(hashes);
        std::vector<KvCache::BlockId> held;
        if (!cache.acquire(hashes, shared, hashes.size() - shared, held)) continue;
        for (size_t i = 0; i < hashes.size(); ++i) cache.publish(held[i], hashes[i]);
        ASSERT_EQ(cache.match(hashes), hashes.size());
        holders[step] = std::move(held);
      }
      std::map<KvCache::BlockId, int> distinct;
      for (const auto& [key, held] : holders) {
        for (const auto id : held) ++distinct[id];
      }
      ASSERT_EQ(cache.used(), distinct.size()) << "seed " << seed << " step " << step;
    }
    for (auto& [key, held] : holders) cache.release(held);
    std::vector<KvCache::BlockId> all;
    ASSERT_TRUE(cache.acquire({}, 0, 16, all)) << "no block was lost, seed " << seed;
  }
}

}  // namespace
}  // namespace llmgw::simulator
