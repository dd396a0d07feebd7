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
  AdmissionQueue fifo({.order = QueueOrder::fifo});
  AdmissionQueue ranked({.order = QueueOrder::priority});
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
  AdmissionQueue queue({.order = QueueOrder::slo, .goal = std::chrono::seconds(2)});
  ASSERT_TRUE(queue.push({.id = 1, .arrived = at(0), .work_s = 5}, at(0), 0));  // never in time
  ASSERT_TRUE(queue.push({.id = 2, .arrived = at(0), .work_s = 3}, at(0), 0));  // neither, but shorter
  ASSERT_TRUE(queue.push({.id = 3, .arrived = at(0.5), .work_s = 1}, at(0.5), 0));
  ASSERT_TRUE(queue.push({.id = 4, .arrived = at(0.2), .work_s = 1}, at(0.5), 0));  // due sooner
  EXPECT_NEAR(queue.work_s(), 10, 1e-9);
  EXPECT_EQ(drain(queue, 1), (std::vector<WaiterId>{4, 3, 2, 1}));
  EXPECT_EQ(queue.work_s(), 0);
}

TEST(AdmissionQueue, SloLetsNobodyStarve) {
  AdmissionQueue queue({.order = QueueOrder::slo, .goal = std::chrono::seconds(1)});
  ASSERT_TRUE(queue.push({.id = 1, .arrived = at(0), .work_s = 10}, at(0), 0));
  double now = 0;
  for (WaiterId id = 2; id < 1000; ++id) {
    now += 1;
    ASSERT_TRUE(queue.push({.id = id, .arrived = at(now), .work_s = 1.5}, at(now), 0));
    if (queue.pop(at(now))->id == 1) break;
  }
  EXPECT_LT(now, 60);
}

TEST(AdmissionQueue, RefusesWhatIsTooMuchOrHopelessWithAnHonestTime) {
  AdmissionQueue queue(
      {.order = QueueOrder::slo, .waiting_max = 2, .goal = std::chrono::seconds(2), .refuse_hopeless = true});
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
  AdmissionQueue queue({.order = QueueOrder::fair, .waiting_max = 100'000});
  base::Rng rng(3);
  std::array<double, 2> served{};
  WaiterId id = 0;
  for (int turn = 0; turn < 20'000; ++turn) {
    for (int i = 0; i < 21; ++i) {
      if (queue.size() > 50'000) break;
      const uint64_t tenant = i == 0 ? 1 : 0;
      const auto tokens = static_cast<uint32_t>(100 + rng.below(2000));
      ASSERT_TRUE(queue.push({.id = ++id, .arrived = at(turn), .tokens = tokens, .tenant = tenant}, at(turn), 0));
    }
    // Two of them a turn: tenant 1 asks for one, so both can have one.
    for (int i = 0; i < 2; ++i) {
      const auto next = queue.pop(at(turn));
      ASSERT_TRUE(next);
      if (turn < 2000) served[next->tenant] += next->tokens;
    }
  }
  const double sum = served[0] + served[1];
  const double jain = sum * sum / (2 * (served[0] * served[0] + served[1] * served[1]));
  EXPECT_GE(jain, 0.98) << served[0] << " " << served[1];
}

TEST(AdmissionQueue, FairHonoursWeights) {
  AdmissionQueue queue({.order = QueueOrder::fair, .waiting_max = 10'000});
  for (WaiterId id = 0; id < 4000; ++id) {
    ASSERT_TRUE(queue.push(
        {.id = id, .arrived = at(0), .tokens = 10, .tenant = id % 2, .weight = id % 2 == 0 ? 3U : 1U}, at(0), 0));
  }
  int first = 0;
  for (int i = 0; i < 1000; ++i) first += queue.pop(at(0))->tenant == 0 ? 1 : 0;
  EXPECT_NEAR(first, 750, 2);
}

TEST(LearntConcurrency, FindsWhatAnEngineTakes) {
  LearntConcurrency learnt(4, 256);
  constexpr uint32_t kKnee = 40;
  for (int i = 0; i < 20'000; ++i) {
    const uint32_t in_flight = learnt.limit();
    const double took = in_flight <= kKnee ? 0.1 : 0.1 * double(in_flight - kKnee) / 4 + 0.1;
    learnt.record(std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(took)), in_flight);
  }
  EXPECT_GE(learnt.limit(), kKnee - 5);
  EXPECT_LE(learnt.limit(), kKnee + 10);
  learnt.record_refused();
  EXPECT_LE(learnt.limit(), 36U);
}

}  // namespace
}  // namespace llmgw::routing
