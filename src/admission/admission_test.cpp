#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "admission/meter_table.h"
#include "admission/reservation.h"

namespace llmgw::admission {
namespace {

constexpr Moment at(Nanoseconds now, int64_t wall = 1'800'000'000) {
  return {.now = now, .wall = wall};
}

struct Scope {
  explicit Scope(const Limits& limits) : compiled(CompiledLimits::of(limits, zones)) {}
  Governed governed() { return {&compiled, &meter}; }
  ZoneCache zones;
  CompiledLimits compiled;
  Meter meter;
};

// One call that ends at once. True: it was let in.
bool call(Scope& scope, Moment moment, Demand demand = {}) {
  Reservation reservation;
  const Governed governed = scope.governed();
  const bool admitted = !reservation.take({&governed, 1}, demand, moment);
  reservation.settle(demand, moment);
  return admitted;
}

Allowance requests_left(std::span<const Governed> scopes) {
  Allowance allowance;
  for (const Governed& scope : scopes) tighten_requests(allowance, scope, 0);
  return allowance;
}

Allowance tokens_left(std::span<const Governed> scopes) {
  Allowance allowance;
  for (const Governed& scope : scopes) tighten_tokens(allowance, scope, 0);
  return allowance;
}

TEST(Admission, ASecondsRequestsMayComeAtOnceAndThenTheRateHolds) {
  Scope scope({.requests_per_second = 5});
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(call(scope, at(1000)));
  Reservation sixth;
  const Governed governed = scope.governed();
  const auto denial = sixth.take({&governed, 1}, {}, at(1000));
  ASSERT_TRUE(denial);
  EXPECT_EQ(denial->dimension, Dimension::requests_per_second);
  EXPECT_EQ(denial->retry_after, kSecond / 5);
  EXPECT_FALSE(sixth.held());
  EXPECT_FALSE(call(scope, at(1000 + kSecond / 5 - 1)));
  EXPECT_TRUE(call(scope, at(1000 + kSecond / 5))) << "what Retry-After said is true";
  EXPECT_EQ(scope.meter.refused.load(), 2u);
}

TEST(Admission, LessThanOneASecondIsOneAtATime) {
  Scope scope({.requests_per_second = 0.5});
  EXPECT_TRUE(call(scope, at(0)));
  EXPECT_FALSE(call(scope, at(2 * kSecond - 1)));
  EXPECT_TRUE(call(scope, at(2 * kSecond)));
}

TEST(Admission, AMinutesRequests) {
  Scope scope({.requests_per_minute = 60});
  int admitted = 0;
  for (Nanoseconds now = 0; now < 2 * kMinute; now += kSecond / 10) admitted += call(scope, at(now)) ? 1 : 0;
  // The window's worth at once, and then the rate.
  EXPECT_NEAR(admitted, 60 + 120, 1);
}

TEST(Admission, TokensAreReservedAndCorrected) {
  Scope scope({.tokens_per_minute = 1000});
  const Governed governed = scope.governed();
  Reservation first;
  ASSERT_FALSE(first.take({&governed, 1}, {.tokens = 900}, at(0)));
  EXPECT_EQ(tokens_left({&governed, 1}).limit, 1000u);
  EXPECT_EQ(tokens_left({&governed, 1}).remaining, 100u);
  EXPECT_FALSE(call(scope, at(0), {.tokens = 200}));
  first.settle({.tokens = 100}, at(0));
  EXPECT_TRUE(call(scope, at(0), {.tokens = 900}));
  EXPECT_FALSE(call(scope, at(0), {.tokens = 1}));
  EXPECT_TRUE(call(scope, at(kMinute), {.tokens = 1000})) << "a minute later all is there again, and no more";
  EXPECT_FALSE(call(scope, at(kMinute), {.tokens = 1}));
}

TEST(Admission, ACallThatUsedMoreThanItReservedLeavesADebt) {
  Scope scope({.tokens_per_minute = 1000});
  const Governed governed = scope.governed();
  Reservation first;
  ASSERT_FALSE(first.take({&governed, 1}, {.tokens = 10}, at(0)));
  first.settle({.tokens = 3000}, at(0));
  EXPECT_FALSE(call(scope, at(kMinute), {.tokens = 1}));
  EXPECT_FALSE(call(scope, at(2 * kMinute), {.tokens = 1}));
  EXPECT_TRUE(call(scope, at(2 * kMinute + kSecond), {.tokens = 10}));
}

TEST(Admission, ACallLargerThanTheLimitWillNeverDo) {
  Scope scope({.tokens_per_minute = 1000});
  const Governed governed = scope.governed();
  Reservation reservation;
  const auto denial = reservation.take({&governed, 1}, {.tokens = 1001}, at(0));
  ASSERT_TRUE(denial);
  EXPECT_EQ(denial->retry_after, cell::kForever);
}

// A call that goes on with another model.
TEST(Admission, WhatIsHeldOfOneScopePassesToAnother) {
  Scope key({.tokens_per_minute = 1000});
  Scope first({.tokens_per_minute = 1000, .concurrency = 1});
  Scope second({.tokens_per_minute = 1000, .concurrency = 1});
  const Governed both[] = {key.governed(), first.governed()};
  const Governed to = second.governed();
  const Governed next[] = {key.governed(), to};
  Reservation call_of_two;
  ASSERT_FALSE(call_of_two.take(both, {.tokens = 500}, at(0)));
  Reservation other;
  ASSERT_FALSE(other.take({&to, 1}, {}, at(0)));
  const auto denial = call_of_two.go_on(next, {.tokens = 800}, {.tokens = 100}, at(0));
  ASSERT_TRUE(denial);
  EXPECT_EQ(denial->scope, 1u);
  EXPECT_EQ(tokens_left({&both[0], 1}).remaining, 500u) << "what was reserved anew is as before";
  EXPECT_EQ(denial->dimension, Dimension::concurrency);
  EXPECT_FALSE(call(first, at(0))) << "it is held as before";
  other.settle({}, at(0));
  ASSERT_FALSE(call_of_two.go_on(next, {.tokens = 500}, {.tokens = 100}, at(0)));
  EXPECT_EQ(tokens_left({&both[0], 1}).remaining, 400u) << "what was used and what is expected";
  EXPECT_EQ(tokens_left({&both[1], 1}).remaining, 900u) << "what was used there";
  EXPECT_TRUE(call(first, at(0)));
  EXPECT_EQ(tokens_left({&to, 1}).remaining, 500u);
  call_of_two.settle({.tokens = 300}, at(0));
  EXPECT_EQ(tokens_left({&to, 1}).remaining, 800u) << "what was used since";
  EXPECT_EQ(tokens_left({&both[0], 1}).remaining, 700u) << "all of it";
  EXPECT_TRUE(call(second, at(0)));
}

TEST(Admission, AScopeMayComeOrGoAlone) {
  Scope scope({.concurrency = 1});
  const Governed governed = scope.governed();
  Reservation reservation;
  ASSERT_FALSE(reservation.go_on({&governed, 1}, {}, {}, at(0)));
  EXPECT_FALSE(call(scope, at(0)));
  ASSERT_FALSE(reservation.go_on({}, {}, {}, at(0)));
  EXPECT_FALSE(reservation.held());
  EXPECT_TRUE(call(scope, at(0)));
}

TEST(Admission, MoneyPassesToo) {
  Scope first({.budget = base::NanoDollars{1000}});
  Scope second({.budget = base::NanoDollars{1000}});
  const Governed from = first.governed();
  const Governed to = second.governed();
  Reservation reservation;
  ASSERT_FALSE(reservation.take({&from, 1}, {.nano_dollars = 600}, at(0)));
  ASSERT_FALSE(reservation.go_on({&to, 1}, {.nano_dollars = 900}, {.nano_dollars = 50}, at(0)));
  EXPECT_EQ(first.meter.charged.load(), 50);
  EXPECT_EQ(second.meter.charged.load(), 900);
  reservation.settle({.nano_dollars = 350}, at(0));
  EXPECT_EQ(first.meter.charged.load(), 50);
  EXPECT_EQ(second.meter.charged.load(), 300);
}

// Another model may cost another price: what is reserved of the scopes above becomes what that may cost.
TEST(Admission, WhatStaysHeldIsReservedAnew) {
  Scope team({.budget = base::NanoDollars{1000}});
  Scope key({.requests_per_minute = 10, .tokens_per_minute = 1000, .budget = base::NanoDollars{2000}});
  const std::array<Governed, 2> scopes = {key.governed(), team.governed()};
  Reservation reservation;
  ASSERT_FALSE(reservation.take(scopes, {.tokens = 100, .nano_dollars = 300}, at(0)));
  const auto dearer = reservation.go_on(scopes, {.tokens = 200, .nano_dollars = 960}, {.nano_dollars = 50}, at(0));
  ASSERT_TRUE(dearer);
  EXPECT_EQ(dearer->dimension, Dimension::budget);
  EXPECT_EQ(dearer->scope, 1u);
  EXPECT_EQ(dearer->retry_after, cell::kForever);
  EXPECT_EQ(spent(team.meter), 300);
  EXPECT_EQ(spent(key.meter), 300);
  EXPECT_EQ(tokens_left(scopes).remaining, 900u);
  const auto longer = reservation.go_on(scopes, {.tokens = 1001, .nano_dollars = 400}, {}, at(0));
  ASSERT_TRUE(longer);
  EXPECT_EQ(longer->dimension, Dimension::tokens_per_minute);
  EXPECT_EQ(spent(key.meter), 300);
  ASSERT_FALSE(reservation.go_on(scopes, {.tokens = 200, .nano_dollars = 900}, {.nano_dollars = 50}, at(0)));
  EXPECT_EQ(spent(team.meter), 950);
  EXPECT_EQ(spent(key.meter), 950);
  EXPECT_EQ(tokens_left(scopes).remaining, 800u);
  ASSERT_FALSE(reservation.go_on(scopes, {.tokens = 10, .nano_dollars = 20}, {.nano_dollars = 50}, at(0)));
  EXPECT_EQ(spent(team.meter), 70) << "a cheaper one";
  EXPECT_EQ(tokens_left(scopes).remaining, 990u);
  EXPECT_EQ(requests_left(scopes).remaining, 9u) << "it is one request";
  reservation.settle({.tokens = 40, .nano_dollars = 90}, at(0));
  EXPECT_EQ(spent(team.meter), 90);
  EXPECT_EQ(spent(key.meter), 90);
  EXPECT_EQ(tokens_left(scopes).remaining, 960u);
}

TEST(Admission, WhatWasReservedInALastPeriodIsReservedAnewInThis) {
  Scope key({.budget = base::NanoDollars{1000}, .budget_period = BudgetPeriod::hour});
  const Governed governed = key.governed();
  Reservation reservation;
  ASSERT_FALSE(reservation.take({&governed, 1}, {.nano_dollars = 600}, at(0, 3599)));
  ASSERT_FALSE(reservation.go_on({&governed, 1}, {.nano_dollars = 500}, {}, at(0, 3600)));
  EXPECT_EQ(spent(key.meter), 500);
  reservation.settle({.nano_dollars = 30}, at(0, 3601));
  EXPECT_EQ(spent(key.meter), 30);
}

// Whatever is denied on the way, in the end there is what was used, and nothing is held.
TEST(Admission, CallsThatGoOnLeaveNothingBehind) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    std::deque<Scope> all;
    for (int i = 0; i < 6; ++i) {
      all.emplace_back(Limits{.tokens_per_minute = 2000, .concurrency = 4, .budget = base::NanoDollars{3000}});
    }
    const auto some = [&] {
      std::vector<Governed> chosen;
      for (Scope& scope : all) {
        if (random() % 2 == 0) chosen.push_back(scope.governed());
      }
      return chosen;
    };
    std::map<const Meter*, Demand> expected;
    std::vector<Governed> under = some();
    Reservation reservation;
    if (reservation.take(under, {.tokens = random() % 900, .nano_dollars = int64_t(random() % 900)}, at(0))) continue;
    Demand used;
    for (int step = 0; step < 6; ++step) {
      const Demand more{.tokens = random() % 90, .nano_dollars = int64_t(random() % 90)};
      used = {.tokens = used.tokens + more.tokens, .nano_dollars = used.nano_dollars + more.nano_dollars};
      for (const Governed& each : under) {
        expected[each.meter].tokens += more.tokens;
        expected[each.meter].nano_dollars += more.nano_dollars;
      }
      std::vector<Governed> next = some();
      const Demand demand{.tokens = random() % 2500, .nano_dollars = int64_t(random() % 3500)};
      if (!reservation.go_on(next, demand, used, at(0))) under = std::move(next);
    }
    reservation.settle(used, at(0));
    for (Scope& scope : all) {
      const Demand& own = expected[&scope.meter];
      EXPECT_EQ(scope.meter.running.load(), 0);
      EXPECT_EQ(spent(scope.meter), own.nano_dollars);
      EXPECT_EQ(scope.meter.taken.tokens.load(), token_cost(own.tokens, 2000));
    }
  }
}

