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

TEST(RetryBudget, LeavesAReserveForWhatIsWell) {
  RetryBudget budget;
  while (budget.take()) {
  }
  int elsewhere = 0;
  while (budget.take_elsewhere()) ++elsewhere;
  EXPECT_EQ(elsewhere, 50);
  elsewhere = 0;
  for (int i = 0; i < 1000; ++i) {
    budget.note_call();
    elsewhere += budget.take_elsewhere() ? 1 : 0;
  }
  EXPECT_EQ(elsewhere, 1000);
  EXPECT_FALSE(budget.take_elsewhere());
}

TEST(RetryBudgets, OneModelsOutageLeavesTheOthersTheirs) {
  RetryBudgets budgets;
  while (budgets.of(1).take()) {
  }
  EXPECT_TRUE(budgets.of(2).take());
  EXPECT_FALSE(budgets.of(1).take());
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
