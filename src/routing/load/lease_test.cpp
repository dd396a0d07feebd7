#include "routing/load/lease.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/rng.h"

namespace llmgw::routing {
namespace {

constexpr base::Instant kNow{std::chrono::seconds(1000)};

TEST(InstanceTable, FindsAnInstanceByItsIdentityWhileSomebodyHoldsIt) {
  InstanceTable table(2);
  InstanceHandle a = table.acquire("a");
  InstanceHandle b = table.acquire("b");
  EXPECT_FALSE(table.acquire("c").valid());
  table.state(a.slot()).cache_blocks = 7;
  InstanceHandle again = table.acquire("a");
  EXPECT_EQ(again.slot(), a.slot());
  a = {};
  EXPECT_EQ(table.state(again.slot()).cache_blocks, 7U);
  const uint32_t clock = table.state(again.slot()).block_clock;
  again = {};
  const InstanceHandle c = table.acquire("c");
  ASSERT_TRUE(c.valid());
  EXPECT_EQ(table.state(c.slot()).cache_blocks, 0U);
  EXPECT_GT(table.state(c.slot()).block_clock - clock, 1U << 20);
}

TEST(Lease, TakesAndGivesBackWhateverHappens) {
  InstanceTable table(3);
  std::vector<InstanceHandle> handles;
  for (const char* name : {"a", "b", "c"}) handles.push_back(table.acquire(name));
  base::Rng rng(1);
  std::vector<Lease> leases;
  int64_t tokens = 0;
  for (int i = 0; i < 20000; ++i) {
    switch (rng.below(5)) {
      case 0:
      case 1: {
        leases.emplace_back(table.state(static_cast<Slot>(rng.below(3))), static_cast<int64_t>(rng.below(1000)), kNow);
        tokens += leases.back().tokens();
        break;
      }
      case 2:
        if (!leases.empty()) leases[rng.below(leases.size())].first_token(kNow);
        break;
      case 3:
        if (!leases.empty()) leases.erase(leases.begin() + static_cast<ptrdiff_t>(rng.below(leases.size())));
        break;
      default:
        if (leases.size() > 1) leases.front() = std::move(leases.back()), leases.pop_back();
    }
    ASSERT_EQ(table.requests_in_flight(), static_cast<int64_t>(leases.size()));
    ASSERT_LE(table.tokens_in_flight(), tokens);
  }
  leases.clear();
  EXPECT_EQ(table.requests_in_flight(), 0);
  EXPECT_EQ(table.tokens_in_flight(), 0);
  for (Slot slot = 0; slot < 3; ++slot) EXPECT_EQ(table.state(slot).prompts_in_flight, 0);
}

TEST(Lease, IsZeroAfterAStormOfThreads) {
  InstanceTable table(1);
  const InstanceHandle handle = table.acquire("a");
  std::vector<std::thread> threads;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    threads.emplace_back([&table, &handle, seed] {
      base::Rng rng(seed);
      for (int i = 0; i < 20000; ++i) {
        Lease lease(table.state(handle.slot()), static_cast<int64_t>(rng.below(100)), kNow);
        if (rng.chance(0.5)) lease.first_token(kNow);
        if (rng.chance(0.3)) lease = Lease(table.state(handle.slot()), 5, kNow);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(table.requests_in_flight(), 0);
  EXPECT_EQ(table.tokens_in_flight(), 0);
  EXPECT_EQ(table.state(handle.slot()).prompts_in_flight, 0);
}

}  // namespace
}  // namespace llmgw::routing
