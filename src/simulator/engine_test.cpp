#include "simulator/engine.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "base/rng.h"

namespace llmgw::simulator {
namespace {

using base::Duration;
using base::Instant;
using namespace std::chrono_literals;

constexpr Instant kStart{};

EngineRequest request(uint32_t prompt, uint32_t output, uint64_t family = 0, size_t block_tokens = 16) {
  EngineRequest made{.prompt_tokens = prompt, .output_steps = output};
  for (size_t i = 0; family != 0 && (i + 1) * block_tokens <= size_t{prompt} + output; ++i) {
    made.block_hashes.push_back(family * 1'000'000 + i);
  }
  return made;
}

EngineOptions options() {
  EngineOptions made;
  made.prefill_tokens_per_second = 1000;
  made.decode_tokens_per_second = 100;
  made.running_max = 2;
  made.waiting_max = 2;
  made.kv_blocks = 100;
  return made;
}

std::vector<EngineEvent> run_to_end(Engine& engine) {
  std::vector<EngineEvent> events;
  while (engine.next_event_at() != base::kNever) engine.advance(engine.next_event_at(), events);
  return events;
}

TEST(Engine, TimesPrefillAndDecode) {
  Engine engine(options());
  ASSERT_EQ(engine.submit(request(500, 3), kStart), 1u);
  EXPECT_EQ(engine.next_event_at(), kStart + 500ms);
  const auto events = run_to_end(engine);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].at, kStart + 500ms);
  EXPECT_EQ(events[0].step, 0u);
  EXPECT_EQ(events[1].at, kStart + 510ms);
  EXPECT_EQ(events[2].at, kStart + 520ms);
  EXPECT_EQ(events[3].kind, EngineEventKind::finished);
  EXPECT_EQ(events[3].at, kStart + 520ms);
  const EngineStats stats = engine.stats();
  EXPECT_EQ(stats.prompt_tokens, 500u);
  EXPECT_EQ(stats.generation_tokens, 3u);
  EXPECT_EQ(stats.finished_stop, 1u);
  EXPECT_EQ(stats.running, 0u);
  EXPECT_EQ(stats.kv_usage, 0);
  EXPECT_DOUBLE_EQ(stats.time_to_first_token.sum(), 0.5);
  EXPECT_EQ(stats.time_per_output_token.count(), 2u);
  EXPECT_DOUBLE_EQ(stats.end_to_end.sum(), 0.52);
}

TEST(Engine, PrefillsOneAfterTheOther) {
  Engine engine(options());
  ASSERT_TRUE(engine.submit(request(100, 1), kStart));
  ASSERT_TRUE(engine.submit(request(100, 1), kStart));
  const auto events = run_to_end(engine);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].at, kStart + 100ms);
  EXPECT_EQ(events[2].at, kStart + 200ms);
}

TEST(Engine, QueuesBeyondTheBatchAndRefusesBeyondTheQueue) {
  Engine engine(options());
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(engine.submit(request(10, 1), kStart));
  EXPECT_EQ(engine.stats().running, 2u);
  EXPECT_EQ(engine.stats().waiting, 2u);
  const auto refused = engine.submit(request(10, 1), kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::ErrorCode::exhausted);
  EXPECT_EQ(engine.stats().rejected, 1u);
  EXPECT_EQ(run_to_end(engine).size(), 8u);
  EXPECT_EQ(engine.stats().queue_time.count(), 4u);
}

TEST(Engine, RefusesAPromptLargerThanTheCache) {
  Engine engine(options());
  const auto refused = engine.submit(request(1601, 1), kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::ErrorCode::too_large);
  EXPECT_TRUE(engine.submit(request(1600, 1), kStart));
}

TEST(Engine, ReusesAPrefixAndPrefillsOnlyTheRest) {
  Engine engine(options());
  ASSERT_TRUE(engine.submit(request(160, 16, 7), kStart));
  run_to_end(engine);
  const Instant later = kStart + 10s;
  // 160 tokens are 10 blocks; the last one is computed again for its output.
  ASSERT_TRUE(engine.submit(request(160, 1, 7), later));
  auto events = run_to_end(engine);
  EXPECT_EQ(events[0].at, later + 16ms);
  EXPECT_EQ(events[0].cached_tokens, 144u);
  // A longer prompt that continues with the answer finds that, too.
  ASSERT_TRUE(engine.submit(request(200, 1, 7), later + 1s));
  events = run_to_end(engine);
  EXPECT_EQ(events[0].cached_tokens, 176u);
  EXPECT_EQ(engine.stats().prefix_queries, 520u);
  EXPECT_EQ(engine.stats().prefix_hits, 320u);
  engine.forget_prefixes();
  ASSERT_TRUE(engine.submit(request(160, 1, 7), later + 20s));
  EXPECT_EQ(run_to_end(engine)[0].cached_tokens, 0u);
}

TEST(Engine, EndsAnEmbeddingWithItsPrefill) {
  Engine engine(options());
  ASSERT_TRUE(engine.submit(request(100, 0), kStart));
  const auto events = run_to_end(engine);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, EngineEventKind::finished);
  EXPECT_EQ(events[0].at, kStart + 100ms);
}

