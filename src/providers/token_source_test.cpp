#include "providers/token_source.h"

#include <gtest/gtest.h>

namespace llmgw::providers {
namespace {

using base::Duration;
using base::Instant;
using Step = TokenSource::Step;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};
constexpr Duration kHour = std::chrono::hours(1);
constexpr base::Error kFailure{base::ErrorCode::unreachable, "test", 0};

TokenSource with_token(Duration lifetime = kHour) {
  TokenSource source;
  EXPECT_EQ(source.ask(kStart), Step::fetch);
  source.succeeded(base::Secret("t1"), lifetime, kStart);
  return source;
}

TEST(TokenSource, FetchesOnceForManyCalls) {
  TokenSource source;
  EXPECT_EQ(source.ask(kStart), Step::fetch);
  EXPECT_EQ(source.ask(kStart), Step::wait);
  EXPECT_EQ(source.ask(kStart + minutes(1)), Step::wait);
  source.succeeded(base::Secret("t1"), kHour, kStart);
  EXPECT_EQ(source.ask(kStart), Step::use);
  EXPECT_EQ(source.header().reveal(), "Bearer t1");
}

TEST(TokenSource, RefreshesEarlyInOneFlightWhileTheOldTokenServes) {
  TokenSource source = with_token();
  EXPECT_EQ(source.ask(kStart + kHour - kTokenRefreshBefore - seconds(1)), Step::use);
  EXPECT_EQ(source.ask(kStart + kHour - kTokenRefreshBefore), Step::use_and_refresh);
  EXPECT_EQ(source.ask(kStart + kHour - kTokenRefreshBefore), Step::use);
  source.succeeded(base::Secret("t2"), kHour, kStart + kHour - minutes(4));
  EXPECT_EQ(source.header().reveal(), "Bearer t2");
  EXPECT_EQ(source.ask(kStart + kHour + minutes(30)), Step::use);
}

TEST(TokenSource, AnExpiredTokenIsNotSent) {
  TokenSource source = with_token();
  EXPECT_EQ(source.ask(kStart + kHour - kTokenUnusableBefore), Step::fetch);
  EXPECT_EQ(source.ask(kStart + kHour), Step::wait);
}

TEST(TokenSource, AFailedRefreshLeavesTheOldTokenAndIsTriedAgain) {
  TokenSource source = with_token();
  const Instant early = kStart + kHour - kTokenRefreshBefore;
  EXPECT_EQ(source.ask(early), Step::use_and_refresh);
  source.failed(kFailure, early);
  EXPECT_EQ(source.ask(early), Step::use);
  EXPECT_EQ(source.ask(early + kTokenRetryFirst), Step::use_and_refresh);
}

TEST(TokenSource, FailuresAreToldAndTriedAgainMoreAndMoreSlowly) {
  TokenSource source;
  Instant now = kStart;
  Duration pause = kTokenRetryFirst;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(source.ask(now), Step::fetch) << i;
    source.failed(kFailure, now);
    EXPECT_EQ(source.error().code, kFailure.code);
    EXPECT_EQ(source.ask(now + pause - Duration(1)), Step::failed) << i;
    now += pause;
    pause = std::min(pause * 2, kTokenRetryLast);
  }
  EXPECT_EQ(pause, kTokenRetryLast);
  EXPECT_EQ(source.ask(now), Step::fetch);
  source.succeeded(base::Secret("t1"), kHour, now);
  EXPECT_EQ(source.ask(now + kHour), Step::fetch);
  source.failed(kFailure, now + kHour);
  EXPECT_EQ(source.ask(now + kHour + kTokenRetryFirst), Step::fetch);
}

TEST(TokenSource, A401ThrowsAwayTheTokenItWasFor) {
  TokenSource source = with_token();
  const Instant later = kStart + minutes(1);
  EXPECT_TRUE(source.refused("Bearer an older one", later));
  EXPECT_EQ(source.ask(later), Step::use);
  EXPECT_TRUE(source.refused("Bearer t1", later));
  EXPECT_EQ(source.ask(later), Step::fetch);
  source.succeeded(base::Secret("t2"), kHour, later);
  // The new one is refused too: it is not the token's fault, and fetching for each call would not help.
  EXPECT_FALSE(source.refused("Bearer t2", later + seconds(1)));
  EXPECT_EQ(source.ask(later + seconds(1)), Step::use);
}

TEST(TokenSource, AFetchThatWasGivenUpIsAnothersToMake) {
  TokenSource source;
  EXPECT_EQ(source.ask(kStart), Step::fetch);
  source.abandoned();
  EXPECT_EQ(source.ask(kStart), Step::fetch);
  source.succeeded(base::Secret("t1"), kHour, kStart);
  const Instant early = kStart + kHour - kTokenRefreshBefore;
  EXPECT_EQ(source.ask(early), Step::use_and_refresh);
  source.abandoned();
  EXPECT_EQ(source.ask(early), Step::use_and_refresh);
}

TEST(TokenSource, SaysHowLongItsAnswerHolds) {
  TokenSource source = with_token();
  const Instant early = kStart + kHour - kTokenRefreshBefore;
  const Instant last = kStart + kHour - kTokenUnusableBefore;
  EXPECT_EQ(source.certain_until(kStart), early);
  EXPECT_EQ(source.ask(early - Duration(1)), Step::use);
  EXPECT_EQ(source.ask(early), Step::use_and_refresh);
  EXPECT_EQ(source.certain_until(early), last);
  source.failed(kFailure, early);
  EXPECT_EQ(source.certain_until(early), early + kTokenRetryFirst);
  EXPECT_TRUE(source.refused("Bearer t1", early));
  EXPECT_EQ(source.certain_until(early), early);
}

TEST(TokenSource, AShortLivedTokenIsUsedForHalfItsLife) {
  TokenSource source = with_token(seconds(40));
  EXPECT_EQ(source.ask(kStart + seconds(19)), Step::use);
  EXPECT_EQ(source.ask(kStart + seconds(20)), Step::fetch);
}

}  // namespace
}  // namespace llmgw::providers
