#include "control/sharing/scope_tally.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "admission/reservation.h"

namespace llmgw::control {
namespace {

using admission::kSecond;
using admission::Nanoseconds;
using store::RespValue;
using testing::HasSubstr;
using testing::Not;

class ScopeTallyOf : public testing::Test {
 protected:
  explicit ScopeTallyOf(const admission::Limits& limits = {.requests_per_second = 10,
                                                           .budget = base::NanoDollars{1'000'000},
                                                           .budget_period = admission::BudgetPeriod::day}) {
    admission::ZoneCache zones;
    scope_.set = std::make_shared<const Scope::LimitSet>(
        Scope::LimitSet{.limits = limits, .compiled = admission::CompiledLimits::of(limits, zones)});
    tally_ = std::make_shared<ScopeTally>(scope_, "llmgw:", "aa.1", ScopeTally::Baseline{});
  }

  // A call of so many nano-dollars; whether it is let in.
  bool call(int64_t nano_dollars) {
    const admission::Governed governed{&scope_.compiled(), scope_.meter.get()};
    admission::Reservation reservation;
    const admission::Moment moment{.now = now_, .wall = now_ / kSecond};
    if (reservation.take({&governed, 1}, {.nano_dollars = nano_dollars}, moment)) return false;
    reservation.settle({.nano_dollars = nano_dollars}, moment);
    return true;
  }
  void collect() { tally_->collect(++number_, now_, now_ / kSecond); }
  std::vector<ScopeTally::Question> ask(std::string* commands = nullptr) {
    Telling telling;
    std::vector<ScopeTally::Question> questions;
    ScopeTally::ask(tally_, now_, telling, questions);
    EXPECT_EQ(telling.count(), questions.size());
    if (commands != nullptr) *commands = telling.commands();
    return questions;
  }
  void answer(const ScopeTally::Question& question, const std::string& text) {
    tally_->take(question, {.kind = RespValue::Kind::text, .text = text}, now_);
  }
  static std::string microseconds(Nanoseconds time) { return std::to_string(time / 1000); }

