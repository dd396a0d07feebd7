#include "base/money.h"

#include <gtest/gtest.h>

#include <limits>

namespace llmgw::base {
namespace {

TEST(Money, IsReadExactly) {
  EXPECT_EQ(parse_usd("12"), NanoDollars{12'000'000'000});
  EXPECT_EQ(parse_usd("12.5"), NanoDollars{12'500'000'000});
  EXPECT_EQ(parse_usd("$0.000000001"), NanoDollars{1});
  EXPECT_EQ(parse_usd("0.1"), NanoDollars{100'000'000});
  EXPECT_EQ(parse_usd("9000000000"), NanoDollars{9'000'000'000'000'000'000});
}

TEST(Money, NothingElseIsRead) {
  for (const char* text : {"", "$", ".", ".5", "5.", "-1", "+1", "1e3", "1,5", "1.0000000001", "9000000000.000000001",
                           "99999999999999999999", " 1", "1 ", "1.2.3", "0x1"}) {
    EXPECT_EQ(parse_usd(text), std::nullopt) << text;
  }
}

TEST(Money, IsWrittenExactly) {
  EXPECT_EQ(format_usd({0}), "0.00");
  EXPECT_EQ(format_usd({1}), "0.000000001");
  EXPECT_EQ(format_usd({-1'500'000'000}), "-1.50");
  EXPECT_EQ(format_usd({12'345'678'900}), "12.3456789");
  EXPECT_EQ(format_usd({std::numeric_limits<int64_t>::min()}), "-9223372036.854775808");
}

TEST(Money, WhatIsWrittenIsReadBack) {
  for (int64_t nano : {0LL, 7LL, 999'999'999LL, 1'000'000'000LL, 8'999'999'999'999'999'999LL}) {
    EXPECT_EQ(parse_usd(format_usd({nano})), NanoDollars{nano});
  }
}

}  // namespace
}  // namespace llmgw::base
