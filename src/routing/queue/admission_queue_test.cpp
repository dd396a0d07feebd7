#include "routing/queue/admission_queue.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace llmgw::routing {
namespace {

base::Instant at(double s) {
  return base::Instant(std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(s)));
}

std::vector<WaiterId> drain(AdmissionQueue& queue, double now) {
  std::vector<WaiterId> order;
  while (const auto next = queue.pop(at(now))) order.push_back(next->id);
  return order;
}

TEST(AdmissionQueue, FifoAndPriority) {
  FairShares shares;
  AdmissionQueue fifo({.order = QueueOrder::fifo}, shares);
  AdmissionQueue ranked({.order = QueueOrder::priority}, shares);
  for (WaiterId id = 1; id <= 4; ++id) {
    const Waiter waiter{.id = id, .arrived = at(double(id)), .priority = id == 3 ? 5 : 0};
    ASSERT_TRUE(fifo.push(waiter, at(5), 0));
    ASSERT_TRUE(ranked.push(waiter, at(5), 0));
  }
  EXPECT_TRUE(fifo.remove(2));
  EXPECT_FALSE(fifo.remove(2));
  EXPECT_EQ(drain(fifo, 5), (std::vector<WaiterId>{1, 3, 4}));
  EXPECT_EQ(drain(ranked, 5), (std::vector<WaiterId>{3, 1, 2, 4}));
}

TEST(AdmissionQueue, SloServesWhoCanBeInTimeThenTheShortest) {
  FairShares shares;
  AdmissionQueue queue({.order = QueueOrder::slo, .goal = std::chrono::seconds(2)}, shares);
  ASSERT_TRUE(queue.push({.id = 1, .arrived = at(0), .work_s = 5}, at(0), 0));  // never in time
  ASSERT_TRUE(queue.push({.id = 2, .arrived = at(0), .work_s = 3}, at(0), 0));  // neither, but shorter
  ASSERT_TRUE(queue.push({.id = 3, .arrived = at(0.5), .work_s = 1}, at(0.5), 0));
  ASSERT_TRUE(queue.push({.id = 4, .arrived = at(0.2), .work_s = 1}, at(0.5), 0));  // due sooner
  EXPECT_NEAR(queue.work_s(), 10, 1e-9);
  EXPECT_EQ(drain(queue, 1), (std::vector<WaiterId>{4, 3, 2, 1}));
  EXPECT_EQ(queue.work_s(), 0);
}

TEST(AdmissionQueue, SloLetsNobodyStarve) {
  FairShares shares;
  AdmissionQueue queue({.order = QueueOrder::slo, .goal = std::chrono::seconds(1)}, shares);
  ASSERT_TRUE(queue.push({.id = 1, .arrived = at(0), .work_s = 10}, at(0), 0));
  double now = 0;
  for (WaiterId id = 2; id < 1000; ++id) {
    now += 1;
    ASSERT_TRUE(queue.push({.id = id, .arrived = at(now), .work_s = 1.5}, at(now), 0));
    if (queue.pop(at(now))->id == 1) break;
  }
  EXPECT_LT(now, 60);
}

// Where calls take places for as long as they are answered, prompts may be as short as they like.
TEST(AdmissionQueue, RefusesWhatNoPlaceCouldBeFreeForInTime) {
  FairShares shares;
  AdmissionQueue queue(
      {.order = QueueOrder::slo, .waiting_max = 3, .goal = std::chrono::seconds(5), .refuse_hopeless = true}, shares);
  const PlaceTimes places{.first_s = 1, .round_s = 3};
  EXPECT_TRUE(queue.push({.id = 1, .arrived = at(0), .work_s = 0.01}, at(0), 0, places));
  EXPECT_TRUE(queue.push({.id = 2, .arrived = at(0), .work_s = 0.01}, at(0), 0, places));
  const auto late = queue.push({.id = 3, .arrived = at(0), .work_s = 0.01}, at(0), 0, places);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().why, QueueRefusal::hopeless);
  EXPECT_NEAR(std::chrono::duration<double>(late.error().retry_after).count(), 2.01, 1e-6);
  AdmissionQueue full({.order = QueueOrder::fifo, .waiting_max = 1}, shares);
  EXPECT_TRUE(full.push({.id = 1, .arrived = at(0), .work_s = 0.01}, at(0), 0, places));
  EXPECT_NEAR(std::chrono::duration<double>(
                  full.push({.id = 2, .arrived = at(0), .work_s = 0.01}, at(0), 0, places).error().retry_after)
                  .count(),
              4, 1e-6);
}