  Scope scope_{.kind = ScopeKind::key,
               .identity = 7,
               .name = "k",
               .set = nullptr,
               .meter = std::make_shared<admission::Meter>()};
  std::shared_ptr<ScopeTally> tally_;
  Nanoseconds now_ = 1'800'000'000 * kSecond;
  uint64_t number_ = 0;
};

TEST_F(ScopeTallyOf, ALateAnswerRefusesNobodyWhoIsWithinTheLimit) {
  ASSERT_TRUE(call(10));
  collect();
  const auto questions = ask();
  ASSERT_EQ(questions.size(), 2u);
  // Half the rate for as long as Redis is frozen.
  for (int i = 0; i < 60; ++i) {
    now_ += kSecond / 5;
    ASSERT_TRUE(call(10));
    collect();
  }
  answer(questions[0], microseconds(kSecond / 10));
  answer(questions[1], "10");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(call(10)) << i;
  EXPECT_EQ(admission::spent(*scope_.meter), 64 * 10) << "all of it, told or not";
  EXPECT_TRUE(tally_->untold());
}

TEST_F(ScopeTallyOf, OthersUseCounts) {
  ASSERT_TRUE(call(10));
  collect();
  const auto questions = ask();
  answer(questions[0], microseconds(kSecond));
  answer(questions[1], "999980");
  EXPECT_FALSE(tally_->untold());
  EXPECT_FALSE(call(1)) << "ten a second";
  now_ += kSecond;
  EXPECT_FALSE(call(21)) << "more than is left";
  EXPECT_TRUE(call(20));
}

TEST_F(ScopeTallyOf, WhatIsToldIsATotal) {
  ASSERT_TRUE(call(10));
  collect();
  std::string commands;
  const auto first = ask(&commands);
  EXPECT_THAT(commands, HasSubstr("llmgw:v2:key:7:tps"));
  EXPECT_THAT(commands, HasSubstr("llmgw:v2:key:7:budget:"));
  EXPECT_THAT(commands, HasSubstr("\r\n$10\r\n100000.000\r\n")) << "microseconds of the window";
  // The answer is lost: of the window, where time counts, the same is told again; of the budget all there is.
  now_ += kSecond / 4;
  ASSERT_TRUE(call(15));
  collect();
  const auto second = ask(&commands);
  EXPECT_EQ(second[0].mark.number, first[0].mark.number);
  EXPECT_THAT(commands, HasSubstr("\r\n$10\r\n100000.000\r\n"));
  EXPECT_THAT(commands, Not(HasSubstr("\r\n$10\r\n200000.000\r\n"))) << "of the window, not the age";
  EXPECT_EQ(second[1].spent.total, 25);
  answer(second[0], "0");
  answer(second[1], "25");
  const auto third = ask(&commands);
  EXPECT_THAT(commands, HasSubstr("\r\n$10\r\n200000.000\r\n"));
  answer(third[0], "0");
  EXPECT_FALSE(tally_->untold());
  // An answer that is no number confirms nothing.
  ASSERT_TRUE(call(1));
  collect();
  answer(ask()[0], "nonsense");
  EXPECT_TRUE(tally_->untold());
}

TEST_F(ScopeTallyOf, ABudgetThatNobodyUsesIsToldAgainUntilItsPeriodIsOver) {
  const auto wants_reminder = [this] { return tally_->wants_reminder(now_, now_ / kSecond); };
  collect();
  EXPECT_FALSE(wants_reminder()) << "never used";
  ASSERT_TRUE(call(10));
  collect();
  const auto asked = ask();
  answer(asked[0], "0");
  answer(asked[1], "10");
  EXPECT_FALSE(wants_reminder()) << "just told";
  now_ += ScopeTally::kRemindAfter;
  collect();
  EXPECT_FALSE(tally_->wants(now_));
  ASSERT_TRUE(wants_reminder());
  Telling telling;
  std::vector<ScopeTally::Question> questions;
  ScopeTally::remind(tally_, now_, telling, questions);
  ASSERT_EQ(questions.size(), 1u) << "the budget only";
  EXPECT_FALSE(wants_reminder());
  answer(questions[0], "999995");
  EXPECT_EQ(admission::spent(*scope_.meter), 999'995);
  now_ += 86'400 * kSecond;
  EXPECT_FALSE(wants_reminder());
}

TEST_F(ScopeTallyOf, WhatTheLedgerRestoredIsToldBeforeTheFirstCall) {
  scope_.meter->charged = 500;
  tally_ = std::make_shared<ScopeTally>(scope_, "llmgw:", "aa.2",
                                        ScopeTally::Baseline{.taken = {}, .charged = 500, .restored = 500});
  collect();
  ASSERT_TRUE(tally_->wants_reminder(now_, now_ / kSecond));
  const auto questions = ask();
  ASSERT_EQ(questions.size(), 2u);
  answer(questions[1], "999990");
  EXPECT_FALSE(call(20)) << "others have spent the rest";
  EXPECT_TRUE(call(10));
}

// The sum of a period by another rule is the ledger's, and told under another name: what was told of that period before
// the first change of two is in it.
TEST_F(ScopeTallyOf, AfterAChangeOfThePeriodWhatTheLedgerKnowsIsTold) {
  EXPECT_TRUE(call(600));
  collect();
  answer(ask().at(1), "600 memory");
  const int64_t day = scope_.meter->period_end;
  admission::ZoneCache zones;
  const admission::PeriodRule hour(admission::BudgetPeriod::hour, nullptr);
  admission::change_period(*scope_.meter, hour, 250, now_ / kSecond);
  scope_.meter->charged += 7;
  collect();
  std::string commands;
  const auto questions = ask(&commands);
  ASSERT_EQ(questions.size(), 2u);
  EXPECT_NE(questions[1].period_end, day);
  EXPECT_EQ(questions[1].spent.total, 7);
  EXPECT_THAT(commands, HasSubstr("aa.1.1"));
  EXPECT_THAT(commands, HasSubstr("\r\n250\r\n"));
  answer(questions[1], "400 memory");
  EXPECT_EQ(admission::spent(*scope_.meter), 400) << "others have spent in this hour, too";
  admission::change_period(*scope_.meter, scope_.compiled().period, 900, now_ / kSecond);
  collect();
  answer(questions[1], "401 memory");
  const auto of_day = ask(&commands);
  EXPECT_THAT(commands, HasSubstr("aa.1.2"));
  answer(of_day.at(1), "950 memory");
  EXPECT_EQ(admission::spent(*scope_.meter), 950);
}

class ScopeTallyOfConcurrency : public ScopeTallyOf {
 protected:
  ScopeTallyOfConcurrency() : ScopeTallyOf({.concurrency = 3}) {}
  bool begin(admission::Reservation& call) {
    const admission::Governed governed{&scope_.compiled(), scope_.meter.get()};
    return !call.take({&governed, 1}, {}, {.now = now_, .wall = now_ / kSecond});
  }
};

TEST_F(ScopeTallyOfConcurrency, CallsOfOthersCountForAsLongAsTheyAreHeardOf) {
  ASSERT_TRUE(ScopeTally::shares(scope_.compiled()));
  EXPECT_FALSE(ScopeTally::is_used(*scope_.meter));
  admission::Reservation first;
  ASSERT_TRUE(begin(first));
  EXPECT_TRUE(ScopeTally::is_used(*scope_.meter));
  collect();
  std::string commands;
  auto questions = ask(&commands);
  EXPECT_THAT(commands, HasSubstr("llmgw:v2:key:7:running\r\n$4\r\naa.1\r\n$1\r\n1\r\n"));
  ASSERT_EQ(questions.size(), 1u);
  EXPECT_TRUE(tally_->untold());
  answer(questions[0], "2");
  EXPECT_FALSE(tally_->untold());
  admission::Reservation second;
  EXPECT_FALSE(begin(second)) << "two elsewhere and one here";
  // While a call runs, and while calls are refused, it is asked again.
  now_ += 10 * kSecond;
  collect();
  EXPECT_TRUE(tally_->wants(now_));
  answer(ask()[0], "1");
  EXPECT_TRUE(begin(second));
  first.settle({}, {.now = now_, .wall = 0});
  second.settle({}, {.now = now_, .wall = 0});
  collect();
  EXPECT_TRUE(tally_->untold()) << "that there are none any more";
  answer(ask(&commands)[0], "3");
  EXPECT_THAT(commands, HasSubstr("aa.1\r\n$1\r\n0\r\n"));
  EXPECT_FALSE(begin(first));
  now_ += kSecond / 2;
  collect();
  EXPECT_TRUE(tally_->wants(now_));
  // Redis is gone: after a while everyone counts for itself.
  now_ += ScopeTally::kRunningKept;
  collect();
  EXPECT_TRUE(begin(first));
  first.settle({}, {.now = now_, .wall = 0});
}

TEST_F(ScopeTallyOf, TheScriptsTextGoesOutOnce) {
  ASSERT_TRUE(call(1));
  collect();
  Telling telling;
  std::vector<ScopeTally::Question> questions;
  for (int i = 0; i < 3; ++i) ScopeTally::ask(tally_, now_, telling, questions);
  size_t texts = 0;
  for (size_t at = 0; (at = telling.commands().find("$4\r\nEVAL\r\n", at)) != std::string::npos; ++at) ++texts;
  EXPECT_EQ(texts, 2u) << "one of each script";
}

}  // namespace
}  // namespace llmgw::control
