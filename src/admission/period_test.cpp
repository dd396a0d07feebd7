#include "admission/period.h"

#include <gtest/gtest.h>

namespace llmgw::admission {
namespace {

struct Case {
  BudgetPeriod period;
  const char* zone;
  int64_t wall, start, end;
};

// `date -d 'TZ="Europe/Berlin" 2027-03-28' +%s` and the like.
constexpr Case kCases[] = {
    {BudgetPeriod::hour, "UTC", 1'800'000'000, 1'800'000'000, 1'800'003'600},
    {BudgetPeriod::hour, "UTC", 1'800'003'599, 1'800'000'000, 1'800'003'600},
    {BudgetPeriod::day, "UTC", 1'801'396'800, 1'801'353'600, 1'801'440'000},
    // 2027-03-28 in Berlin has 23 hours, 2027-10-31 has 25.
    {BudgetPeriod::day, "Europe/Berlin", 1'806'200'000, 1'806'188'400, 1'806'271'200},
    {BudgetPeriod::day, "Europe/Berlin", 1'824'940'000, 1'824'933'600, 1'825'023'600},
    // 2027-01-31 is a Sunday.
    {BudgetPeriod::week, "UTC", 1'801'396'800, 1'800'835'200, 1'801'440'000},
    {BudgetPeriod::week, "UTC", 1'801'440'000, 1'801'440'000, 1'802'044'800},
    {BudgetPeriod::month, "UTC", 1'801'396'800, 1'798'761'600, 1'801'440'000},
    {BudgetPeriod::month, "Asia/Kolkata", 1'801'420'300, 1'801'420'200, 1'803'839'400},
    {BudgetPeriod::month, "Asia/Kolkata", 1'801'420'100, 1'798'741'800, 1'801'420'200},
};

TEST(Period, BeginsAndEndsByLocalClocks) {
  ZoneCache zones;
  for (const Case& each : kCases) {
    const PeriodRule rule(each.period, zones.get(each.zone));
    EXPECT_EQ(rule.start_of_period(each.wall), each.start) << each.zone << " " << each.wall;
    EXPECT_EQ(rule.end_of_period(each.wall), each.end) << each.zone << " " << each.wall;
  }
}

TEST(Period, AnEndIsTheNextStart) {
  ZoneCache zones;
  for (const char* zone : {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"}) {
    for (const auto period : {BudgetPeriod::day, BudgetPeriod::week, BudgetPeriod::month}) {
      const PeriodRule rule(period, zones.get(zone));
      int64_t wall = 1'293'840'000;  // 2011: the year in which Apia had no 30 December
      for (int i = 0; i < 2000 && wall < 2'400'000'000; ++i) {
        const int64_t end = rule.end_of_period(wall);
        ASSERT_GT(end, wall) << zone;
        ASSERT_EQ(rule.start_of_period(end), end) << zone;
        ASSERT_EQ(rule.end_of_period(end - 1), end) << zone;
        wall = end;
      }
    }
  }
}

}  // namespace
}  // namespace llmgw::admission
