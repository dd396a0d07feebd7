#include "routing/retry/retry_budget.h"

#include <gtest/gtest.h>

namespace llmgw::routing {
namespace {

TEST(RetryBudget, IsAFifthOfTheCallsBesidesABurst) {
  RetryBudget budget;
  int burst = 0;
  while (budget.take()) ++burst;
  EXPECT_EQ(burst, 50);
  int taken = 0;
  for (int i = 0; i < 1000; ++i) {
    budget.note_call();
    taken += budget.take() ? 1 : 0;
  }
  EXPECT_EQ(taken, 200);
}

TEST(RetryBudget, DoesNotSaveUpForEver) {
  RetryBudget budget;
  for (int i = 0; i < 100'000; ++i) budget.note_call();
  int burst = 0;
  while (budget.take()) ++burst;
  EXPECT_LE(burst, 51);
}

TEST(Backoff, GrowsJitteredAndHasALimit) {
  base::Rng rng(3);
  base::Duration longest{0};
  for (uint32_t round = 0; round < 40; ++round) {
    base::Duration sum{0};
    for (int i = 0; i < 200; ++i) {
      const base::Duration wait = backoff(round, rng);
      EXPECT_GE(wait, base::Duration::zero());
      longest = std::max(longest, wait);
      sum += wait;
    }
    if (round == 0) EXPECT_LT(sum / 200, std::chrono::milliseconds(100));
    if (round >= 5) EXPECT_GT(sum / 200, std::chrono::milliseconds(700));
  }
  EXPECT_LE(longest, std::chrono::seconds(2));
}

}  // namespace
}  // namespace llmgw::routing
