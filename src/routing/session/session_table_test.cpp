#include "routing/session/session_table.h"

#include <gtest/gtest.h>

#include <array>

namespace llmgw::routing {
namespace {

base::Instant at(int64_t s) {
  return base::Instant(std::chrono::seconds(s));
}
constexpr base::Duration kHour = std::chrono::hours(1);

TEST(SessionTable, PinsUntilUnusedForItsTime) {
  SessionTable sessions(64);
  EXPECT_EQ(sessions.find(77, at(10), kHour), std::nullopt);
  sessions.pin(77, 5, at(10));
  EXPECT_EQ(sessions.find(77, at(3610), kHour), 5U);
  EXPECT_EQ(sessions.find(77, at(3611), kHour), std::nullopt);
  sessions.pin(77, 6, at(3611));
  EXPECT_EQ(sessions.find(77, at(3611), kHour), 6U);
  std::array<uint32_t, 8> counts{};
  sessions.count(at(3612), kHour, counts);
  EXPECT_EQ(counts[6], 1U);
  EXPECT_EQ(counts[5], 0U);
}

TEST(SessionTable, DropsTheOldestWhenFull) {
  SessionTable sessions(8);
  for (uint64_t i = 0; i < 9; ++i) sessions.pin((i + 1) << 50, static_cast<Slot>(i), at(static_cast<int64_t>(i)));
  EXPECT_EQ(sessions.find(uint64_t{1} << 50, at(9), kHour), std::nullopt);
  EXPECT_EQ(sessions.find(uint64_t{9} << 50, at(9), kHour), 8U);
  EXPECT_EQ(sessions.find(uint64_t{2} << 50, at(9), kHour), 1U);
}

}  // namespace
}  // namespace llmgw::routing
