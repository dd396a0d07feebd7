#include "routing/health/health.h"

#include <gtest/gtest.h>

namespace llmgw::routing {
namespace {

using std::chrono::seconds;

base::Instant at(int64_t s) {
  return base::Instant(seconds(s));
}

TEST(Health, OneFailurePutsOutOneProbeBringsBackWithARamp) {
  std::atomic<uint64_t> health = 0;
  const HealthOptions options;
  EXPECT_EQ(admission(health, at(100), options, 0.99), Admission::yes);
  EXPECT_EQ(note_failure(health, at(100), options), HealthState::out);
  EXPECT_EQ(admission(health, at(159), options, 0), Admission::no);
  EXPECT_EQ(admission(health, at(160), options, 0), Admission::probe);
  EXPECT_TRUE(begin_probe(health, at(160)));
  EXPECT_FALSE(begin_probe(health, at(160)));  // one at a time
  EXPECT_EQ(admission(health, at(161), options, 0), Admission::no);
  EXPECT_EQ(note_success(health, at(161), options), HealthState::ramp);
  EXPECT_EQ(admission(health, at(161), options, 0.2), Admission::no);
  EXPECT_EQ(admission(health, at(161), options, 0.05), Admission::yes);
  EXPECT_EQ(admission(health, at(188), options, 0.8), Admission::yes);
  EXPECT_EQ(admission(health, at(191), options, 0.999), Admission::yes);
  EXPECT_EQ(health_state(health, at(191), options), HealthState::up);
}

TEST(Health, AFailedProbeDoublesTheTimeOut) {
  std::atomic<uint64_t> health = 0;
  const HealthOptions options;
  note_failure(health, at(0), options);
  int64_t now = 60;
  for (const int64_t time : {120, 240, 480, 600, 600}) {
    ASSERT_TRUE(begin_probe(health, at(now))) << now;
    EXPECT_EQ(note_failure(health, at(now), options), HealthState::out);
    EXPECT_EQ(admission(health, at(now + time - 1), options, 0), Admission::no);
    EXPECT_EQ(admission(health, at(now + time), options, 0), Admission::probe);
    now += time;
  }
  ASSERT_TRUE(begin_probe(health, at(now)));
  note_success(health, at(now), options);
  EXPECT_EQ(note_failure(health, at(now + 40), options), HealthState::out);  // all is forgotten after the ramp
  EXPECT_EQ(admission(health, at(now + 100), options, 0), Admission::probe);
}

TEST(Health, ALostProbeIsDueAgain) {
  std::atomic<uint64_t> health = 0;
  const HealthOptions options;
  note_failure(health, at(0), options);
  ASSERT_TRUE(begin_probe(health, at(60)));
  EXPECT_EQ(admission(health, at(179), options, 0), Admission::no);
  EXPECT_EQ(admission(health, at(180), options, 0), Admission::probe);
  EXPECT_TRUE(begin_probe(health, at(180)));
  abandon_probe(health, at(181));
  EXPECT_EQ(admission(health, at(181), options, 0), Admission::probe);
}

TEST(Health, CountsInARowAndByRatio) {
  std::atomic<uint64_t> row = 0;
  const HealthOptions three{.failures_out = 3};
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(note_failure(row, at(1), three), HealthState::up);
    EXPECT_EQ(note_failure(row, at(1), three), HealthState::up);
    EXPECT_EQ(note_success(row, at(1), three), HealthState::up);
  }
  note_failure(row, at(1), three);
  note_failure(row, at(1), three);
  EXPECT_EQ(note_failure(row, at(1), three), HealthState::out);

  std::atomic<uint64_t> ratio = 0;
  const HealthOptions half{.failures_out = 0, .failure_ratio = 0.5};
  for (int i = 0; i < 9; ++i) EXPECT_EQ(note_failure(ratio, at(1), half), HealthState::up);
  EXPECT_EQ(note_failure(ratio, at(1), half), HealthState::out);
  ratio = 0;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(note_success(ratio, at(1), half), HealthState::up);
    EXPECT_EQ(note_success(ratio, at(1), half), HealthState::up);
    EXPECT_EQ(note_failure(ratio, at(1), half), HealthState::up) << i;
  }
}

