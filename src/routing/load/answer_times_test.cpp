#include "routing/load/answer_times.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/rng.h"

namespace llmgw::routing {
namespace {

constexpr double kSpeed = 10'000;
constexpr double kTokenTime = 0.02;

base::Duration seconds(double value) {
  return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(value));
}

base::Duration time_of(int64_t computed, uint64_t said) {
  return seconds(double(computed) / kSpeed + double(said) * kTokenTime);
}

TEST(AnswerTimes, TellThePromptsShareOfAnswersThatDiffer) {
  AnswerTimes times;
  base::Rng rng(7);
  std::optional<double> speed;
  for (int i = 0; i < 40; ++i) {
    const auto computed = static_cast<int64_t>(600 + rng.below(20'000));
    const uint64_t said = 1 + rng.below(300);
    // In a queue, or on the way.
    speed = times.note(computed, said, time_of(computed, said) + seconds(1 + 0.1 * rng.uniform()));
    if (i < 10) EXPECT_FALSE(speed) << "too few to know";
  }
  ASSERT_TRUE(speed);
  EXPECT_NEAR(*speed, kSpeed, 0.1 * kSpeed);
  times.forget();
  EXPECT_FALSE(times.note(4000, 10, time_of(4000, 10)));
}

TEST(AnswerTimes, AreThePromptsWhereAllSayAsMuch) {
  for (const uint64_t said : {0, 100}) {
    AnswerTimes times;
    std::optional<double> speed;
    for (int i = 0; i < 20; ++i) speed = times.note(1000 + 100 * i, said, time_of(1000 + 100 * i, said));
    ASSERT_TRUE(speed) << said;
    EXPECT_NEAR(*speed, kSpeed, 1) << said;
  }
}

TEST(AnswerTimes, DoNotGuess) {
  base::Rng rng(3);
  AnswerTimes together;  // as much is said as was asked
  AnswerTimes same;      // prompts do not differ
  AnswerTimes noise;     // the time has nothing to do with either
  AnswerTimes decoded;   // the prompt's share is nothing beside the answers', and those are not even
  AnswerTimes little;
  for (int i = 0; i < 200; ++i) {
    const auto computed = static_cast<int64_t>(600 + rng.below(5000));
    const uint64_t said = 500 + rng.below(1000);
    const auto ten = static_cast<uint64_t>(computed / 10);
    EXPECT_FALSE(together.note(computed, ten, time_of(computed, ten))) << i;
    EXPECT_FALSE(same.note(4000, said, time_of(4000, said))) << i;
    EXPECT_FALSE(noise.note(computed, said, seconds(1 + 20 * rng.uniform()))) << i;
    EXPECT_FALSE(decoded.note(computed, said, seconds(double(said) * kTokenTime * (0.5 + rng.uniform())))) << i;
    EXPECT_FALSE(little.note(computed % 500, said, time_of(computed % 500, said))) << i;
  }
}

TEST(AnswerTimes, FollowAnEngineThatGetsSlower) {
  AnswerTimes times;
  base::Rng rng(5);
  std::optional<double> speed;
  for (int i = 0; i < 1000; ++i) {
    const auto computed = static_cast<int64_t>(600 + rng.below(20'000));
    const uint64_t said = 1 + rng.below(100);
    speed = times.note(computed, said, (i < 300 ? 1 : 4) * time_of(computed, said));
  }
  ASSERT_TRUE(speed);
  EXPECT_NEAR(*speed, kSpeed / 4, 0.05 * kSpeed);
}

TEST(AnswerTimes, MayBeNotedByAllWorkers) {
  AnswerTimes times;
  std::vector<std::thread> workers;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    workers.emplace_back([&times, seed] {
      base::Rng rng(seed);
      for (int i = 0; i < 2000; ++i) {
        const auto computed = static_cast<int64_t>(600 + rng.below(20'000));
        const uint64_t said = 1 + rng.below(100);
        const auto speed = times.note(computed, said, time_of(computed, said));
        if (speed) EXPECT_NEAR(*speed, kSpeed, 1);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_TRUE(times.note(4000, 10, time_of(4000, 10)));
}

}  // namespace
}  // namespace llmgw::routing