TEST(Admission, Concurrency) {
  Scope scope({.concurrency = 2});
  const Governed governed = scope.governed();
  std::deque<Reservation> calls(3);
  EXPECT_FALSE(calls[0].take({&governed, 1}, {}, at(0)));
  EXPECT_FALSE(calls[1].take({&governed, 1}, {}, at(0)));
  EXPECT_EQ(calls[2].take({&governed, 1}, {}, at(0))->dimension, Dimension::concurrency);
  calls[0].settle({}, at(0));
  EXPECT_FALSE(calls[2].take({&governed, 1}, {}, at(0)));
}

TEST(Admission, AllOrNothing) {
  Scope team({.requests_per_minute = 10, .concurrency = 5, .budget = base::NanoDollars{1000}});
  Scope key({.requests_per_second = 1, .tokens_per_minute = 1000});
  const std::array<Governed, 2> scopes = {team.governed(), key.governed()};
  for (int i = 0; i < 100; ++i) {
    Reservation reservation;
    const auto denial = reservation.take(scopes, {.tokens = 10, .nano_dollars = 10}, at(0));
    EXPECT_EQ(denial.has_value(), i > 0);
    if (denial) EXPECT_EQ(denial->scope, 1u);
    reservation.settle({.tokens = 10, .nano_dollars = 10}, at(0));
  }
  // Ninety-nine refusals by the key cost the team nothing.
  EXPECT_EQ(cell::left(team.meter.minute_word, kMinute, 10, 0).count, 9u);
  EXPECT_EQ(team.meter.running.load(), 0);
  EXPECT_EQ(spent(team.meter), 10);
}