TEST(AdmissionQueue, RefusesWhatIsTooMuchOrHopelessWithAnHonestTime) {
  FairShares shares;
  AdmissionQueue queue(
      {.order = QueueOrder::slo, .waiting_max = 2, .goal = std::chrono::seconds(2), .refuse_hopeless = true}, shares);
  ASSERT_TRUE(queue.push({.id = 1, .arrived = at(0), .work_s = 1}, at(0), 0.5));
  const auto late = queue.push({.id = 2, .arrived = at(0), .work_s = 4}, at(0), 0.5);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().why, QueueRefusal::hopeless);
  EXPECT_EQ(late.error().retry_after, std::chrono::milliseconds(3500));
  ASSERT_TRUE(queue.push({.id = 3, .arrived = at(0), .work_s = 0.1}, at(0), 0.5));
  const auto full = queue.push({.id = 4, .arrived = at(0), .work_s = 0.1}, at(0), 7);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().why, QueueRefusal::full);
  EXPECT_GE(full.error().retry_after, std::chrono::seconds(7));
}

// One tenant at 20 times another's rate, equal weights, more than the engine can take: both get the same.
TEST(AdmissionQueue, FairSharesByTokens) {
  FairShares shares;
  AdmissionQueue queue({.order = QueueOrder::fair, .waiting_max = 100'000}, shares);
  base::Rng rng(3);
  std::array<double, 2> served{};
  WaiterId id = 0;
  for (int turn = 0; turn < 600; ++turn) {
    for (int i = 0; i < 21; ++i) {
      const uint64_t tenant = i == 0 ? 1 : 0;
      const auto tokens = static_cast<uint32_t>(100 + rng.below(2000));
      ASSERT_TRUE(queue.push({.id = ++id, .arrived = at(turn), .tokens = tokens, .tenant = tenant}, at(turn), 0));
    }
    // Two of them a turn: tenant 1 asks for one, so both can have one.
    for (int i = 0; i < 2; ++i) {
      const auto next = queue.pop(at(turn));
      ASSERT_TRUE(next);
      served[next->tenant] += next->tokens;
    }
  }
  const double sum = served[0] + served[1];
  const double jain = sum * sum / (2 * (served[0] * served[0] + served[1] * served[1]));
  EXPECT_GE(jain, 0.98) << served[0] << " " << served[1];
}

TEST(AdmissionQueue, FairHonoursWeights) {
  FairShares shares;
  AdmissionQueue queue({.order = QueueOrder::fair, .waiting_max = 10'000}, shares);
  for (WaiterId id = 0; id < 4000; ++id) {
    ASSERT_TRUE(queue.push(
        {.id = id, .arrived = at(0), .tokens = 10, .tenant = id % 2, .weight = id % 2 == 0 ? 3U : 1U}, at(0), 0));
  }
  int first = 0;
  for (int i = 0; i < 1000; ++i) first += queue.pop(at(0))->tenant == 0 ? 1 : 0;
  EXPECT_NEAR(first, 750, 2);
}

// The small tenant's calls are not turned away because the large one has filled the queue.
TEST(AdmissionQueue, WhoIsBehindDisplacesWhoIsAhead) {
  FairShares shares;
  AdmissionQueue queue({.order = QueueOrder::fair, .waiting_max = 10}, shares);
  for (WaiterId id = 1; id <= 10; ++id) {
    ASSERT_TRUE(queue.push({.id = id, .arrived = at(0), .tokens = 100, .tenant = 1}, at(0), 0));
  }
  const auto small = queue.push({.id = 11, .arrived = at(1), .tokens = 100, .tenant = 2}, at(1), 0);
  ASSERT_TRUE(small);
  EXPECT_EQ(small->displaced, 10U);
  EXPECT_EQ(queue.size(), 10U);
  const auto large = queue.push({.id = 12, .arrived = at(1), .tokens = 100, .tenant = 1}, at(1), 0);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().why, QueueRefusal::full);
  AdmissionQueue ranked({.order = QueueOrder::priority, .waiting_max = 1}, shares);
  ASSERT_TRUE(ranked.push({.id = 1, .arrived = at(0)}, at(0), 0));
  EXPECT_FALSE(ranked.push({.id = 2, .arrived = at(0)}, at(1), 0));
  EXPECT_EQ(ranked.push({.id = 3, .arrived = at(0), .priority = 1}, at(1), 0)->displaced, 1U);
}

TEST(FairShares, WhatWasNotUsedIsGivenBackAndNobodySavesUp) {
  FairShares shares;
  EXPECT_EQ(shares.begin(1, 100, 1), 0);
  EXPECT_EQ(shares.begin(1, 100, 2), 100);
  shares.correct(1, -50, 1);
  EXPECT_EQ(shares.begin(1, 1, 1), 100);
  shares.serve(500);
  EXPECT_EQ(shares.begin(2, 10, 1), 500);
  EXPECT_EQ(shares.begin(1, 10, 1), 500);
}

}  // namespace
}  // namespace llmgw::routing
