#include "gateway/heartbeat.h"

#include <gtest/gtest.h>

namespace llmgw::gateway {
namespace {

using namespace std::chrono_literals;

TEST(Heartbeats, NobodyIsMissedWhereThereIsNobody) {
  EXPECT_EQ(Heartbeats().trouble(base::Instant(1h)), "");
}

TEST(Heartbeats, ASilentWorkerIsNamed) {
  Heartbeats hearts;
  const base::Instant start(100s);
  hearts.reset(3, start);
  EXPECT_EQ(hearts.trouble(start), "");
  EXPECT_EQ(hearts.trouble(start - 10s), "") << "a look with an older clock";
  EXPECT_EQ(hearts.trouble(start + kHangLimit), "");
  EXPECT_EQ(hearts.trouble(start + kHangLimit + 1ns), "worker 0 has not answered for 5 s");
  hearts.beat(0, start + 6s);
  hearts.beat(2, start + 6s);
  EXPECT_EQ(hearts.trouble(start + 7s), "worker 1 has not answered for 7 s");
  hearts.beat(1, start + 8s);
  EXPECT_EQ(hearts.trouble(start + 9s), "");
}

TEST(Heartbeats, NobodyWaitsForOneThatHasEnded) {
  Heartbeats hearts;
  hearts.reset(2, base::Instant(1s));
  hearts.end(0);
  EXPECT_EQ(hearts.trouble(base::Instant(1h)), "worker 1 has not answered for 3599 s");
  hearts.end(1);
  EXPECT_EQ(hearts.trouble(base::Instant(1h)), "");
}

}  // namespace
}  // namespace llmgw::gateway