TEST(Admission, ABudgetIsReservedAndSettled) {
  Scope scope({.budget = base::NanoDollars{1000}});
  const Governed governed = scope.governed();
  Reservation first;
  ASSERT_FALSE(first.take({&governed, 1}, {.nano_dollars = 900}, at(0)));
  Reservation second;
  const auto denial = second.take({&governed, 1}, {.nano_dollars = 200}, at(0));
  ASSERT_TRUE(denial);
  EXPECT_EQ(denial->dimension, Dimension::budget);
  first.settle({.nano_dollars = 300}, at(0));
  EXPECT_EQ(spent(scope.meter), 300);
  EXPECT_TRUE(call(scope, at(0), {.nano_dollars = 700}));
  EXPECT_EQ(spent(scope.meter), 1000);
  EXPECT_FALSE(call(scope, at(0), {})) << "nothing is left, not even for a call of unknown price";
}

TEST(Admission, ABudgetOfNothingAllowsNothing) {
  Scope scope({.budget = base::NanoDollars{0}});
  EXPECT_FALSE(call(scope, at(0), {}));
}

// Nobody is told to wait for what no period will bring.
TEST(Admission, WhatABudgetNeverAllowsIsNotWorthWaitingFor) {
  const auto wait = [](int64_t budget, int64_t cost) {
    Scope scope({.budget = base::NanoDollars{budget}});
    const Governed governed = scope.governed();
    return Reservation().take({&governed, 1}, {.nano_dollars = cost}, at(0))->retry_after;
  };
  EXPECT_EQ(wait(0, 0), cell::kForever);
  EXPECT_EQ(wait(0, 1), cell::kForever);
  EXPECT_EQ(wait(1000, 1001), cell::kForever);
}

