#include "routing/queue/gate.h"
#include "routing/queue/told_concurrency.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "routing/load/lease.h"

namespace llmgw::routing {
namespace {

constexpr base::Instant kNow{std::chrono::seconds(1000)};

base::Duration seconds(double value) {
  return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(value));
}

TEST(Gate, CountsWhatWasSentAndNotWhatWaits) {
  InstanceTable table(1);
  InstanceState& state = table.state(0);
  GateState& gate = table.gate(0);
  const GateLimits two{.requests_max = 2};
  const GateLimits prompts{.prompt_tokens_max = 1000};
  Lease first(state, 600, kNow);
  Lease waits(state, gate, 5000, kNow);
  EXPECT_TRUE(has_place(state, gate, two));
  EXPECT_TRUE(has_place(state, gate, prompts));
  EXPECT_TRUE(waits.send(0, 700, kNow));  // more of it is cached than was expected
  EXPECT_EQ(table.tokens_in_flight(), 1300);
  EXPECT_FALSE(has_place(state, gate, two));
  EXPECT_FALSE(has_place(state, gate, prompts));
  first.first_token(kNow);
  EXPECT_FALSE(has_place(state, gate, two));
  EXPECT_TRUE(has_place(state, gate, prompts));
  {
    const Lease leaves(state, gate, 10, kNow);
    EXPECT_EQ(gate.waiting_requests, 1);
  }
  first.end();
  waits.end();
  EXPECT_EQ(gate.waiting_requests, 0);
  EXPECT_EQ(gate.waiting_prompts, 0);
  EXPECT_EQ(gate.waiting_tokens, 0);
  EXPECT_EQ(table.requests_in_flight(), 0);
  EXPECT_EQ(table.tokens_in_flight(), 0);
  EXPECT_EQ(state.prompts_in_flight, 0);
}

TEST(Gate, WorkersTogetherKeepToALimit) {
  constexpr int kWorkers = 4;
  constexpr int kLimit = 3;
  InstanceTable table(1);
  InstanceState& state = table.state(0);
  GateState& gate = table.gate(0);
  std::atomic<int> sent = 0;
  std::atomic<int> most = 0;
  std::vector<std::thread> workers;
  for (uint64_t seed = 1; seed <= kWorkers; ++seed) {
    workers.emplace_back([&, seed] {
      base::Rng rng(seed);
      std::vector<Lease> own;
      for (int i = 0; i < 30'000; ++i) {
        if (rng.chance(0.3)) const Lease leaves(state, gate, 5, kNow);
        Lease waits(state, gate, 5, kNow);
        auto taken = Lease::take(state, kLimit, 5, kNow);
        if (!taken && waits.send(kLimit, 5, kNow)) taken = std::move(waits);
        if (taken) {
          const int now = ++sent;
          for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
          }
          own.push_back(std::move(*taken));
        }
        if (!own.empty() && rng.chance(0.6)) {
          --sent;
          own.pop_back();
        }
      }
      sent -= static_cast<int>(own.size());
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(most, kLimit);
  EXPECT_EQ(table.requests_in_flight(), 0);
  EXPECT_EQ(gate.waiting_requests, 0);
}

class PlaceTimesTest : public testing::Test {
 protected:
  static constexpr GateLimits kFour{.requests_max = 4};
  void take(double at) {
    leases_.push_back(std::move(*Lease::take(table_.state(0), 4, 10, kNow + seconds(at))));
    leases_.back().hold_place(table_.gate(0), kNow + seconds(at));
  }
  std::optional<PlaceTimes> times(double at) const {
    return place_times(table_.state(0), table_.gate(0), kFour, kNow + seconds(at));
  }
  double until(double at, double ahead) const { return times(at)->until(ahead); }
  static constexpr double kTick = 0.07;

  InstanceTable table_{1};
  std::vector<Lease> leases_;
};

TEST_F(PlaceTimesTest, NobodyIsFreeBeforeAWholeCallAfterABurst) {
  note_call_time(table_.gate(0), seconds(8));
  for (int i = 0; i < 3; ++i) take(0);
  EXPECT_EQ(until(0, 5), 0) << "one is free";
  take(0);
  EXPECT_NEAR(until(0, 0), 8, kTick);
  EXPECT_NEAR(until(0, 3), 8, kTick) << "they end together";
  EXPECT_NEAR(until(0, 4), 16, kTick);
  EXPECT_NEAR(until(0, 11), 24, kTick);
  EXPECT_GE(until(2, 0), 8 - 2 - 2);
  EXPECT_NEAR(until(2, 4) - until(2, 0), 8, kTick);
}

TEST_F(PlaceTimesTest, WhoCameOneByOneGoesOneByOne) {
  note_call_time(table_.gate(0), seconds(8));
  for (const double at : {0, 2, 4, 6}) take(at);
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(until(7, i), 1 + 2 * i, 2 * kTick) << i;
  // Who has left is not asked for its age any more.
  leases_.erase(leases_.begin());
  take(8);
  EXPECT_NEAR(until(9, 0), 1, 2 * kTick);
}

TEST_F(PlaceTimesTest, CallsThatTakeLongerThanEverAreSeenToDoSo) {
  for (int i = 0; i < 4; ++i) take(0);
  EXPECT_FALSE(times(0)) << "none has ended, and none has taken any time";
  EXPECT_NEAR(until(5, 0), 5, kTick) << "as long again";
  note_call_time(table_.gate(0), seconds(1));
  EXPECT_NEAR(until(5, 0), 0.125, kTick) << "at any moment";
  EXPECT_NEAR(until(5, 4), 5.125, kTick) << "the next ones will take as long";
  leases_.clear();
  EXPECT_EQ(table_.gate(0).places, 0U);
}

// An engine that answers as fast as ever up to a knee, and beyond it puts calls into a queue of its own.
TEST(LearntConcurrency, FindsWhatAnEngineTakes) {
  GateState gate;
  const GateLimits limits{.learns = true};
  EXPECT_EQ(requests_limit(gate, limits), kLearntRequestsMin);
  constexpr uint32_t kKnee = 100;
  int turns_to_knee = 0;
  for (int i = 0; i < 20'000; ++i) {
    const uint32_t in_flight = requests_limit(gate, limits);
    if (in_flight < kKnee) ++turns_to_knee;
    const double took = 0.1 + (in_flight <= kKnee ? 0 : 0.05 * double(in_flight - kKnee));
    learn_concurrency(gate, seconds(took), 1000, static_cast<int32_t>(in_flight));
  }
  EXPECT_LE(turns_to_knee, 200);
  EXPECT_GE(requests_limit(gate, limits), kKnee - 5);
  EXPECT_LE(requests_limit(gate, limits), kKnee + 20);
  learn_concurrency_from_queue(gate, 64);
  EXPECT_EQ(requests_limit(gate, limits), 64U);
  learn_concurrency_from_refusal(gate);
  EXPECT_LT(requests_limit(gate, limits), 64U);
  for (int i = 0; i < 100; ++i) learn_concurrency_from_refusal(gate);
  EXPECT_EQ(requests_limit(gate, limits), kLearntRequestsMin);
  EXPECT_EQ(requests_limit(gate, {.requests_max = 3, .learns = true}), 3U);
}

void tell_queue(GateState& gate, uint32_t running, bool again) {
  learn_concurrency_from_metrics(gate, {.waits = true, .again = again, .running = running});
}
void tell_no_queue(GateState& gate, uint32_t in_flight) {
  learn_concurrency_from_metrics(gate, {.in_flight = static_cast<int32_t>(in_flight)});
}

// Four slots: nothing but its metrics tells so little, and those only when calls have waited for a while.
TEST(LearntConcurrency, GoesBelowTheLeastWhereTheEngineSaysSo) {
  GateState gate;
  const GateLimits limits{.learns = true};
  tell_queue(gate, 4, false);
  EXPECT_EQ(requests_limit(gate, limits), kLearntRequestsMin) << "they may just have come";
  tell_queue(gate, 4, true);
  EXPECT_EQ(requests_limit(gate, limits), 4U);
  tell_queue(gate, 3, false);
  EXPECT_EQ(requests_limit(gate, limits), 4U);
  learn_concurrency_from_refusal(gate);
  EXPECT_EQ(requests_limit(gate, limits), 4U) << "a refusal tells less";
  for (int i = 0; i < 8; ++i) learn_concurrency(gate, seconds(0.1), 1000, 4);
  EXPECT_EQ(requests_limit(gate, limits), 4U) << "answers tell next to nothing";
  tell_no_queue(gate, 3);
  EXPECT_EQ(requests_limit(gate, limits), 4U) << "it was not asked for more";
  tell_no_queue(gate, 4);
  EXPECT_EQ(requests_limit(gate, limits), 5U);
  tell_queue(gate, 0, true);
  EXPECT_EQ(requests_limit(gate, limits), 1U);
  for (uint32_t i = 1; i < kLearntRequestsMin; ++i) tell_no_queue(gate, requests_limit(gate, limits));
  EXPECT_EQ(requests_limit(gate, limits), kLearntRequestsMin);
  tell_no_queue(gate, 100);
  EXPECT_EQ(requests_limit(gate, limits), kLearntRequestsMin) << "from here on answers tell";
}

// Where its metrics are gone for good, it is not small for ever.
TEST(LearntConcurrency, GrowsWithoutMetricsToo) {
  GateState gate;
  const GateLimits limits{.learns = true};
  tell_queue(gate, 1, true);
  for (int i = 0; i < 2000; ++i) {
    learn_concurrency(gate, seconds(0.1), 1000, static_cast<int32_t>(requests_limit(gate, limits)));
  }
  EXPECT_GE(requests_limit(gate, limits), kLearntRequestsMin);
}

// A long prompt takes longer; that says nothing of the engine.
TEST(LearntConcurrency, LongPromptsAreNotTrouble) {
  GateState gate;
  for (int i = 0; i < 200; ++i) {
    learn_concurrency(gate, seconds(0.2), 1000, 500);
    learn_concurrency(gate, seconds(4), 30'000, 500);
  }
  EXPECT_GE(requests_limit(gate, {.learns = true}), 300U);
}

}  // namespace
}  // namespace llmgw::routing
