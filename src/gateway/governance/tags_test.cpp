#include "gateway/governance/tags.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::gateway {
namespace {

class Tags : public testing::Test {
 protected:
  base::Arena arena_;
  TagList tags_{arena_};
};

TEST_F(Tags, AreTrimmedAndStandOnce) {
  tags_.add("product:search");
  tags_.add(" run:7 ,,\t, product:search,run:7, a b ,");
  tags_.add("");
  EXPECT_EQ(tags_.text(), "product:search,run:7,a b");
  EXPECT_EQ(tags_.left_out(), 0u);
}

TEST_F(Tags, ThoseOfTheGatewayComeFirstAndTooManyAreLeftOut) {
  tags_.add("own");
  std::string many;
  for (int i = 0; i < 3000; ++i) many += "q" + std::to_string(i) + ",";
  tags_.add(many);
  EXPECT_EQ(tags_.text(), "own,q0,q1,q2,q3,q4,q5,q6,q7,q8,q9,q10,q11,q12,q13,q14");
  EXPECT_EQ(tags_.left_out(), 3000u - 15);
}

TEST_F(Tags, OneThatIsTooLongOrNoTextIsLeftOutWhole) {
  const std::string long_enough(kTagBytesMax, 'x');
  const std::string several = long_enough + "y,ok,a\x01z,\xff,ä";
  tags_.add(several);
  EXPECT_EQ(tags_.text(), "ok,ä");
  EXPECT_EQ(tags_.left_out(), 3u);
  tags_.add(long_enough);
  EXPECT_EQ(tags_.text(), "ok,ä," + long_enough);
}

TEST_F(Tags, AllTogetherAreWhatARecordHolds) {
  std::string all;
  for (char c = 'a'; c < 'k'; ++c) all += std::string(kTagBytesMax, c) + ",";
  all += "short";
  tags_.add(all);
  EXPECT_EQ(tags_.text().size(), 7 * (kTagBytesMax + 1) + 5) << "the short one fits still";
  EXPECT_LE(tags_.text().size(), kTagTextBytesMax);
  EXPECT_EQ(tags_.left_out(), 3u);
}

}  // namespace
}  // namespace llmgw::gateway