TEST(Admission, ANewPeriodBeginsWithNothingSpent) {
  constexpr int64_t kNewYear = 1'798'761'600;  // 2027-01-01T00:00:00Z
  Scope scope({.budget = base::NanoDollars{1000}, .budget_period = BudgetPeriod::month});
  const Governed governed = scope.governed();
  EXPECT_TRUE(call(scope, at(0, kNewYear - 10), {.nano_dollars = 400}));
  Reservation over_midnight;
  ASSERT_FALSE(over_midnight.take({&governed, 1}, {.nano_dollars = 600}, at(0, kNewYear - 1)));
  Reservation refused;
  EXPECT_EQ(refused.take({&governed, 1}, {.nano_dollars = 1}, at(0, kNewYear - 1))->retry_after, kSecond);
  over_midnight.settle({.nano_dollars = 500}, at(0, kNewYear));
  EXPECT_EQ(spent(scope.meter), 500) << "a call belongs to the period in which it ends";
  EXPECT_TRUE(call(scope, at(0, kNewYear), {.nano_dollars = 500}));
  EXPECT_FALSE(call(scope, at(0, kNewYear), {.nano_dollars = 1}));
}

TEST(Admission, AChangedLimitKeepsWhatWasUsed) {
  const auto left_of = [](const Scope& scope) {
    return cell::left(scope.meter.minute_word, kMinute, scope.compiled.minute.limit, 0).count;
  };
  Scope few({.requests_per_minute = 3});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(call(few, at(0)));
  Scope many({.requests_per_minute = 600});
  many.meter.minute_word = few.meter.minute_word.load();
  const auto few_cost = static_cast<double>(few.compiled.minute.interval);
  const auto many_cost = static_cast<double>(many.compiled.minute.interval);
  cell::rescale(many.meter.minute_word, few_cost, many_cost, kMinute, 0);
  EXPECT_EQ(left_of(many), 597u);
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(call(many, at(0)));
  few.meter.minute_word = many.meter.minute_word.load();
  cell::rescale(few.meter.minute_word, many_cost, few_cost, kMinute, 0);
  EXPECT_EQ(left_of(few), 0u);
  EXPECT_EQ(few.meter.minute_word.load(), kMinute) << "all of it, and no debt of hours";
  few.meter.minute_word = -5;
  cell::rescale(few.meter.minute_word, many_cost, few_cost, kMinute, 0);
  EXPECT_EQ(few.meter.minute_word.load(), -5) << "nothing is in use";
}

