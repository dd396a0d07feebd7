#include "control/sharing/survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace llmgw::control {
namespace {

using admission::kSecond;
using admission::Nanoseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class SurveyOf : public testing::Test {
 protected:
  static void add(Snapshot& snapshot, size_t count, uint64_t first_identity) {
    for (size_t i = 0; i < count; ++i) {
      snapshot.scopes.push_back(
          {.kind = ScopeKind::key, .identity = first_identity + i, .name = "k", .set = nullptr, .meter = nullptr});
    }
  }
  std::vector<size_t> next() {
    items_ = survey_.next(now_, [this](size_t scope) { return std::ranges::find(known_, scope) == known_.end(); });
    std::vector<size_t> scopes;
    for (const Survey::Item& item : items_) scopes.push_back(item.scope);
    std::ranges::sort(scopes);
    return scopes;
  }

  Survey survey_;
  Nanoseconds now_ = 1000 * kSecond;
  std::vector<size_t> known_;  // scopes that need no question
  std::vector<Survey::Item> items_;
};

TEST_F(SurveyOf, AllAreAskedAboutAtOnceAndThenOnceARound) {
  Snapshot snapshot;
  add(snapshot, 4, 100);
  survey_.adopt(snapshot, nullptr);
  known_ = {2};
  EXPECT_FALSE(survey_.complete());
  EXPECT_THAT(next(), ElementsAre(0, 1, 3));
  EXPECT_TRUE(survey_.complete());
  EXPECT_THAT(next(), ElementsAre(0, 1, 3)) << "the first round";
  EXPECT_THAT(next(), IsEmpty());
  now_ += Survey::kRoundInterval;
  known_ = {1, 2};
  EXPECT_THAT(next(), ElementsAre(0, 3));
  EXPECT_THAT(next(), IsEmpty());
}

TEST_F(SurveyOf, WhatWasNotAnsweredIsAskedAgain) {
  Snapshot snapshot;
  add(snapshot, 3, 100);
  survey_.adopt(snapshot, nullptr);
  ASSERT_THAT(next(), SizeIs(3));
  survey_.put_back(items_);
  EXPECT_FALSE(survey_.complete());
  EXPECT_THAT(next(), ElementsAre(0, 1, 2));
  EXPECT_TRUE(survey_.complete());
  // Of a round nothing is put back: the next one has it.
  ASSERT_THAT(next(), SizeIs(3));
  survey_.put_back(items_);
  EXPECT_TRUE(survey_.complete());
}

// Two questions of a scope, its budget and its calls at the same time, are one scope to ask about again: or there would
// be twice as many with every try while Redis is away.
TEST_F(SurveyOf, WhatHadTwoQuestionsIsPutBackOnce) {
  Snapshot snapshot;
  add(snapshot, 3, 100);
  survey_.adopt(snapshot, nullptr);
  ASSERT_THAT(next(), SizeIs(3));
  std::vector<Survey::Item> questions;
  for (const Survey::Item& item : items_) questions.insert(questions.end(), 2, item);
  survey_.put_back(questions);
  EXPECT_THAT(next(), ElementsAre(0, 1, 2));
  EXPECT_TRUE(survey_.complete());
}

TEST_F(SurveyOf, AReloadAsksFirstAboutWhatIsNew) {
  Snapshot one;
  add(one, 2, 100);
  survey_.adopt(one, nullptr);
  ASSERT_THAT(next(), SizeIs(2));
  Snapshot two;
  add(two, 1, 500);
  add(two, 2, 100);
  survey_.adopt(two, &one);
  EXPECT_FALSE(survey_.complete());
  EXPECT_THAT(next(), ElementsAre(0));
  EXPECT_TRUE(survey_.complete());
  // What the one before did not come to is still to be asked about.
  Snapshot three;
  add(three, 2, 900);
  survey_.adopt(three, &two);
  Snapshot four;
  add(four, 3, 900);
  survey_.adopt(four, &three);
  EXPECT_THAT(next(), ElementsAre(0, 1, 2));
}

TEST_F(SurveyOf, VeryManyTakeSeveralExchanges) {
  Snapshot snapshot;
  add(snapshot, Survey::kFirstMax + 10, 1);
  survey_.adopt(snapshot, nullptr);
  EXPECT_THAT(next(), SizeIs(Survey::kFirstMax));
  EXPECT_FALSE(survey_.complete());
  EXPECT_THAT(next(), SizeIs(10));
  EXPECT_TRUE(survey_.complete());
  EXPECT_THAT(next(), SizeIs(Survey::kLaterMax));
  EXPECT_THAT(next(), SizeIs(Survey::kLaterMax)) << "the round goes on at once";
}

}  // namespace
}  // namespace llmgw::control
