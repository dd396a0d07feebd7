#include "routing/policy/policy.h"

#include <gtest/gtest.h>

#include <array>
#include <map>

#include "routing/engine/engine_gauges.h"
#include "routing/load/lease.h"
#include "routing/load/pause.h"
#include "routing/policy/peak_ewma.h"
#include "routing/prefix/block_hash.h"

namespace llmgw::routing {
namespace {

base::Instant at(double s) {
  return base::Instant(std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(s)));
}

class PolicyTest : public ::testing::Test {
 protected:
  PolicyTest() {
    for (int i = 0; i < 4; ++i) {
      handles_.push_back(table_.acquire(std::to_string(i)));
      candidates_.push_back({.slot = handles_.back().slot()});
    }
  }
  InstanceState& state(uint32_t i) { return table_.state(candidates_[i].slot); }
  std::optional<Choice> choose(PolicyKind policy, Ask ask = {}) {
    settings_.policy = policy;
    if (ask.now == base::Instant{}) ask.now = at(1000);
    return chooser_.choose(settings_, candidates_, ask, explain_ ? &lines_ : nullptr);
  }
  std::map<uint32_t, int> spread(PolicyKind policy, int calls, Ask ask = {}) {
    std::map<uint32_t, int> counts;
    for (int i = 0; i < calls; ++i) {
      if (ask.session != 0) ++ask.session;
      ++counts[choose(policy, ask)->candidate];
    }
    return counts;
  }

