#include "control/key_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "control/config.h"

namespace llmgw::control {
namespace {

const store::KeyHasher& hasher() {
  static const store::KeyHasher made{base::Secret("the secret of a store")};
  return made;
}

TEST(HashedKeyTable, FindsWhatWasAddedAndNothingElse) {
  constexpr uint32_t kKeys = 2000;
  HashedKeyTable table(hasher(), kKeys);
  const auto name = [](uint32_t number) { return "lgw_sk_key-" + std::to_string(number); };
  for (uint32_t i = 0; i < kKeys; ++i) EXPECT_TRUE(table.add(hasher().hash(name(i)), i, HashedKey::kForEver));
  EXPECT_FALSE(table.add(hasher().hash(name(7)), 1, HashedKey::kForEver));
  for (uint32_t i = 0; i < kKeys; ++i) EXPECT_EQ(table.find(name(i), 0), i);
  for (const auto* other : {"", "lgw_sk_key-", "lgw_sk_key-2000", "LGW_SK_KEY-1"}) EXPECT_FALSE(table.find(other, 0));
  EXPECT_FALSE(HashedKeyTable().find("x", 0));
}

TEST(HashedKeyTable, AReplacedKeyIsGoodUntilItsTime) {
  HashedKeyTable table(hasher(), 2);
  EXPECT_TRUE(table.add(hasher().hash("old"), 0, 1000));
  EXPECT_TRUE(table.add(hasher().hash("new"), 0, HashedKey::kForEver));
  EXPECT_EQ(table.find("old", 999), 0u);
  EXPECT_FALSE(table.find("old", 1000));
  EXPECT_EQ(table.find("new", HashedKey::kForEver - 1), 0u);
}

// The shortest of many times is nearly free of what else the machine does. A comparison that stops at the first
// difference of the keys would take longer the more of a key is right; one of their hashes cannot.
TEST(HashedKeyTable, TimeDoesNotTellHowMuchOfAKeyIsRight) {
  using Clock = std::chrono::steady_clock;
  const std::string right = "lgw_sk_" + std::string(505, 'a');
  HashedKeyTable table(hasher(), 1);
  ASSERT_TRUE(table.add(hasher().hash(right), 0, HashedKey::kForEver));
  std::string early = right;
  early.front() = 'x';
  std::string late = right;
  late.back() = 'x';
  const auto batch = [&](const std::string& key) {
    const auto begin = Clock::now();
    bool any = false;
    for (int i = 0; i < 32; ++i) any = any || table.find(key, 0).has_value();
    EXPECT_FALSE(any);
    return Clock::now() - begin;
  };
  auto early_best = Clock::duration::max();
  auto late_best = Clock::duration::max();
  for (int round = 0; round < 1000; ++round) {
    early_best = std::min(early_best, batch(early));
    late_best = std::min(late_best, batch(late));
  }
  const double ratio = static_cast<double>(late_best.count()) / static_cast<double>(early_best.count());
  EXPECT_GT(ratio, 0.8);
  EXPECT_LT(ratio, 1.25);
}

}  // namespace
}  // namespace llmgw::control