TEST(Admission, WhatMayBeBookedLateIsWaitedFor) {
  Scope scope({.requests_per_second = 2, .tokens_per_minute = 100});
  scope.meter.taken.lateness = 70;
  const Governed governed = scope.governed();
  Reservation first;
  Reservation second;
  Reservation third;
  ASSERT_FALSE(first.take({&governed, 1}, {}, at(0)));
  ASSERT_FALSE(second.take({&governed, 1}, {}, at(0)));
  EXPECT_EQ(third.take({&governed, 1}, {}, at(0))->retry_after, kSecond / 2 + 70);
  EXPECT_EQ(third.take({&governed, 1}, {.tokens = 101}, at(kSecond))->retry_after, cell::kForever);
}

TEST(Admission, AnotherPeriodBeginsWithWhatIsKnownOfIt) {
  Scope by_month({.budget = base::NanoDollars{100}, .budget_period = BudgetPeriod::month});
  const CompiledLimits by_hour =
      CompiledLimits::of({.budget = base::NanoDollars{100}, .budget_period = BudgetPeriod::hour}, by_month.zones);
  EXPECT_NE(by_hour.period.id(), by_month.compiled.period.id());
  Meter& meter = by_month.meter;
  constexpr int64_t kWall = 1'800'000'000;
  ASSERT_TRUE(call(by_month, at(1, kWall), {.nano_dollars = 85}));
  EXPECT_EQ(meter.taken.rule.load(), by_month.compiled.period.id());
  Reservation running;
  const Governed old = by_month.governed();
  ASSERT_FALSE(running.take({&old, 1}, {.nano_dollars = 10}, at(2, kWall)));

  change_period(meter, by_hour.period, 30, kWall);
  EXPECT_EQ(spent(meter), 30);
  const Governed now{&by_hour, &meter};
  Reservation refused;
  const auto denial = refused.take({&now, 1}, {.nano_dollars = 71}, at(3, kWall));
  ASSERT_TRUE(denial);
  EXPECT_EQ(denial->retry_after, (by_hour.period.end_of_period(kWall) - kWall) * kSecond);
  running.settle({.nano_dollars = 8}, at(4, kWall));
  EXPECT_EQ(spent(meter), 38) << "what it had reserved ended with the old period";

  // A call that began by the old rule and ends in a later hour begins no month.
  Reservation late;
  ASSERT_FALSE(late.take({&old, 1}, {.nano_dollars = 1}, at(5, kWall)));
  late.settle({.nano_dollars = 1}, at(6, kWall + 7200));
  EXPECT_LE(meter.period_end.load(), by_hour.period.end_of_period(kWall));
  Reservation next;
  ASSERT_FALSE(next.take({&now, 1}, {.nano_dollars = 100}, at(7, kWall + 7200)));
  EXPECT_EQ(meter.period_end.load(), by_hour.period.end_of_period(kWall + 7200));
}

