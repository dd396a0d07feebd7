#include "base/time_zone.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace llmgw::base {
namespace {

// The C library's answer, which knows one zone at a time.
long offset_by_libc(const char* zone, int64_t utc) {
  setenv("TZ", zone, 1);
  tzset();
  const time_t at = utc;
  tm local{};
  localtime_r(&at, &local);
  return local.tm_gmtoff;
}

TEST(TimeZone, AgreesWithTheCLibrary) {
  for (const char* name : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata",
                           "America/Sao_Paulo", "Africa/Casablanca", "Pacific/Apia", "Europe/Dublin", "Etc/GMT+5"}) {
    const auto zone = TimeZone::load(name);
    ASSERT_TRUE(zone) << name;
    // Far beyond the table's end in 2037, where the rule holds.
    for (int64_t utc = 0; utc < 4'000'000'000; utc += 1'234'567) {
      ASSERT_EQ(zone->offset_at(utc), offset_by_libc(name, utc)) << name << " " << utc;
    }
  }
  unsetenv("TZ");
  tzset();
}

TEST(TimeZone, LocalTimesThatComeTwiceOrNever) {
  const auto berlin = TimeZone::load("Europe/Berlin");
  ASSERT_TRUE(berlin);
  EXPECT_EQ(berlin->utc_of(1'806'192'000 + 9000), 1'806'195'600) << "02:30 on 2027-03-28 is skipped";
  EXPECT_EQ(berlin->utc_of(1'824'940'800 + 9000), 1'824'940'800 + 9000 - 7200) << "02:30 on 2027-10-31 comes twice";
}

TEST(TimeZone, NothingElseIsAZone) {
  for (const char* name : {"", "Mars/Olympus", "../../../etc/passwd", "/etc/passwd", "Europe", "zone.tab"}) {
    EXPECT_FALSE(TimeZone::load(name)) << name;
  }
  EXPECT_FALSE(TimeZone::parse("TZif"));
  EXPECT_FALSE(TimeZone::parse(std::string(60, '\0')));
}

}  // namespace
}  // namespace llmgw::base
