#include "routing/load/late_first_byte.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace llmgw::routing {
namespace {

using std::chrono::microseconds;

// The share of answers above the estimate, once it has settled.
double share_above(InstanceState& state, base::Rng& rng, double scale_us) {
  const auto answer = [&] { return scale_us * (0.2 - std::log(1 - rng.uniform())); };
  for (int i = 0; i < 3000; ++i) note_first_byte(state, microseconds(static_cast<int64_t>(answer())));
  int above = 0;
  constexpr int kAnswers = 20'000;
  for (int i = 0; i < kAnswers; ++i) {
    const double took = answer();
    if (took > double(state.late_us.load())) ++above;
    note_first_byte(state, microseconds(static_cast<int64_t>(took)));
  }
  return double(above) / kAnswers;
}

TEST(LateFirstByte, FindsWhatOneInTwentyExceeds) {
  for (const double scale_us : {5'000.0, 300'000.0, 20e6}) {
    InstanceState state;
    EXPECT_FALSE(late_first_byte(state));
    base::Rng rng(7);
    EXPECT_NEAR(share_above(state, rng, scale_us), 0.05, 0.01) << scale_us;
    // An instance that becomes ten times as fast is known again soon enough.
    EXPECT_NEAR(share_above(state, rng, scale_us / 10), 0.05, 0.01) << scale_us;
  }
}

TEST(LateFirstByte, HasLimits) {
  InstanceState state;
  note_first_byte(state, std::chrono::hours(1000));
  EXPECT_LE(*late_first_byte(state), std::chrono::hours(1));
  state.late_us = 0;
  note_first_byte(state, microseconds(-5));
  EXPECT_GT(*late_first_byte(state), base::Duration::zero());
}

}  // namespace
}  // namespace llmgw::routing