TEST(Engine, CancelsInEveryPhase) {
  Engine engine(options());
  const auto decoding = engine.submit(request(10, 50), kStart);
  const auto prefilling = engine.submit(request(1000, 50), kStart);
  const auto waiting = engine.submit(request(10, 2), kStart);
  std::vector<EngineEvent> events;
  engine.advance(kStart + 30ms, events);
  EXPECT_EQ(events.size(), 3u);
  engine.cancel(*prefilling, kStart + 30ms);
  EXPECT_EQ(engine.stats().running, 2u) << "the waiting one took the place";
  engine.cancel(*decoding, kStart + 30ms);
  EXPECT_EQ(engine.stats().running, 1u);
  events.clear();
  engine.advance(kStart + 60s, events);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].id, *waiting);
  EXPECT_EQ(events[0].at, kStart + 40ms) << "prefill began when it was admitted";
  EXPECT_EQ(engine.stats().finished_abort, 2u);
  engine.cancel(999, kStart + 60s);
  EXPECT_EQ(engine.stats().finished_abort, 2u);
  EXPECT_EQ(engine.stats().kv_usage, 0);
}

TEST(Engine, PreemptsTheYoungestWhenMemoryRunsOut) {
  EngineOptions small = options();
  small.kv_blocks = 5;
  Engine engine(small);
  ASSERT_EQ(engine.submit(request(32, 40, 1), kStart), 1u);
  ASSERT_EQ(engine.submit(request(32, 40, 2), kStart), 2u);
  const auto events = run_to_end(engine);
  EXPECT_GT(engine.stats().preemptions, 0u);
  std::map<SequenceId, std::vector<uint32_t>> steps;
  std::map<SequenceId, int> finished;
  Instant last{};
  for (const EngineEvent& event : events) {
    EXPECT_GE(event.at, last);
    last = event.at;
    if (event.kind == EngineEventKind::token) steps[event.id].push_back(event.step);
    if (event.kind == EngineEventKind::finished) ++finished[event.id];
  }
  std::vector<uint32_t> all(40);
  std::iota(all.begin(), all.end(), 0u);
  EXPECT_EQ(steps[1], all);
  EXPECT_EQ(steps[2], all) << "every token once, in order, in spite of the preemption";
  EXPECT_EQ(finished[1], 1);
  EXPECT_EQ(finished[2], 1);
}

TEST(Engine, EndsASequenceThatOutgrowsTheWholeCache) {
  EngineOptions small = options();
  small.kv_blocks = 2;
  Engine engine(small);
  ASSERT_TRUE(engine.submit(request(20, 100), kStart));
  ASSERT_TRUE(engine.submit(request(20, 100), kStart));
  const auto events = run_to_end(engine);
  int evicted = 0;
  for (const EngineEvent& event : events) evicted += event.kind == EngineEventKind::evicted ? 1 : 0;
  EXPECT_EQ(evicted, 2);
  EXPECT_EQ(engine.stats().finished_length, 2u);
}

TEST(Engine, AtNoSpeedLimitEverythingComesAtOnce) {
  EngineOptions fast = options();
  fast.prefill_tokens_per_second = 0;
  fast.decode_tokens_per_second = 0;
  Engine engine(fast);
  ASSERT_TRUE(engine.submit(request(100, 100), kStart));
  std::vector<EngineEvent> events;
  engine.advance(kStart, events);
  EXPECT_EQ(events.size(), 101u);
}

// Whatever is submitted, cancelled and left to run: each sequence gets its steps in order, once, and one end.
TEST(Engine, AnswersEachRequestOnceOverManySeeds) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    base::Rng rng(seed);
    EngineOptions random;
    random.prefill_tokens_per_second = 100 + double(rng.below(5000));
    random.decode_tokens_per_second = rng.chance(0.1) ? 0 : 10 + double(rng.below(200));
    random.running_max = 1 + rng.below(6);
    random.waiting_max = rng.below(10);
    random.kv_blocks = 4 + rng.below(30);
    random.block_tokens = rng.chance(0.5) ? 16 : 4;
    random.prefix_cache = rng.chance(0.8);
    Engine engine(random);
    struct Expected {
      uint32_t steps, seen = 0;
      bool ended = false;
    };
    std::map<SequenceId, Expected> open;
    std::vector<EngineEvent> events;
    const auto check = [&] {
      for (const EngineEvent& event : events) {
        ASSERT_TRUE(open.contains(event.id)) << "seed " << seed;
        Expected& expected = open[event.id];
        ASSERT_FALSE(expected.ended) << "seed " << seed;
        if (event.kind == EngineEventKind::token) {
          ASSERT_EQ(event.step, expected.seen++) << "seed " << seed;
        } else {
          expected.ended = true;
          if (event.kind == EngineEventKind::finished) {
            ASSERT_EQ(expected.seen, expected.steps);
          }
        }
      }
      events.clear();
    };
    Instant now = kStart;
    for (int step = 0; step < 100; ++step) {
      now += Duration(rng.below(200'000'000));
      engine.advance(now, events);
      check();
      EngineRequest made =
          request(1 + uint32_t(rng.below(60)), uint32_t(rng.below(40)), rng.below(4), random.block_tokens);
      made.width = 1 + uint32_t(rng.below(3));
      const uint32_t steps = made.output_steps;
      if (const auto id = engine.submit(std::move(made), now)) open[*id] = {.steps = steps};
      if (!open.empty() && rng.chance(0.2)) {
        auto it = open.begin();
        std::advance(it, rng.below(open.size()));
        if (!it->second.ended) {
          engine.cancel(it->first, now);
          it->second.ended = true;
        }
      }
      ASSERT_LE(engine.stats().running, random.running_max);
    }
    while (engine.next_event_at() != base::kNever) engine.advance(engine.next_event_at(), events);
    check();
    for (const auto& [id, expected] : open) ASSERT_TRUE(expected.ended) << "seed " << seed << " sequence " << id;
    EXPECT_EQ(engine.stats().running, 0u);
    EXPECT_EQ(engine.stats().waiting, 0u);
    EXPECT_EQ(engine.stats().kv_usage, 0);
  }
}

}  // namespace
}  // namespace llmgw::simulator
