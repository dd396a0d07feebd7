#include "net/patience.h"

#include <gtest/gtest.h>

namespace llmgw::net {
namespace {

using namespace std::chrono_literals;

constexpr base::Instant kStart{1h};

TEST(Patience, EndsWhereNothingIsTaken) {
  EXPECT_EQ(Patience(10s, kStart).deadline(), kStart + 10s);
}

TEST(Patience, IsRenewedByEnoughAtOnceOrByAndBy) {
  Patience patience(10s, kStart);
  patience.took(kLeastTaken, kStart + 9s);
  EXPECT_EQ(patience.deadline(), kStart + 19s);
  patience.took(kLeastTaken / 2, kStart + 11s);
  EXPECT_EQ(patience.deadline(), kStart + 19s);
  patience.took(kLeastTaken / 2, kStart + 18s);
  EXPECT_EQ(patience.deadline(), kStart + 28s);
}

// A byte now and then holds nobody's memory for long.
TEST(Patience, IsNotRenewedByDrops) {
  Patience patience(10s, kStart);
  for (size_t i = 1; i < kLeastTaken; ++i) patience.took(1, kStart + i * 1ms);
  EXPECT_EQ(patience.deadline(), kStart + 10s);
}

}  // namespace
}  // namespace llmgw::net
