#include "base/saturating.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace llmgw::base {
namespace {

TEST(Saturating, StaysAtTheEndAndIsExactBefore) {
  EXPECT_EQ(add_saturating<int64_t>(INT64_MAX - 1, 2), INT64_MAX);
  EXPECT_EQ(add_saturating<int64_t>(INT64_MIN + 1, -2), INT64_MIN);
  EXPECT_EQ(add_saturating<uint64_t>(UINT64_MAX, 1), UINT64_MAX);
  EXPECT_EQ(multiply_saturating<int64_t>(INT64_MIN, -1), INT64_MAX);
  EXPECT_EQ(multiply_saturating<int64_t>(INT64_MAX, -2), INT64_MIN);
  std::mt19937_64 random(1);
  const auto clamped = [](__int128 value) {
    return static_cast<int64_t>(std::clamp<__int128>(value, INT64_MIN, INT64_MAX));
  };
  for (int i = 0; i < 10'000; ++i) {
    const auto one = static_cast<int64_t>(random()) >> (random() % 64);
    const auto other = static_cast<int64_t>(random()) >> (random() % 64);
    EXPECT_EQ(add_saturating(one, other), clamped(static_cast<__int128>(one) + other));
    EXPECT_EQ(multiply_saturating(one, other), clamped(static_cast<__int128>(one) * other));
    EXPECT_EQ(subtract_wrapping(add_wrapping(one, other), one), other) << "whatever lies between";
  }
}

}  // namespace
}  // namespace llmgw::base
