#include "routing/queue/waiting_lines.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "routing/load/pause.h"

namespace llmgw::routing {
namespace {

base::Instant at(double s) {
  return base::Instant(std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(1000 + s)));
}

// Some engines that take one call at a time, or 1,000 tokens, and the lines of some workers before them.
class LinesTest : public testing::Test {
 protected:
  struct Held {
    Lease lease;
    std::vector<uint64_t> blocks;
  };
  LinesTest() {
    for (const char* name : {"a", "b"}) {
      handles_.push_back(table_.acquire(name));
      candidates_.push_back({.slot = handles_.back().slot(), .gate = {.prompt_tokens_max = 1000}});
      table_.state(handles_.back().slot()).tokens_per_second = 1000;
    }
  }
  // Waits for instance 0 with a prompt of so many tokens.
  auto enter(WaitingLines& lines, WaiterId id, uint32_t tokens, double now, std::vector<uint64_t> blocks = {},
             Waiter more = {}) {
    Held& held = held_[id];
    for (uint64_t& block : blocks) block *= 0x9E3779B97F4A7C15;  // hashes differ in their upper bits
    held.blocks = std::move(blocks);
    held.lease = Lease(table_.state(0), table_.gate(0), tokens, at(now));
    more.id = id;
    more.arrived = at(now);
    if (more.work_s == 0) more.work_s = tokens / 1000.0;
    more.tokens = tokens;
    more.family = held.blocks.empty() ? 0 : held.blocks.front();
    return lines.enter({.waiter = more,
                        .lease = &held.lease,
                        .candidates = candidates_,
                        .chosen = 0,
                        .prompt_tokens = tokens,
                        .block_tokens = 500,
                        .blocks = held.blocks,
                        .ages = {}},
                       options_, at(now));
  }
  static std::vector<WaiterId> ids(std::span<const Turn> turns) {
    std::vector<WaiterId> all;
    for (const Turn& turn : turns) all.push_back(turn.id);
    return all;
  }
  InstanceTable table_{2};
  PrefixIndex index_{table_, 1024};
  LineHeads heads_{2};
  FairShares shares_;
  QueueOptions options_{.order = QueueOrder::fifo};
  std::vector<InstanceHandle> handles_;
  std::vector<Candidate> candidates_;
  std::map<WaiterId, Held> held_;
};

TEST_F(LinesTest, OneGoesWhenThereIsAPlace) {
  WaitingLines lines(table_, index_, heads_, shares_);
  EXPECT_FALSE(lines.must_wait(candidates_[0]));
  Lease busy(table_.state(0), 1500, at(0));
  Lease other(table_.state(1), 90'000, at(0));
  EXPECT_TRUE(lines.must_wait(candidates_[0]));
  EXPECT_EQ(enter(lines, 1, 2000, 0)->position, 0U);
  EXPECT_EQ(enter(lines, 2, 2000, 0.1)->position, 1U);
  EXPECT_TRUE(lines.step(at(0.2)).empty());
  busy.first_token(at(1.5));
  EXPECT_EQ(ids(lines.step(at(1.5))), (std::vector<WaiterId>{1}));
  EXPECT_FALSE(held_[1].lease.waits());
  EXPECT_TRUE(lines.step(at(1.6)).empty());
  // Who waits has it before who comes, even if there were a place.
  held_[1].lease.first_token(at(3.5));
  EXPECT_TRUE(lines.must_wait(candidates_[0]));
  lines.leave(2, at(3.6));
  held_[2].lease.end();
  EXPECT_TRUE(lines.empty());
  EXPECT_FALSE(lines.must_wait(candidates_[0]));
}

TEST_F(LinesTest, AnIdleInstanceTakesOverWhatGainsByIt) {
  WaitingLines lines(table_, index_, heads_, shares_);
  Lease busy(table_.state(0), 30'000, at(0));
  pause(table_.state(1), at(-2), std::chrono::seconds(1));  // a while ago
  ASSERT_TRUE(enter(lines, 1, 2000, 0));
  const auto turns = lines.step(at(0));
  ASSERT_EQ(turns.size(), 1U);
  EXPECT_EQ(turns[0].candidate, 1U);
  EXPECT_EQ(table_.state(0).requests_in_flight, 1);
  EXPECT_EQ(table_.state(1).tokens_in_flight, 2000);
}

// Its head is warm there and stays; who stands last would be passed by all that come.
TEST_F(LinesTest, AnIdleInstanceTakesOverFromTheEndOfALine) {
  WaitingLines lines(table_, index_, heads_, shares_);
  options_.order = QueueOrder::fair;
  const std::vector<uint64_t> warm{1, 2, 3, 4};
  Lease busy(table_.state(0), 1500, at(0));
  Lease other(table_.state(1), 90'000, at(0));
  ASSERT_TRUE(enter(lines, 1, 2000, 0, warm, {.tenant = 1}));
  ASSERT_TRUE(enter(lines, 2, 2000, 0, {}, {.tenant = 1}));
  busy.end();
  ASSERT_EQ(ids(lines.step(at(0))), (std::vector<WaiterId>{1}));
  ASSERT_TRUE(enter(lines, 3, 2000, 0, warm, {.work_s = 0.01, .tenant = 2}));
  other.end();
  const auto turns = lines.step(at(0));
  ASSERT_EQ(ids(turns), (std::vector<WaiterId>{2}));
  EXPECT_EQ(turns[0].candidate, 1U);
  lines.leave(3, at(0));
}

TEST_F(LinesTest, ACopyOfAPrefixIsMadeForAllThatWaitForIt) {
  WaitingLines lines(table_, index_, heads_, shares_);
  Lease busy(table_.state(0), 2000, at(0));
  Lease other(table_.state(1), 90'000, at(0));
  // 2 s are sent before them and 0.5 s each wait; to compute it there takes 3.5 s more, and has to gain three times
  // that.
  for (WaiterId id = 1; id <= 4; ++id) {
    ASSERT_TRUE(enter(lines, id, 4000, 0, {}, {.work_s = 0.5, .prefix = 77}));
    other.end();
    const auto turns = lines.step(at(0));
    if (id < 4) {
      EXPECT_TRUE(turns.empty()) << id;
      other = Lease(table_.state(1), 90'000, at(0));
    } else {
      ASSERT_EQ(ids(turns), (std::vector<WaiterId>{4}));
      EXPECT_EQ(turns[0].candidate, 1U);
    }
  }
  for (WaiterId id = 1; id <= 3; ++id) lines.leave(id, at(0));
}

TEST_F(LinesTest, APlaceGoesToTheFirstOfAllWorkers) {
  WaitingLines here(table_, index_, heads_, shares_);
  WaitingLines there(table_, index_, heads_, shares_);
  Lease busy(table_.state(0), 1500, at(0));
  Lease other(table_.state(1), 90'000, at(0));
  ASSERT_TRUE(enter(there, 1, 2000, 0));
  ASSERT_TRUE(enter(here, 2, 2000, 0.001));
  EXPECT_TRUE(there.step(at(0.002)).empty());  // as every worker does while somebody waits: it shows who is first
  busy.first_token(at(0.002));
  EXPECT_TRUE(here.step(at(0.002)).empty());
  EXPECT_EQ(ids(there.step(at(0.003))), (std::vector<WaiterId>{1}));
  // A worker that hangs holds up nobody.
  ASSERT_TRUE(enter(there, 3, 2000, 0.003));
  held_[1].lease.first_token(at(0.004));
  EXPECT_EQ(ids(here.step(at(1))), (std::vector<WaiterId>{2}));
  there.leave(3, at(1));
}

TEST_F(LinesTest, WhoCameLaterIsNotFirstBecauseTheOtherWorkerHasNotLookedForAWhile) {
  WaitingLines here(table_, index_, heads_, shares_);
  WaitingLines there(table_, index_, heads_, shares_);
  Lease busy(table_.state(0), 1500, at(0));
  Lease other(table_.state(1), 90'000, at(0));
  ASSERT_TRUE(enter(there, 1, 2000, 5));
  ASSERT_TRUE(enter(here, 2, 2000, 5.002));
  busy.first_token(at(5.03));
  EXPECT_TRUE(here.step(at(5.03)).empty());
  EXPECT_EQ(ids(there.step(at(5.03))), (std::vector<WaiterId>{1}));
  here.leave(2, at(5.04));
}

TEST_F(LinesTest, PromptsThatBeginAlikeGoOneAfterTheOther) {
  options_.order = QueueOrder::slo;
  options_.goal = std::chrono::milliseconds(1);  // none can be in time: the shortest goes first
  WaitingLines lines(table_, index_, heads_, shares_);
  Lease busy(table_.state(0), 1500, at(0));
  Lease other(table_.state(1), 90'000, at(0));
  ASSERT_TRUE(enter(lines, 1, 4000, 0, {1, 2, 3, 4, 5, 6, 7, 8}));
  ASSERT_TRUE(enter(lines, 2, 4100, 0, {21, 22, 23, 24, 25, 26, 27, 28}));
  ASSERT_TRUE(enter(lines, 3, 4200, 0, {1, 2, 3, 4, 5, 6, 7, 9}));
  busy.first_token(at(1));
  ASSERT_EQ(ids(lines.step(at(1))), (std::vector<WaiterId>{1}));
  held_[1].lease.first_token(at(5));
  const auto turns = lines.step(at(5));
  ASSERT_EQ(ids(turns), (std::vector<WaiterId>{3, 2}));  // both fit into the window, 3 first
  EXPECT_EQ(turns[0].cached_tokens, 3500U);
  EXPECT_EQ(held_[3].lease.tokens(), 700);
}

// Whatever happens to those that wait, nothing is left in the account.
TEST_F(LinesTest, TheAccountIsZeroAfterAStorm) {
  options_ = {.order = QueueOrder::fair, .waiting_max = 20};
  WaitingLines lines(table_, index_, heads_, shares_);
  base::Rng rng(5);
  std::vector<WaiterId> running;
  double now = 0;
  const auto take_turns = [&] {
    for (const Turn& turn : lines.step(at(now))) {
      if (turn.displaced) {
        held_.erase(turn.id);
      } else {
        running.push_back(turn.id);
      }
    }
  };
  for (int i = 0; i < 5000; ++i) {
    now += 0.01;
    const WaiterId id = lines.new_id();
    const auto tokens = static_cast<uint32_t>(100 + rng.below(3000));
    if (!enter(lines, id, tokens, now, {rng.below(5), 100 + rng.below(5)}, {.tenant = rng.below(3)})) held_.erase(id);
    take_turns();
    while (!running.empty() && rng.chance(0.7)) {
      const size_t one = rng.below(running.size());
      if (rng.chance(0.5)) held_[running[one]].lease.first_token(at(now));
      held_.erase(running[one]);
      running.erase(running.begin() + static_cast<ptrdiff_t>(one));
    }
    if (!held_.empty() && rng.chance(0.1)) {
      const WaiterId gone = held_.begin()->first;
      lines.leave(gone, at(now));
      std::erase(running, gone);
      held_.erase(gone);
    }
  }
  while (!held_.empty()) {
    const WaiterId gone = held_.begin()->first;
    lines.leave(gone, at(now));
    held_.erase(gone);
  }
  take_turns();
  EXPECT_TRUE(lines.empty());
  EXPECT_EQ(table_.requests_in_flight(), 0);
  EXPECT_EQ(table_.tokens_in_flight(), 0);
  for (const Slot slot : {0U, 1U}) {
    EXPECT_EQ(table_.gate(slot).waiting_requests, 0);
    EXPECT_EQ(table_.gate(slot).waiting_tokens, 0);
  }
}

}  // namespace
}  // namespace llmgw::routing