  InstanceTable table_{16};
  PrefixIndex index_{table_, 10'000};
  SessionTable sessions_{1024};
  base::Rng rng_{1};
  Chooser chooser_{table_, index_, sessions_, rng_};
  Settings settings_;
  std::vector<InstanceHandle> handles_;
  std::vector<Candidate> candidates_;
  std::vector<Score> lines_;
  bool explain_ = false;
};

TEST_F(PolicyTest, NamesAreFoundAgain) {
  for (size_t i = 0; i < kPolicyCount; ++i) EXPECT_EQ(policy_by_name(policy_names()[i]), static_cast<PolicyKind>(i));
  EXPECT_EQ(policy_by_name("best"), std::nullopt);
}

TEST_F(PolicyTest, RoundRobinGoesRoundAndWeightsAreKept) {
  EXPECT_EQ(spread(PolicyKind::round_robin, 400), (std::map<uint32_t, int>{{0, 100}, {1, 100}, {2, 100}, {3, 100}}));
  candidates_[1].weight = 6;
  candidates_[3].weight = 0;
  auto counts = spread(PolicyKind::weighted, 8000);
  EXPECT_NEAR(counts[1], 6000, 200);
  EXPECT_NEAR(counts[0], 1000, 120);
  EXPECT_EQ(counts[3], 0);
}

// Its metrics were read and are not there any more: it is not idle for that.
TEST_F(PolicyTest, AnEngineThatFallsSilentIsNotIdle) {
  const Ask ask{.prompt_tokens = 1000};
  for (uint32_t i = 1; i < 4; ++i) state(i).waiting = 0;
  state(0).waiting = 50 | kSilentGauge;
  for (const auto policy : {PolicyKind::adaptive, PolicyKind::least_requests}) {
    EXPECT_EQ(spread(policy, 1000, ask)[0], 0) << "what it said last";
  }
  for (uint32_t i = 1; i < 4; ++i) state(i).waiting = 40;
  state(0).waiting = kSilentGauge;
  for (const auto policy : {PolicyKind::adaptive, PolicyKind::least_requests}) {
    EXPECT_NEAR(spread(policy, 1000, ask)[0], 250, 60) << "as its peers";
  }
  state(0).waiting = kUnknownGauge;
  EXPECT_EQ(spread(PolicyKind::adaptive, 1000, ask)[0], 1000) << "nobody reads any of it";
}

TEST_F(PolicyTest, LeastLoadedByRequestsAndByTokens) {
  std::vector<Lease> leases;
  for (uint32_t i = 0; i < 4; ++i) leases.emplace_back(state(i), 1000 * (4 - i), at(1000));
  leases.emplace_back(state(3), 1, at(1000));
  leases.emplace_back(state(0), 1, at(1000));
  EXPECT_NE(choose(PolicyKind::least_requests)->candidate, 0U);
  EXPECT_NE(choose(PolicyKind::least_requests)->candidate, 3U);
  EXPECT_EQ(choose(PolicyKind::least_tokens)->candidate, 3U);
  auto counts = spread(PolicyKind::power_of_two, 2000);
  EXPECT_GT(counts[1] + counts[2], 1500);
  EXPECT_GT(counts[0] + counts[3], 100);
}

TEST_F(PolicyTest, LatencyAndCost) {
  for (uint32_t i = 0; i < 4; ++i) {
    PeakEwma::record(state(i).latency, at(1000), std::chrono::milliseconds(100 + 100 * ((i + 2) % 4)));
    candidates_[i].price = static_cast<float>((i + 1) % 4);
  }
  EXPECT_EQ(choose(PolicyKind::latency)->candidate, 2U);
  PeakEwma::record(state(2).latency, at(1000), std::chrono::seconds(9));  // a peak counts at once
  EXPECT_EQ(choose(PolicyKind::latency)->candidate, 3U);
  EXPECT_EQ(choose(PolicyKind::cost)->candidate, 3U);
}

TEST_F(PolicyTest, SplitAndRendezvousAreStableAndMoveLittle) {
  candidates_[0].weight = 9;
  for (uint32_t i = 2; i < 4; ++i) candidates_[i].excluded = true;
  auto counts = spread(PolicyKind::split, 4000, {.session = 12345});
  EXPECT_NEAR(counts[0], 3600, 100);
  for (uint32_t i = 0; i < 4; ++i) candidates_[i] = {.slot = candidates_[i].slot};
  std::vector<uint32_t> before;
  for (uint64_t session = 1; session <= 1000; ++session) {
    before.push_back(choose(PolicyKind::rendezvous, {.session = session})->candidate);
    EXPECT_EQ(choose(PolicyKind::rendezvous, {.session = session})->candidate, before.back());
  }
  note_failure(state(1).health, at(1000), {});
  for (uint64_t session = 1; session <= 1000; ++session) {
    const uint32_t now = choose(PolicyKind::rendezvous, {.session = session})->candidate;
    if (before[session - 1] == 1) {
      EXPECT_NE(now, 1U);
    } else {
      EXPECT_EQ(now, before[session - 1]);
    }
  }
}

TEST_F(PolicyTest, PriorityComesFirstAndHealthBeforeIt) {
  candidates_[0].priority = 2;
  candidates_[1].priority = 2;
  EXPECT_GE(choose(PolicyKind::adaptive)->candidate, 2U);
  note_failure(state(2).health, at(1000), {});
  state(3).paused_until_ms = short_ms(at(1030));
  EXPECT_LT(choose(PolicyKind::adaptive)->candidate, 2U);
  EXPECT_EQ(choose(PolicyKind::ordered, {.now = at(1031)})->candidate, 3U);  // the pause is over
  const Choice probe = *choose(PolicyKind::ordered, {.now = at(1060)});
  EXPECT_EQ(probe.candidate, 2U);
  EXPECT_TRUE(probe.probe);
}

constexpr HealthOptions kNeverOut{.failures_out = 0};

TEST_F(PolicyTest, WhoHasJustFailedComesAfterAllOthersInEveryPolicy) {
  settings_.health = kNeverOut;
  for (uint32_t i = 0; i < 3; ++i) note_failure(state(i).health, at(1000), kNeverOut);
  for (size_t policy = 0; policy < kPolicyCount; ++policy) {
    const Ask ask{.now = at(1000.5), .session = 7};
    EXPECT_EQ(spread(static_cast<PolicyKind>(policy), 50, ask), (std::map<uint32_t, int>{{3, 50}})) << policy;
  }
  // One failure moves nothing to another priority, but a call that has failed goes where it is well.
  candidates_[3].priority = 2;
  EXPECT_LT(choose(PolicyKind::adaptive, {.now = at(1000.5)})->candidate, 3U);
  EXPECT_EQ(choose(PolicyKind::adaptive, {.now = at(1000.5), .again = true})->candidate, 3U);
  candidates_[3].excluded = true;
  const Choice choice = *choose(PolicyKind::adaptive, {.now = at(1000.5)});  // nobody is out
  EXPECT_TRUE(choice.trial);
  EXPECT_FALSE(choice.last_resort);
}

TEST_F(PolicyTest, ACallWaitsForOneThatIsWellRatherThanGoToOneThatHasJustFailed) {
  settings_.health = kNeverOut;
  settings_.waits = true;
  for (auto& candidate : candidates_) candidate.gate.requests_max = 1;
  for (uint32_t i = 0; i < 3; ++i) note_failure(state(i).health, at(1000), kNeverOut);
  const Lease lease(state(3), 10, at(1000));
  EXPECT_EQ(choose(PolicyKind::adaptive)->candidate, 3U);
  settings_.waits = false;
  EXPECT_LT(choose(PolicyKind::adaptive)->candidate, 3U);
  candidates_[3].excluded = true;
  EXPECT_LT(choose(PolicyKind::adaptive)->candidate, 3U);
}

TEST_F(PolicyTest, ATenthOfTheCallsTryThoseThatItIsTimeToTryAndNoCallThatHasFailed) {
  settings_.health = kNeverOut;
  for (uint32_t i = 0; i < 3; ++i) note_failure(state(i).health, at(1000), kNeverOut);
  auto counts = spread(PolicyKind::adaptive, 10'000, {.now = at(1001)});
  EXPECT_NEAR(10'000 - counts[3], 1000, 150);
  EXPECT_EQ(spread(PolicyKind::adaptive, 1000, {.now = at(1001), .again = true}), (std::map<uint32_t, int>{{3, 1000}}));
  candidates_[3].excluded = true;
  ASSERT_TRUE(begin_trial(state(0).health, at(1001), kNeverOut));
  counts = spread(PolicyKind::adaptive, 100, {.now = at(1001)});  // who is being tried comes last
  EXPECT_EQ(counts.count(0), 0U);
  EXPECT_EQ(counts[1] + counts[2], 100);
}

// A hundred calls a second, each tried until it is answered.
class Ill : public PolicyTest {
 protected:
  Ill() {
    for (int i = 4; i < 10; ++i) {
      handles_.push_back(table_.acquire(std::to_string(i)));
      candidates_.push_back({.slot = handles_.back().slot()});
    }
    settings_.health = kNeverOut;
  }
  // How many more tries than calls.
  int failures(PolicyKind policy, int from_s, int until_s, uint32_t ill) {
    int failed = 0;
    for (int call = 0; call < (until_s - from_s) * 100; ++call) {
      const double now = from_s + call * 0.01;
      for (auto& candidate : candidates_) candidate.excluded = false;
      for (bool again = false;; again = true) {
        const Choice choice = *choose(policy, {.now = at(now), .again = again});
        std::atomic<uint64_t>& health = state(choice.candidate).health;
        if (choice.trial && !begin_trial(health, at(now), kNeverOut)) continue;
        ++answered_[choice.candidate];
        if (choice.candidate >= ill) {
          note_success(health, at(now), kNeverOut);
          break;
        }
        note_failure(health, at(now), kNeverOut);
        candidates_[choice.candidate].excluded = true;
        ++failed;
      }
    }
    return failed;
  }
  std::map<uint32_t, int> answered_;
};

TEST_F(Ill, NineOfTenThatAreNeverOutCostFewTriesAndAreBackSoonAfter) {
  for (const PolicyKind policy : {PolicyKind::adaptive, PolicyKind::round_robin, PolicyKind::ordered}) {
    SCOPED_TRACE(policy_names()[static_cast<size_t>(policy)]);
    for (auto& candidate : candidates_) state(static_cast<uint32_t>(&candidate - candidates_.data())).health = 0;
    EXPECT_LE(failures(policy, 1000, 1006, 9), 60);  // of 600 calls
    EXPECT_LE(failures(policy, 1006, 1060, 9), 60);  // of 5,400
    EXPECT_EQ(failures(policy, 1060, 1130, 0), 0);
    answered_.clear();
    EXPECT_EQ(failures(policy, 1130, 1140, 0), 0);
    if (policy == PolicyKind::round_robin) {
      for (uint32_t i = 0; i < 10; ++i) EXPECT_NEAR(answered_[i], 100, 1) << i;
    }
    if (policy == PolicyKind::ordered) EXPECT_EQ(answered_[0], 1000);
  }
}

TEST_F(PolicyTest, WhenAllAreOutTheLastResortTriesOneThatIsNotExcluded) {
  for (uint32_t i = 0; i < 4; ++i) note_failure(state(i).health, at(1000), {});
  candidates_[0].excluded = true;
  const auto choice = choose(PolicyKind::adaptive);
  ASSERT_TRUE(choice);
  EXPECT_TRUE(choice->last_resort);
  EXPECT_NE(choice->candidate, 0U);
  settings_.last_resort = false;
  EXPECT_FALSE(choose(PolicyKind::adaptive));
  settings_.last_resort = true;
  for (auto& candidate : candidates_) candidate.excluded = true;
  EXPECT_FALSE(choose(PolicyKind::adaptive));
}

TEST_F(PolicyTest, FullInstancesAreLeftAlone) {
  for (uint32_t i = 0; i < 4; ++i) candidates_[i].gate.requests_max = 1;
  std::vector<Lease> leases;
  for (int i = 0; i < 4; ++i) leases.emplace_back(state(choose(PolicyKind::adaptive)->candidate), 10, at(1000));
  EXPECT_FALSE(choose(PolicyKind::adaptive));
  leases.pop_back();
  EXPECT_TRUE(choose(PolicyKind::adaptive));
}

TEST_F(PolicyTest, ASessionStaysUntilItsInstanceFails) {
  settings_.sticky = true;
  const uint32_t first = choose(PolicyKind::round_robin, {.session = 42})->candidate;
  for (int i = 0; i < 7; ++i) {
    const Choice again = *choose(PolicyKind::round_robin, {.session = 42});
    EXPECT_EQ(again.candidate, first);
    EXPECT_TRUE(again.pinned);
  }
  note_failure(state(first).health, at(1000), {});
  const uint32_t second = choose(PolicyKind::round_robin, {.session = 42})->candidate;
  EXPECT_NE(second, first);
  EXPECT_EQ(choose(PolicyKind::round_robin, {.now = at(4000), .session = 42})->candidate, second);
}

TEST_F(PolicyTest, AdaptiveFollowsThePrefixUntilTheQueueIsTooLong) {
  std::vector<uint64_t> chain;
  for (uint64_t i = 1; i <= 20; ++i) chain.push_back(chain_hash(chain.empty() ? 0 : chain.back(), i));
  index_.insert(chain, candidates_[2].slot, at(999));
  const Ask ask{.now = at(1000), .prompt_tokens = 5200, .block_tokens = 256, .blocks = chain};
  const Choice warm = *choose(PolicyKind::adaptive, ask);
  EXPECT_EQ(warm.candidate, 2U);
  EXPECT_EQ(warm.cached_tokens, 5120U);
  EXPECT_EQ(warm.uncached_tokens, 80U);
  std::vector<Lease> leases;
  leases.emplace_back(state(2), 4000, at(1000));
  EXPECT_EQ(choose(PolicyKind::adaptive, ask)->candidate, 2U);  // half a second is worth it
  for (int i = 0; i < 12; ++i) leases.emplace_back(state(2), 4000, at(1000));
  EXPECT_NE(choose(PolicyKind::adaptive, ask)->candidate, 2U);
}

TEST_F(PolicyTest, SpeedIsLearntFromTheTimeOfPrompts) {
  InstanceState& learnt = state(0);
  double now = 100;
  for (int i = 0; i < 300; ++i) {
    now += 0.5;  // 2,000 tokens at 4,000 a second, one after the other
    note_first_token(learnt, 2000, at(90), at(now));
  }
  EXPECT_NEAR(tokens_per_second(learnt), 4000, 200);
  EXPECT_EQ(tokens_per_second(state(1)), 8000);
}

TEST_F(PolicyTest, SpeedIsLearntFromWholeAnswersWhereNoFirstTokenIsSeen) {
  InstanceState& learnt = state(1);
  GateState& gate = table_.gate(candidates_[1].slot);
  EXPECT_EQ(learnt_speed(learnt, gate), 0U);
  EXPECT_EQ(tokens_per_second(learnt, gate), 8000);
  for (int i = 0; i < 200; ++i) {
    const int64_t computed = 1000 + i % 7 * 900;
    const auto said = static_cast<uint64_t>(10 + i % 5 * 40);
    note_whole_answer(gate, computed, said, at(double(computed) / 4000 + double(said) * 0.03 + 0.1) - at(0));
  }
  EXPECT_NEAR(tokens_per_second(learnt, gate), 4000, 10);
  EXPECT_EQ(tokens_per_second(learnt), 8000) << "instances are not compared by it";
  for (int i = 0; i < 300; ++i) note_first_token(learnt, 2000, at(90), at(100 + i * 0.2));
  EXPECT_NEAR(tokens_per_second(learnt, gate), 10'000, 500) << "who sees first tokens knows better";
}

// Answers an instance's prompts one after the other, the last at 1000 s.
void show(InstanceState& state, double speed, int answers = 8) {
  for (int i = 0; i < answers; ++i) {
    const double end = 1000 - (answers - 1 - i);
    note_first_token(state, 4000, at(end - 4000 / speed), at(end));
  }
}

void forget_speed(InstanceState& state) {
  state.tokens_per_second = 0;
  state.speeds_seen = 0;
  state.latency = 0;
}

TEST_F(PolicyTest, OneThatHasShownNoSpeedYetIsAskedLikeItsPeers) {
  // Whoever answers first, the others are asked, too, until all have shown theirs.
  for (const double speed : {60'000.0, 1'000.0}) {
    for (uint32_t i = 0; i < 4; ++i) forget_speed(state(i));
    for (uint32_t i = 0; i < 3; ++i) {
      show(state(i), speed);
      for (const auto policy : {PolicyKind::adaptive, PolicyKind::prefix}) {
        auto counts = spread(policy, 400, {.prompt_tokens = 4000});
        for (uint32_t each = 0; each < 4; ++each) EXPECT_GT(counts[each], 60) << i << " " << each;
      }
    }
  }
}

// A first answer may have waited for a connection.
TEST_F(PolicyTest, AFewAnswersAreNoSpeed) {
  for (uint32_t i = 0; i < 3; ++i) show(state(i), 60'000);
  show(state(3), 6'000, 3);
  EXPECT_GT(spread(PolicyKind::adaptive, 400, {.prompt_tokens = 4000})[3], 60);
  forget_speed(state(3));
  show(state(3), 6'000, 4);
  EXPECT_EQ(spread(PolicyKind::adaptive, 400, {.prompt_tokens = 4000})[3], 0);
}

TEST_F(PolicyTest, EqualInstancesShareAndSlowerOnesLose) {
  constexpr std::array kSpeeds{60'000.0, 58'000.0, 56'500.0, 40'000.0};
  for (uint32_t i = 0; i < 4; ++i) show(state(i), kSpeeds[i]);
  auto counts = spread(PolicyKind::adaptive, 400, {.prompt_tokens = 4000});
  for (uint32_t i = 0; i < 3; ++i) EXPECT_GT(counts[i], 60) << i;
  EXPECT_EQ(counts[3], 0);
  // What it has shown may have been an accident of long ago.
  counts = spread(PolicyKind::adaptive, 400, {.now = at(1600), .prompt_tokens = 4000});
  EXPECT_GT(counts[3], 40);
  // Chance moves nobody away from where the prompt is cached.
  std::vector<uint64_t> chain;
  for (uint64_t id = 1; id <= 10; ++id) chain.push_back(chain_hash(chain.empty() ? 0 : chain.back(), id));
  index_.insert(chain, candidates_[2].slot, at(1000));
  EXPECT_EQ(spread(PolicyKind::adaptive, 400, {.prompt_tokens = 4000, .blocks = chain})[2], 400);
}

TEST_F(PolicyTest, OneOnItsWayBackSharesWithOthersAndTakesWhatNoOtherCan) {
  const HealthOptions& health = settings_.health;
  note_failure(state(3).health, at(900), health);
  ASSERT_TRUE(begin_probe(state(3).health, at(999)));
  ASSERT_EQ(note_success(state(3).health, at(999), health), HealthState::ramp);
  EXPECT_NEAR(spread(PolicyKind::round_robin, 2000)[3], 2000 * 0.13 / 4, 40);
  // Before those that are out, whether it is a last resort or not, and before one of another model or of none.
  for (uint32_t i = 0; i < 3; ++i) note_failure(state(i).health, at(999), health);
  for (const bool last_resort : {false, true}) {
    settings_.last_resort = last_resort;
    for (int i = 0; i < 200; ++i) {
      const auto choice = choose(PolicyKind::adaptive);
      ASSERT_TRUE(choice);
      EXPECT_EQ(choice->candidate, 3U);
      EXPECT_FALSE(choice->last_resort);
    }
  }
  EXPECT_EQ(choose(PolicyKind::adaptive, {.again = true})->candidate, 3U);
  candidates_[3].excluded = true;
  EXPECT_TRUE(choose(PolicyKind::adaptive)->last_resort);
}

TEST_F(PolicyTest, TheLastResortKeepsToAPauseThatWasAskedFor) {
  for (uint32_t i = 0; i < 4; ++i) pause(state(i), at(1000), std::chrono::seconds(20));
  EXPECT_FALSE(choose(PolicyKind::adaptive));
  pause(state(2), at(1000), std::chrono::seconds(20), PauseKind::guessed);
  const auto last = choose(PolicyKind::adaptive);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->candidate, 2U);
  EXPECT_TRUE(last->last_resort);
  EXPECT_TRUE(choose(PolicyKind::adaptive, {.now = at(1021)}));
}

TEST_F(PolicyTest, AModelsPauseIsNotTheInstances) {
  const InstanceHandle model = table_.acquire("a model at 0");
  pause(table_.state(model.slot()), at(1000), std::chrono::seconds(20));
  for (uint32_t i = 1; i < 4; ++i) candidates_[i].excluded = true;
  EXPECT_TRUE(choose(PolicyKind::adaptive));
  candidates_[0].model_slot = model.slot();
  EXPECT_FALSE(choose(PolicyKind::adaptive));
}

// Moments of 32 bits turn over after weeks: a pause of then is over.
TEST_F(PolicyTest, APauseEndsAndDoesNotComeBack) {
  for (uint32_t i = 1; i < 4; ++i) candidates_[i].excluded = true;
  settings_.last_resort = false;
  pause(state(0), at(1000), std::chrono::hours(5));
  EXPECT_FALSE(choose(PolicyKind::adaptive));
  for (const double days : {0.008, 1.0, 20.0, 25.0, 30.0, 49.0}) {
    EXPECT_TRUE(choose(PolicyKind::adaptive, {.now = at(1000 + days * 86'400)})) << days;
  }
}

// What many wait for is copied before one of them alone would leave.
TEST_F(PolicyTest, AdaptiveCopiesWhatManyAskFor) {
  std::vector<uint64_t> chain;
  for (uint64_t id = 1; id <= 40; ++id) chain.push_back(chain_hash(chain.empty() ? 0 : chain.back(), id));
  index_.insert(chain, candidates_[0].slot, at(1000));
  std::vector<Lease> all;
  all.emplace_back(state(0), 60'000, at(1000));
  for (uint32_t i = 1; i < 4; ++i) all.emplace_back(state(i), 500, at(1000));
  Ask ask{.prompt_tokens = 41 * 256, .blocks = chain};
  EXPECT_EQ(choose(PolicyKind::adaptive, ask)->candidate, 0U);
  std::vector<uint32_t> taken;
  for (int i = 0; i < 40 && (taken.empty() || taken.back() == 0); ++i) {
    taken.push_back(choose(PolicyKind::adaptive, ask)->candidate);
  }
  EXPECT_NE(taken.back(), 0U);
  EXPECT_GT(taken.size(), 1U);
  // Once that is done, those that stay begin to count anew.
  EXPECT_EQ(choose(PolicyKind::adaptive, ask)->candidate, 0U);
}

// A short prompt passes the long ones that wait.
TEST_F(PolicyTest, AdaptiveCountsOnlyWhatGoesBefore) {
  settings_.shortest_first_s = 2;
  std::vector<Lease> all;
  all.emplace_back(state(0), table_.gate(candidates_[0].slot), 100'000, at(1000));
  for (uint32_t i = 1; i < 4; ++i) {
    for (int n = 0; n < 60; ++n) all.emplace_back(state(i), table_.gate(candidates_[i].slot), 500, at(1000));
  }
  EXPECT_EQ(choose(PolicyKind::adaptive, {.prompt_tokens = 600})->candidate, 0U);
  EXPECT_NE(choose(PolicyKind::adaptive, {.prompt_tokens = 200'000})->candidate, 0U);
  settings_.shortest_first_s = 0;
  EXPECT_NE(choose(PolicyKind::adaptive, {.prompt_tokens = 600})->candidate, 0U);
  all.clear();
  for (uint32_t i = 0; i < 4; ++i) {
    for (const auto& tokens : table_.gate(candidates_[i].slot).waiting_by_size) EXPECT_EQ(tokens, 0);
  }
}

TEST(PolicySample, ALargeGroupIsSampledButTheWarmOneIsSeen) {
  constexpr uint32_t kInstances = 1500;
  InstanceTable table(kInstances);
  PrefixIndex index(table, 1000);
  SessionTable sessions(64);
  base::Rng rng(1);
  Chooser chooser(table, index, sessions, rng);
  std::vector<InstanceHandle> handles;
  std::vector<Candidate> candidates;
  for (uint32_t i = 0; i < kInstances; ++i) {
    handles.push_back(table.acquire(std::to_string(i)));
    candidates.push_back({.slot = handles.back().slot()});
  }
  const std::vector<uint64_t> chain{chain_hash(0, 1), chain_hash(0, 2)};
  index.insert(chain, candidates[777].slot, at(1));
  Ask ask{.now = at(2), .prompt_tokens = 600, .blocks = chain};
  for (int i = 0; i < 50; ++i) EXPECT_EQ(chooser.choose({}, candidates, ask)->candidate, 777U);
  ask.blocks = {};
  std::map<uint32_t, int> counts;
  for (int i = 0; i < 3000; ++i) ++counts[chooser.choose({}, candidates, ask)->candidate];
  EXPECT_GT(counts.size(), 1000U);
  // The few that are well are found among many that are not.
  Settings settings{.health = kNeverOut};
  for (uint32_t i = 0; i < kInstances; ++i) {
    if (i % 300 != 7) note_failure(table.state(candidates[i].slot).health, at(2), kNeverOut);
  }
  int trials = 0;
  for (int i = 0; i < 1000; ++i) {
    ask.now = at(i % 2 == 0 ? 2.5 : 3.5);
    const Choice choice = *chooser.choose(settings, candidates, ask);
    if (choice.candidate % 300 == 7) continue;
    EXPECT_EQ(i % 2, 1);
    ++trials;
  }
  EXPECT_NEAR(trials, 50, 30);
}

// What is said to cost least was taken, in whatever state the instances are.
TEST_F(PolicyTest, ExplanationsSayWhatEveryPolicyCompares) {
  explain_ = true;
  base::Rng random(7);
  size_t cheapest = 0;
  for (int round = 0; round < 4000; ++round) {
    std::array<uint64_t, 3> blocks{chain_hash(1, random.below(40))};
    for (size_t i = 1; i < blocks.size(); ++i) blocks[i] = chain_hash(blocks[i - 1], random.below(2));
    const Ask ask{.now = at(1000 + round),
                  .prompt_tokens = static_cast<uint32_t>(1 + random.below(20'000)),
                  .block_tokens = 4096,
                  .blocks = blocks,
                  .session = random.below(3)};
    for (uint32_t i = 0; i < 4; ++i) {
      InstanceState& own = state(i);
      own.requests_in_flight = static_cast<int32_t>(random.below(3));
      own.tokens_in_flight = static_cast<int64_t>(random.below(3) * 4000);
      own.waiting = random.below(2) == 0 ? kUnknownGauge : static_cast<uint16_t>(random.below(4));
      PeakEwma::record(own.latency, ask.now, std::chrono::milliseconds(random.below(500)));
      candidates_[i].price = static_cast<float>(random.below(3));
      candidates_[i].weight = static_cast<uint32_t>(1 + random.below(3));
    }
    settings_.shortest_first_s = random.below(2) == 0 ? 0 : 1;
    const auto policy = static_cast<PolicyKind>(round % kPolicyCount);
    const auto choice = choose(policy, ask);
    ASSERT_TRUE(choice);
    index_.insert(blocks, candidates_[choice->candidate].slot, ask.now);
    const Score& taken = lines_[choice->candidate];
    if (!taken.compared || policy == PolicyKind::power_of_two) continue;
    ++cheapest;
    for (const Score& other : lines_) {
      if (!other.compared) continue;
      EXPECT_LE(taken.cost, other.cost) << policy_names()[static_cast<size_t>(policy)] << " in round " << round;
      if (other.cost == taken.cost && other.cached_tokens == taken.cached_tokens) EXPECT_LE(taken.queue, other.queue);
    }
  }
  EXPECT_GT(cheapest, 1500U);
}

TEST_F(PolicyTest, APolicyThatComparesNothingSaysNoCost) {
  explain_ = true;
  for (const auto policy : {PolicyKind::round_robin, PolicyKind::weighted, PolicyKind::ordered, PolicyKind::split,
                            PolicyKind::rendezvous}) {
    choose(policy);
    for (const Score& line : lines_) EXPECT_TRUE(line.considered && !line.compared);
  }
}

TEST_F(PolicyTest, ExplainsEveryCandidate) {
  explain_ = true;
  candidates_[3].priority = 2;
  note_failure(state(1).health, at(1000), {});
  choose(PolicyKind::adaptive, {.prompt_tokens = 100});
  ASSERT_EQ(lines_.size(), 4U);
  EXPECT_TRUE(lines_[0].considered);
  EXPECT_EQ(lines_[1].fitness, Fitness::out);
  EXPECT_FALSE(lines_[3].considered);
  EXPECT_GT(lines_[0].cost, 0);
}

}  // namespace
}  // namespace llmgw::routing