TEST(Admission, NothingOverflows) {
  Scope scope({.tokens_per_minute = 1, .budget = base::NanoDollars{INT64_MAX}});
  EXPECT_FALSE(call(scope, at(INT64_MAX / 4), {.tokens = UINT64_MAX}));
  Scope rich({.budget = base::NanoDollars{INT64_MAX}});
  EXPECT_TRUE(call(rich, at(0), {.nano_dollars = INT64_MAX}));
  EXPECT_FALSE(call(rich, at(0), {.nano_dollars = 1}));
  EXPECT_EQ(token_cost(1, 1'000'000'000'000), 1);
}

// Small numbers are divided in 64 bits, large ones in 128: where they meet, and beyond.
TEST(Admission, TheCostOfTokensIsExactWhateverTheirNumber) {
  constexpr uint64_t kMeet = (uint64_t{1} << 62) / static_cast<uint64_t>(kMinute);
  constexpr unsigned __int128 kYear = static_cast<unsigned __int128>(kMinute) * 60 * 24 * 365;
  for (const uint64_t tokens : {uint64_t{0}, uint64_t{1}, uint64_t{999}, kMeet - 1, kMeet, kMeet + 1, UINT64_MAX / 3}) {
    for (const uint64_t limit : {uint64_t{1}, uint64_t{7}, uint64_t{60'000'000'000}, uint64_t{1} << 62, UINT64_MAX}) {
      const auto product = static_cast<unsigned __int128>(tokens) * static_cast<uint64_t>(kMinute);
      const auto exact = std::min((product + limit - 1) / limit, kYear);
      EXPECT_EQ(token_cost(tokens, limit), static_cast<Nanoseconds>(exact)) << tokens << " of " << limit;
    }
  }
}

TEST(Admission, RemainingIsWhatTheTightestScopeHas) {
  Scope team({.requests_per_minute = 100, .tokens_per_minute = 500});
  Scope key({.requests_per_minute = 10, .tokens_per_minute = 5000});
  const std::array<Governed, 2> scopes = {team.governed(), key.governed()};
  Reservation reservation;
  ASSERT_FALSE(reservation.take(scopes, {.tokens = 100}, at(0)));
  EXPECT_EQ(requests_left(scopes).limit, 10u);
  EXPECT_EQ(requests_left(scopes).remaining, 9u);
  EXPECT_EQ(requests_left(scopes).reset, 6 * kSecond);
  EXPECT_EQ(tokens_left(scopes).limit, 500u);
  EXPECT_EQ(tokens_left(scopes).remaining, 400u);
}

// However much calls are said to have used: what was spent only stays the most, and the next period begins with
// nothing.
TEST(Admission, AbsurdUseOverflowsNothing) {
  std::mt19937_64 random(11);
  Scope scope({.tokens_per_minute = 1, .budget = base::NanoDollars{INT64_MAX}, .budget_period = BudgetPeriod::hour});
  const Governed governed = scope.governed();
  for (int hour = 1; hour < 50; ++hour) {
    const int64_t wall = hour * 3600;
    std::deque<Reservation> calls(8);
    for (Reservation& call : calls) ASSERT_FALSE(call.take({&governed, 1}, {}, at(0, wall)));
    __int128 expected = 0;
    for (Reservation& call : calls) {
      const auto nano = static_cast<int64_t>(random() >> (1 + random() % 8));
      call.settle({.tokens = random(), .nano_dollars = nano}, at(0, wall));
      expected = std::min<__int128>(expected + nano, INT64_MAX);
      EXPECT_EQ(spent(scope.meter), static_cast<int64_t>(expected));
    }
    EXPECT_EQ(call(scope, at(kMinute, wall)), false) << "tokens are used up for as long as can be said";
    EXPECT_LE(scope.meter.token_word.load(), cell::kAheadMax);
    EXPECT_GT(scope.meter.token_word.load(), 0);
    scope.meter.token_word = 0;
  }
}

// Random operations against a reference that knows nothing of words and windows: it adds up what is in a bucket.
TEST(Admission, AgreesWithAPlainModel) {
  struct Bucket {
    double level = 0;
    Nanoseconds seen = 0;
    void drain(Nanoseconds now, double per_minute) {
      level = std::max(0.0, level - static_cast<double>(now - seen) * per_minute / static_cast<double>(kMinute));
      seen = now;
    }
  };
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    Scope scope({.requests_per_minute = 600, .tokens_per_minute = 60'000, .concurrency = 7});
    const Governed governed = scope.governed();
    Bucket requests;
    Bucket tokens;
    std::deque<std::pair<Reservation, uint64_t>> running;
    Nanoseconds now = 0;
    int disagreements = 0;
    for (int step = 0; step < 5000; ++step) {
      now += static_cast<Nanoseconds>(random() % 200'000'000);
      requests.drain(now, 600);
      tokens.drain(now, 60'000);
      if (random() % 3 != 0 || running.empty()) {
        const uint64_t wanted = random() % 3000;
        const bool expected =
            running.size() < 7 && requests.level + 1 <= 600 && tokens.level + static_cast<double>(wanted) <= 60'000;
        auto& entry = running.emplace_back();
        entry.second = wanted;
        const bool admitted = !entry.first.take({&governed, 1}, {.tokens = wanted}, at(now));
        // Rounding may turn the last token over.
        if (admitted != expected) ++disagreements;
        if (!admitted) {
          running.pop_back();
          continue;
        }
        requests.level += 1;
        tokens.level += static_cast<double>(wanted);
      } else {
        const uint64_t used = random() % 4000;
        tokens.level += static_cast<double>(used) - static_cast<double>(running.front().second);
        running.front().first.settle({.tokens = used}, at(now));
        running.pop_front();
      }
    }
    EXPECT_LE(disagreements, 5) << "seed " << seed;
    EXPECT_EQ(scope.meter.running.load(), static_cast<int64_t>(running.size()));
  }
}

// What may pass is exact over all threads, and nothing is left behind.
TEST(AdmissionRaces, LimitsHoldOverAllThreads) {
  constexpr int kThreads = 4;
  constexpr int kCalls = 5000;
  Scope organization({.requests_per_minute = 1000, .tokens_per_minute = 100'000, .concurrency = 3});
  Scope key({.requests_per_minute = 700, .budget = base::NanoDollars{100'000}});
  const std::array<Governed, 2> scopes = {organization.governed(), key.governed()};
  std::atomic<int> admitted = 0;
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kCalls; ++n) {
        Reservation reservation;
        if (reservation.take(scopes, {.tokens = 10, .nano_dollars = 20}, at(0))) continue;
        const int now_running = running.fetch_add(1) + 1;
        int seen = most.load();
        while (seen < now_running && !most.compare_exchange_weak(seen, now_running)) {
        }
        admitted.fetch_add(1);
        running.fetch_sub(1);
        reservation.settle({.tokens = 10, .nano_dollars = 20}, at(0));
      }
    });
  }
  threads.clear();
  EXPECT_EQ(admitted.load(), 700);
  EXPECT_LE(most.load(), 3);
  EXPECT_EQ(organization.meter.running.load(), 0);
  EXPECT_EQ(spent(key.meter), 700 * 20);
  EXPECT_EQ(cell::left(organization.meter.minute_word, kMinute, 1000, 0).count, 300u);
  EXPECT_EQ(cell::left(organization.meter.token_word, kMinute, 100'000, 0).count, 93'000u);
}

TEST(AdmissionRaces, OnePeriodBeginsOnce) {
  for (int round = 0; round < 50; ++round) {
    Scope scope({.budget = base::NanoDollars{1'000'000}, .budget_period = BudgetPeriod::hour});
    EXPECT_TRUE(call(scope, at(0, 3599), {.nano_dollars = 1'000'000}));
    std::atomic<int> admitted = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 50; ++n) {
          while (!call(scope, at(0, 3600), {.nano_dollars = 1000})) {
          }
          admitted.fetch_add(1);
        }
      });
    }
    threads.clear();
    EXPECT_EQ(admitted.load(), 200);
    // What was charged between the two steps of a roll counts for the old period: at most the threads' calls.
    EXPECT_GE(spent(scope.meter), 200 * 1000 - 4 * 1000);
    EXPECT_LE(spent(scope.meter), 200 * 1000);
  }
}

TEST(MeterTable, WhatIsUsedOutlivesItsConfiguration) {
  MeterTable table;
  table.get(7)->charged = 5;
  EXPECT_EQ(table.get(7)->charged.load(), 5);
  EXPECT_EQ(table.get(8)->charged.load(), 0);
  EXPECT_EQ(table.size(), 2u);
}

}  // namespace
}  // namespace llmgw::admission
