#include "simulator/faults.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace llmgw::simulator {
namespace {

using namespace std::chrono_literals;

TEST(FaultPlan, ReadsEveryItem) {
  const auto plan = parse_fault_plan(
      "status=503; retry-after=1.5;delay=2s; drip=3:20ms; slow-head=1:100;early; close-idle=50ms; tokens=20; "
      "finish=content_filter; cut=after:5");
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->status, 503);
  EXPECT_EQ(plan->retry_after_seconds, 1.5);
  EXPECT_EQ(plan->delay, 2s);
  EXPECT_EQ(plan->drip->bytes, 3u);
  EXPECT_EQ(plan->drip->interval, 20ms);
  EXPECT_EQ(plan->slow_head->interval, 100ms);
  EXPECT_TRUE(plan->early);
  EXPECT_EQ(plan->close_idle, 50ms);
  EXPECT_EQ(plan->answer.tokens, 20u);
  EXPECT_EQ(plan->answer.finish, Finish::content_filter);
  EXPECT_EQ(plan->kind, FaultKind::cut);
  EXPECT_EQ(plan->after, 5u);
}

TEST(FaultPlan, KindsMayStandAlone) {
  EXPECT_EQ(parse_fault_plan("reset")->kind, FaultKind::reset);
  EXPECT_EQ(parse_fault_plan("hang=after:0")->after, 0u);
  EXPECT_EQ(parse_fault_plan("truncate")->kind, FaultKind::cut);
  EXPECT_EQ(parse_fault_plan("error-event=after:2")->kind, FaultKind::error_event);
  EXPECT_EQ(parse_fault_plan(" garbage ; ")->kind, FaultKind::garbage);
  EXPECT_EQ(parse_fault_plan("garbage-json")->kind, FaultKind::garbage_json);
  EXPECT_EQ(parse_fault_plan("drip")->drip->interval, 1s);
}

TEST(FaultPlan, SaysWhatIsWrong) {
  const auto message = [](std::string_view text) {
    const auto plan = parse_fault_plan(text);
    return plan ? std::string("accepted") : plan.error().message;
  };
  EXPECT_EQ(message(""), "no fault is named");
  EXPECT_EQ(message("explode"), "unknown fault 'explode'");
  EXPECT_EQ(message("status=200"), "status takes a number from 400 to 599");
  EXPECT_EQ(message("cut=5"), "cut takes =after:N");
  EXPECT_EQ(message("garbage=after:5"), "garbage takes no value");
  EXPECT_EQ(message("reset;hang"), "only one of reset, hang, cut, error-event, garbage, garbage-json");
  EXPECT_NE(message("delay=2h"), "accepted");
  EXPECT_NE(message("delay=-1"), "accepted");
  EXPECT_NE(message("delay=nan"), "accepted");
  EXPECT_NE(message("delay=1e300s"), "accepted");
  EXPECT_NE(message("drip=0:1s"), "accepted");
  EXPECT_NE(message("p=0.5; reset"), "accepted") << "only rules have probabilities";
  EXPECT_NE(message(std::string(2000, ';')), "accepted");
}

TEST(FaultRules, CountDownAndSkip) {
  FaultRules rules(1);
  ASSERT_TRUE(rules.add("# a comment\n\nstatus=500; times=2; skip=1\r\n"));
  const FaultRules::Question question{.path = "/v1/chat/completions", .model = "m"};
  EXPECT_FALSE(rules.choose(question));
  EXPECT_EQ(rules.choose(question)->status, 500);
  EXPECT_EQ(rules.list(), "status=500; times=2; skip=1  # 1 left\n");
  EXPECT_EQ(rules.choose(question)->status, 500);
  EXPECT_FALSE(rules.choose(question));
  rules.clear();
  EXPECT_EQ(rules.list(), "");
}

TEST(FaultRules, ApplyToTheirModelPathAndMoment) {
  FaultRules rules(1);
  ASSERT_TRUE(rules.add("status=500; model=a\nstatus=501; path=/health\nearly; status=413"));
  EXPECT_EQ(rules.choose({.path = "/v1/x", .model = "a"})->status, 500);
  EXPECT_FALSE(rules.choose({.path = "/v1/x", .model = "b"}));
  EXPECT_EQ(rules.choose({.path = "/health", .model = {}, .control = true})->status, 501);
  EXPECT_FALSE(rules.choose({.path = "/metrics", .model = {}, .control = true}));
  EXPECT_EQ(rules.choose({.path = "/v1/x", .model = {}, .before_body = true})->status, 413);
  EXPECT_FALSE(rules.add("reset\nnonsense"));
  EXPECT_EQ(rules.list().find("reset"), std::string::npos) << "all or none";
  EXPECT_FALSE(rules.add("early; model=a"));
}

TEST(FaultRules, AreAsLikelyAsSaidAndTheSameForASeed) {
  const auto run = [](uint64_t seed) {
    FaultRules rules(seed);
    EXPECT_TRUE(rules.add("reset; p=0.25"));
    std::string pattern;
    for (int i = 0; i < 4000; ++i) pattern += rules.choose({.path = "/v1/x", .model = {}}) ? 'x' : '.';
    return pattern;
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
  const std::string pattern = run(7);
  const auto faults = std::count(pattern.begin(), pattern.end(), 'x');
  EXPECT_GT(faults, 850);
  EXPECT_LT(faults, 1150);
}

TEST(FaultRules, KeepALimit) {
  FaultRules rules(1);
  std::string lines;
  for (size_t i = 0; i <= kFaultRulesMax; ++i) lines += "reset\n";
  EXPECT_FALSE(rules.add(lines));
}

}  // namespace
}  // namespace llmgw::simulator
