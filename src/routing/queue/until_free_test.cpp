#include "routing/queue/until_free.h"

#include <gtest/gtest.h>

#include "routing/load/pause.h"
#include "routing/queue/admission_queue.h"

namespace llmgw::routing {
namespace {

using namespace std::chrono_literals;

base::Instant at(double seconds) {
  return base::Instant(std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(1000 + seconds)));
}

class UntilFree : public testing::Test {
 protected:
  UntilFree() {
    for (const char* name : {"a", "b", "model a", "model b"}) handles_.push_back(table_.acquire(name));
    for (uint32_t i = 0; i < 2; ++i) {
      candidates_.push_back({.slot = handles_[i].slot(), .model_slot = handles_[2 + i].slot()});
    }
  }
  InstanceState& instance(uint32_t i) { return table_.state(handles_[i].slot()); }
  InstanceState& model(uint32_t i) { return table_.state(handles_[2 + i].slot()); }
  void fill(uint32_t i, int32_t calls, uint32_t places) {
    instance(i).requests_in_flight = calls;
    candidates_[i].gate.requests_max = places;
  }

  InstanceTable table_{8};
  std::vector<InstanceHandle> handles_;
  std::vector<Candidate> candidates_;
};

TEST_F(UntilFree, IsWhenTheFirstIsNotOutAnyMore) {
  EXPECT_FALSE(until_free(table_, candidates_, at(0)));
  EXPECT_TRUE(any_well(table_, candidates_, {}, at(0)));
  note_failure(instance(0).health, at(0), {.out = 60s});
  EXPECT_FALSE(until_free(table_, candidates_, at(0)));  // the other may be called
  note_failure(model(1).health, at(0), {.out = 20s});
  EXPECT_FALSE(any_well(table_, candidates_, {}, at(0)));
  EXPECT_EQ(until_free(table_, candidates_, at(5)), 15s);
  EXPECT_EQ(until_free(table_, candidates_, at(19.5)), 1s);
  EXPECT_FALSE(until_free(table_, candidates_, at(20)));
}

TEST_F(UntilFree, OneThatHasJustFailedIsNotWellAndMayBeCalledAllTheSame) {
  const HealthOptions never{.failures_out = 0};
  note_failure(instance(0).health, at(0), never);
  EXPECT_TRUE(any_well(table_, candidates_, never, at(0)));
  note_failure(model(1).health, at(0), never);
  EXPECT_FALSE(any_well(table_, candidates_, never, at(0)));
  EXPECT_FALSE(any_well(table_, candidates_, never, at(2))) << "not before somebody has tried";
  EXPECT_FALSE(until_free(table_, candidates_, at(0)));
}

TEST_F(UntilFree, KeepsToPausesOfTheModelAndOfTheInstance) {
  pause(instance(0), at(0), 30s);
  EXPECT_EQ(pause_of_all(table_, candidates_, at(0)), 0s);
  EXPECT_TRUE(any_well(table_, candidates_, {}, at(0)));
  pause(model(1), at(0), 10s);
  EXPECT_FALSE(any_well(table_, candidates_, {}, at(0)));
  EXPECT_NEAR(std::chrono::duration<double>(pause_of_all(table_, candidates_, at(4))).count(), 6, 0.01);
  EXPECT_NEAR(std::chrono::duration<double>(*until_free(table_, candidates_, at(4))).count(), 6, 0.01);
  candidates_[1].weight = 0;
  EXPECT_NEAR(std::chrono::duration<double>(pause_of_all(table_, candidates_, at(4))).count(), 26, 0.01);
}

TEST_F(UntilFree, IsWhenAPlaceIsLikelyToBeFree) {
  fill(0, 1, 1);
  fill(1, 4, 4);
  EXPECT_FALSE(until_free(table_, candidates_,
                          at(0)));  // no call has ended yet: nobody knows
  note_call_time(table_.gate(candidates_[0].slot), 8s);
  table_.gate(candidates_[0].slot).places = taken_place(at(0));
  EXPECT_NEAR(std::chrono::duration<double>(*until_free(table_, candidates_, at(3))).count(), 5, 0.07);
  table_.gate(candidates_[0].slot).waiting_requests = 2;
  EXPECT_NEAR(std::chrono::duration<double>(*until_free(table_, candidates_, at(3))).count(), 21, 0.07);
  // Four places are four times as quick, where they were not taken all at once.
  GateState& gate = table_.gate(candidates_[1].slot);
  note_call_time(gate, 20s);
  gate.places = 4 * taken_place(at(3));
  EXPECT_NEAR(std::chrono::duration<double>(*until_free(table_, candidates_, at(3))).count(), 20, 0.1);
  gate.places = taken_place(at(-14.5)) + taken_place(at(-9.5)) + taken_place(at(-4.5)) + taken_place(at(0.5));
  EXPECT_NEAR(std::chrono::duration<double>(*until_free(table_, candidates_, at(3))).count(), 2.5, 0.2);
}

// However long it has waited itself: as who comes then and finds the line full.
TEST_F(UntilFree, AWaitInVainIsToldWhatARefusedCallIs) {
  FairShares shares;
  AdmissionQueue line({.order = QueueOrder::priority, .waiting_max = 2}, shares);
  GateState& gate = table_.gate(candidates_[0].slot);
  fill(0, 1, 1);
  note_call_time(gate, 4s);
  gate.places.fetch_add(taken_place(at(-1)));
  for (const WaiterId id : {1, 2}) {
    gate.waiting_requests.fetch_add(1);
    gate.waiting_tokens.fetch_add(8000);
    instance(0).tokens_in_flight.fetch_add(8000);
    ASSERT_TRUE(line.push({.id = id, .arrived = at(-40), .work_s = 1}, at(-40), 0));
  }
  const auto times = place_times(instance(0), gate, candidates_[0].gate, at(0));
  const auto refused = line.push({.id = 3, .arrived = at(0), .work_s = 1, .priority = -1}, at(0), 0, *times);
  ASSERT_FALSE(refused);
  const auto told = retry_after_wait(table_, candidates_[0], at(0));
  EXPECT_NEAR(std::chrono::duration<double>(told).count(),
              std::chrono::duration<double>(refused.error().retry_after).count(), 0.1);
  EXPECT_GT(told, 8s) << "two wait there, of 4 seconds each";
  EXPECT_LT(told, 16s);
  candidates_[0].gate = {.prompt_tokens_max = 1000};
  instance(0).tokens_in_flight.fetch_add(40'000);
  EXPECT_GT(retry_after_wait(table_, candidates_[0], at(0)), 5s) << "by prompts, where calls are not counted";
}

}  // namespace
}  // namespace llmgw::routing
