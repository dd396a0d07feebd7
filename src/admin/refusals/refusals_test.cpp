#include "admin/refusals/refusals.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace llmgw::admin {
namespace {

TEST(Refusals, OnePlaceHidesNoOther) {
  Refusals refusals;
  int written = 0;
  for (int i = 0; i < 28; ++i) written += refusals.note("192.0.2.1", 100) ? 1 : 0;
  EXPECT_EQ(written, 5);
  EXPECT_TRUE(refusals.note("192.0.2.2", 100)) << "of another address";
  EXPECT_TRUE(refusals.note("192.0.2.1", 101)) << "in another second";
  const auto sums = refusals.take_sums(101);
  ASSERT_EQ(sums.size(), 1u) << "nobody was refused since";
  EXPECT_EQ(sums[0].place, "192.0.2.1");
  EXPECT_EQ(sums[0].count, 23u);
  EXPECT_TRUE(refusals.take_sums(102).empty());
}

// Whatever comes: each refusal is written, or in a sum, of its own place while there is room; and memory has a bound.
TEST(Refusals, AreAllWrittenOrCounted) {
  Refusals refusals;
  uint64_t noted = 0;
  uint64_t written = 0;
  uint64_t counted = 0;
  std::map<std::string, uint64_t> sums;
  const auto add = [&](const std::vector<Refusals::Sum>& all) {
    for (const auto& sum : all) {
      counted += sum.count;
      sums[sum.place] += sum.count;
    }
  };
  for (int64_t second = 1; second <= 30; ++second) {
    uint64_t at_once = 0;
    for (int place = 0; place < 3'000; ++place) {
      ++noted;
      at_once += refusals.note("10.0." + std::to_string(place / 250) + "." + std::to_string(place % 250), second);
    }
    EXPECT_LE(at_once, Refusals::kAllPerSecond);
    written += at_once;
    const auto taken = refusals.take_sums(second);
    EXPECT_LE(taken.size(), Refusals::kSumsAtOnce);
    add(taken);
  }
  EXPECT_TRUE(sums.contains(Refusals::kOtherPlaces));
  EXPECT_GT(sums.size(), 900u) << "each had its turn";
  refusals.put_back({.place = "10.0.0.1", .count = 3});
  noted += 3;
  const auto rest = refusals.take_all();
  EXPECT_LE(rest.size(), Refusals::kPlacesMax + 1);
  add(rest);
  EXPECT_EQ(written + counted, noted);
  EXPECT_TRUE(refusals.take_all().empty());
}

TEST(Refusals, APlaceIsWhatOneClientHas) {
  const auto place = [](const char* text) { return place_of(*net::Address::parse(text)); };
  EXPECT_EQ(place("192.0.2.1:4000"), "192.0.2.1");
  EXPECT_EQ(place("[2001:db8:1:2:3:4:5:6]:4000"), "2001:db8:1:2::/64");
  EXPECT_EQ(place("unix:/run/x.sock"), "unix:/run/x.sock");
}

}  // namespace
}  // namespace llmgw::admin
