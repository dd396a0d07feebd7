#include "control/limit_changes.h"

#include <gtest/gtest.h>

#include <tuple>

#include "admission/reservation.h"
#include "control/test_support.h"

namespace llmgw::control {
namespace {

class LimitChanges : public testing::Test {
 protected:
  std::shared_ptr<const Snapshot> snapshot_of(const std::string& limits) {
    const auto config = TestWorld{}.load(
        "[[connections]]\nname = \"c\"\nprovider = \"vllm\"\nendpoint = \"http://c\"\n[[models]]\nname = \"m\"\n"
        "connection = \"c\"\n[[keys]]\nname = \"k\"\nkey = \"12345678\"\n" +
        limits);
    EXPECT_TRUE(config) << format_errors(config.error(), "t");
    return *build_snapshot(*config, {.hash_key = {1, 2}, .meters = &meters_});
  }
  // A call now that uses so many tokens; what is left then.
  static uint64_t call(const Snapshot& snapshot, uint64_t tokens, bool of_tokens) {
    const Scope& scope = snapshot.scopes.at(0);
    const admission::Governed governed{&scope.compiled(), scope.meter.get()};
    admission::Reservation reservation;
    EXPECT_FALSE(reservation.take({&governed, 1}, {.tokens = tokens}, {.now = 1}));
    reservation.settle({.tokens = tokens}, {.now = 1});
    return left(snapshot, of_tokens);
  }
  static uint64_t left(const Snapshot& snapshot, bool of_tokens) {
    const Scope& scope = snapshot.scopes.at(0);
    const admission::Governed governed{&scope.compiled(), scope.meter.get()};
    admission::Allowance allowance;
    of_tokens ? tighten_tokens(allowance, governed, 1) : tighten_requests(allowance, governed, 1);
    return allowance.remaining;
  }

  admission::MeterTable meters_;
};

TEST_F(LimitChanges, WhatWasUsedStaysAsManyTokens) {
  const auto few = snapshot_of("tpm = 100\n");
  EXPECT_EQ(call(*few, 100, true), 0u);
  const auto many = snapshot_of("tpm = 1000000\n");
  carry_windows_over(*few, *many, 1);
  EXPECT_EQ(left(*many, true), 999'900u);
  carry_windows_over(*many, *snapshot_of("tpm = 1000000\nrpm = 5\n"), 1);
  EXPECT_EQ(left(*many, true), 999'900u);
  carry_windows_over(*many, *few, 1);
  EXPECT_EQ(left(*few, true), 0u);
}

TEST_F(LimitChanges, AndAsManyRequests) {
  for (const auto& [before, after, left_then] :
       {std::tuple("rpm = 3\n", "rpm = 600\n", 599u), std::tuple("tps = 0.5\n", "tps = 10\n", 9u),
        std::tuple("tps = 10\n", "tps = 2\n", 1u)}) {
    meters_ = {};
    const auto old = snapshot_of(before);
    call(*old, 0, false);
    const auto now = snapshot_of(after);
    carry_windows_over(*old, *now, 1);
    EXPECT_EQ(left(*now, false), left_then) << after;
  }
}

TEST_F(LimitChanges, BudgetsOfOtherPeriodsAreFound) {
  const auto by_month = snapshot_of("budget = \"1.00\"\n");
  const Scope& scope = by_month->scopes.at(0);
  const auto by_zone = snapshot_of("budget = \"1.00\"\ntime_zone = \"Europe/Berlin\"\n");
  EXPECT_TRUE(scopes_of_other_periods(*by_zone).empty()) << "no period has begun";
  admission::roll(*scope.meter, scope.compiled().period, 1'800'000'000);
  EXPECT_TRUE(scopes_of_other_periods(*by_month).empty());
  EXPECT_TRUE(scopes_of_other_periods(*snapshot_of("budget = \"2.00\"\n")).empty());
  EXPECT_EQ(scopes_of_other_periods(*by_zone).size(), 1u);
}

}  // namespace
}  // namespace llmgw::control
