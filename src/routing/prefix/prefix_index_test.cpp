#include "routing/prefix/prefix_index.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "routing/prefix/block_hash.h"
#include "routing/simulation/engine_cache.h"

namespace llmgw::routing {
namespace {

base::Instant at(int64_t s) {
  return base::Instant(std::chrono::seconds(s));
}

std::vector<uint64_t> chain_of(std::initializer_list<uint64_t> ids) {
  std::vector<uint64_t> chain;
  uint64_t last = 0;
  for (const uint64_t id : ids) chain.push_back(last = chain_hash(last, id));
  return chain;
}

class PrefixIndexTest : public ::testing::Test {
 protected:
  explicit PrefixIndexTest(uint32_t instances = 8) : table_(instances) {
    for (uint32_t i = 0; i < instances; ++i) {
      handles_.push_back(table_.acquire(std::to_string(i)));
      table_.state(i).cache_blocks = 100;
    }
  }
  const PrefixHits& look_up(std::span<const uint64_t> chain, int64_t now = 1,
                            base::Duration lifetime = PrefixIndex::kForEver) {
    index_.look_up(chain, at(now), lifetime, hits_);
    return hits_;
  }
  InstanceTable table_;
  PrefixIndex index_{table_, 10'000};
  PrefixHits hits_{8};
  std::vector<InstanceHandle> handles_;
};

TEST(BlockHash, EqualPrefixesAndNothingElseHaveEqualChains) {
  std::string a(4000, 'a');
  std::string b = a;
  b[2500] = 'b';
  std::array<uint64_t, 8> x{};
  std::array<uint64_t, 8> y{};
  EXPECT_EQ(hash_blocks(a, 1, x), 3U);
  EXPECT_EQ(hash_blocks(b, 1, y), 3U);
  EXPECT_EQ(x[1], y[1]);
  EXPECT_NE(x[2], y[2]);
  hash_blocks(a, 2, y);
  EXPECT_NE(x[0], y[0]);
  EXPECT_EQ(hash_blocks(std::string(100'000, 'a'), 1, x), 8U);
  EXPECT_EQ(hash_blocks("short", 1, x), 0U);
}

TEST_F(PrefixIndexTest, FindsTheLongestPrefixOfEachInstance) {
  const auto chain = chain_of({1, 2, 3, 4});
  index_.insert(chain_of({1, 2, 9}), 3, at(1));
  index_.insert(chain_of({1, 2, 3}), 5, at(1));
  EXPECT_EQ(look_up(chain).of(3), 2U);
  EXPECT_EQ(look_up(chain).of(5), 3U);
  EXPECT_EQ(look_up(chain).of(0), 0U);
  EXPECT_EQ(look_up(chain_of({2, 3})).of(5), 0U);
}

TEST_F(PrefixIndexTest, WhatEveryoneHoldsIsNoReasonToPreferAnyone) {
  for (Slot slot = 0; slot < 4; ++slot) index_.insert(chain_of({1, 2}), slot, at(1));
  index_.insert(chain_of({1, 2, 3}), 2, at(1));
  const auto& hits = look_up(chain_of({1, 2, 3}));
  EXPECT_EQ(hits.shared(), 2U);
  EXPECT_EQ(hits.of(7), 2U);
  EXPECT_EQ(hits.of(2), 3U);
}

TEST_F(PrefixIndexTest, ForgetsWhatTheCacheMustHaveDropped) {
  const auto chain = chain_of({1, 2});
  index_.insert(chain, 0, at(1));
  for (uint64_t i = 100; i < 198; ++i) index_.insert(chain_of({i}), 0, at(1));
  EXPECT_EQ(look_up(chain).of(0), 2U);
  index_.insert(chain_of({1000}), 0, at(1));
  EXPECT_EQ(look_up(chain).of(0), 1U);  // the tail first
  index_.insert(chain_of({1001}), 0, at(1));
  EXPECT_EQ(look_up(chain).of(0), 0U);
}

TEST_F(PrefixIndexTest, APrefixNobodyAsksForEndsWithItsTime) {
  const auto chain = chain_of({1});
  index_.insert(chain, 0, at(1000));
  EXPECT_EQ(look_up(chain, 1299, std::chrono::minutes(5)).of(0), 1U);
  EXPECT_EQ(look_up(chain, 1301, std::chrono::minutes(5)).of(0), 0U);
}

TEST_F(PrefixIndexTest, LearnsTheSizeOfACache) {
  constexpr size_t kTruth = 300;
  InstanceState& state = table_.state(0);
  state.cache_blocks = 0;
  EngineCache cache(kTruth);
  base::Rng rng(5);
  for (uint64_t i = 0; i < 5000; ++i) {
    const uint64_t session = 1 + rng.below(60);
    const auto chain = chain_of({session, session + 1000, session + 2000, session + 3000, i + 10'000, i + 20'000});
    std::array<uint32_t, 8> ages{};
    const size_t known = index_.ages(chain, 0, ages);
    const size_t expected = look_up(chain).of(0);
    index_.insert(chain, 0, at(1));
    const size_t found = cache.match(chain);
    cache.use(chain);
    PrefixIndex::correct(state, expected, found);
    PrefixIndex::learn(state, {ages.data(), known}, found);
  }
  EXPECT_GT(state.cache_blocks, kTruth / 2);
  EXPECT_LT(state.cache_blocks, kTruth * 3 / 2);
}

TEST_F(PrefixIndexTest, StaysBounded) {
  EXPECT_LE(PrefixIndex(table_).bytes(), size_t{64} << 20);
  for (uint64_t i = 0; i < 100'000; ++i) index_.insert(chain_of({i}), 0, at(static_cast<int64_t>(i / 100)));
  EXPECT_EQ(look_up(chain_of({99'999}), 1000).of(0), 1U);
  EXPECT_EQ(look_up(chain_of({5}), 1000).of(0), 0U);
}

// Others overtake it: their blocks entering the cache do not bring it there.
TEST_F(PrefixIndexTest, WhatIsPromisedIsNotThereUntilItIsSent) {
  const auto waits = chain_of({1, 2, 3});
  index_.promise(waits, 0, 2, at(1));
  EXPECT_EQ(look_up(waits).of(0), 3U);
  for (uint64_t id = 100; id < 130; ++id) index_.insert(chain_of({id}), 0, at(1));
  EXPECT_EQ(index_.held(waits, 0), 0U);
  index_.insert(waits, 0, at(1));
  EXPECT_EQ(index_.held(waits, 0), 3U);
  // A promise that is never kept is forgotten like anything else.
  const auto gone = chain_of({7, 8});
  index_.promise(gone, 0, 0, at(1));
  for (uint64_t id = 200; id < 400; ++id) index_.insert(chain_of({id}), 0, at(1));
  EXPECT_EQ(look_up(gone).of(0), 0U);
}

}  // namespace
}  // namespace llmgw::routing