TEST(Health, AFailureThatPutsNobodyOutLeavesADoubtUntilATrialGoesWell) {
  std::atomic<uint64_t> health = 0;
  const HealthOptions never{.failures_out = 0};
  EXPECT_EQ(note_failure(health, at(10), never), HealthState::up);
  EXPECT_EQ(health_state(health, at(10), never), HealthState::doubted);
  EXPECT_EQ(admission(health, at(10), never, 0), Admission::doubted);
  note_failure(health, at(10), never);  // both were on their way: no reason to doubt it longer
  note_success(health, at(10), never);  // an answer that had begun before
  EXPECT_EQ(admission(health, at(11), never, 0), Admission::trial);
  EXPECT_TRUE(begin_trial(health, at(11), never));
  EXPECT_EQ(admission(health, at(11), never, 0), Admission::doubted);  // one call tries it
  note_success(health, at(11), never);
  EXPECT_EQ(health_state(health, at(11), never), HealthState::up);
  EXPECT_EQ(health, 0U);
  EXPECT_TRUE(begin_trial(health, at(11), never));  // nothing to try
  EXPECT_EQ(health, 0U);
}

TEST(Health, ATrialThatFailsDoublesTheDoubtUpToTheTimeOut) {
  std::atomic<uint64_t> health = 0;
  const HealthOptions never{.failures_out = 0};
  int64_t now = 10;
  note_failure(health, at(now), never);
  for (const int64_t time : {1, 2, 4, 8, 16, 32, 60, 60}) {
    EXPECT_EQ(admission(health, at(now + time) - std::chrono::milliseconds(1), never, 0), Admission::doubted) << time;
    now += time;
    EXPECT_EQ(admission(health, at(now), never, 0), Admission::trial) << time;
    ASSERT_TRUE(begin_trial(health, at(now), never));
    note_failure(health, at(now), never);
  }
  end_out(health, at(now + 1));  // its own probes say that it is well again
  EXPECT_EQ(admission(health, at(now + 1), never, 0), Admission::trial);
  // Who asks it for want of another finds out, too.
  note_failure(health, at(now + 1), never);
  ASSERT_TRUE(begin_trial(health, at(now + 2), never));
  note_success(health, at(now + 2), never);
  EXPECT_EQ(health_state(health, at(now + 2), never), HealthState::up);
}

TEST(Health, ATrialThatNeverCameBackIsDueAgainAndADoubtIsForgottenByWhoIsPutOut) {
  std::atomic<uint64_t> health = 0;
  const HealthOptions three{.failures_out = 3};
  note_failure(health, at(10), three);
  ASSERT_TRUE(begin_trial(health, at(11), three));
  EXPECT_EQ(admission(health, at(12), three, 0), Admission::trial);
  note_failure(health, at(12), three);
  EXPECT_EQ(note_failure(health, at(12), three), HealthState::out);
  EXPECT_EQ(out_left(health, at(12)), three.out);
}

TEST(Health, OutEndsSoonerWhenWhatKeptItOutIsOver) {
  std::atomic<uint64_t> health = 0;
  const HealthOptions options;
  end_out(health, at(0));
  EXPECT_EQ(health, 0U);
  note_failure(health, at(0), options);
  EXPECT_EQ(out_left(health, at(10)), std::chrono::seconds(50));
  end_out(health, at(10));
  EXPECT_EQ(out_left(health, at(10)), base::Duration::zero());
  EXPECT_EQ(admission(health, at(10), options, 0), Admission::probe);
  EXPECT_TRUE(begin_probe(health, at(10)));
  end_out(health, at(11));  // it is being tried already
  EXPECT_EQ(note_success(health, at(12), options), HealthState::ramp);
}

TEST(Health, OldNewsChangesNothing) {
  std::atomic<uint64_t> health = 0;
  const HealthOptions options;
  note_failure(health, at(0), options);
  note_failure(health, at(30), options);  // sent before the first failed
  EXPECT_EQ(admission(health, at(60), options, 0), Admission::probe);
}

}  // namespace
}  // namespace llmgw::routing
