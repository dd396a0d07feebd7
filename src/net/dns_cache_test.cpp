#include "net/dns_cache.h"

#include <gtest/gtest.h>
#include <tuple>

namespace llmgw::net {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using base::Instant;
using Status = DnsAnswer::Status;
using State = DnsName::State;

DnsAnswer found(std::vector<std::string> literals, base::Duration ttl) {
  DnsAnswer answer{.status = Status::found, .ttl = ttl};
  for (const std::string& literal : literals) answer.addresses.push_back(*Address::from_ip(literal, 0));
  return answer;
}

std::vector<std::string> texts(const std::vector<Address>& addresses) {
  std::vector<std::string> list;
  for (const Address& address : addresses) list.push_back(address.ip());
  return list;
}

using Texts = std::vector<std::string>;

TEST(OrderAddresses, InterleavesAndPutsAFamilyWithoutRouteLast) {
  DnsAnswer v6 = found({"2001:db8::1", "2001:db8::2"}, 1s);
  DnsAnswer v4 = found({"192.0.2.1", "192.0.2.2", "192.0.2.3"}, 1s);
  EXPECT_EQ(texts(order_addresses(v6, v4)),
            (Texts{"2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "192.0.2.3"}));
  v6.routable = false;
  EXPECT_EQ(texts(order_addresses(v6, v4)),
            (Texts{"192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2"}));
  v6.routable = true;
  v4.routable = false;
  EXPECT_EQ(texts(order_addresses(v6, v4)).front(), "2001:db8::1");
  EXPECT_EQ(texts(order_addresses({}, v4)).size(), 3u);
}

struct Known : testing::Test {
  DnsOptions options;
  DnsName name;
  Instant now = Instant{} + 1000s;
  uint32_t query = 0;

  void ask() {
    EXPECT_TRUE(name.query_due(now));
    query = name.query_started();
    EXPECT_FALSE(name.query_due(now));
  }
  bool answer(bool v6, DnsAnswer what) { return name.answered(query, v6, std::move(what), now, options); }
};

TEST_F(Known, TtlIsTheSmallestWithinItsBounds) {
  for (auto [v4_ttl, v6_ttl, kept] : {std::tuple{60s, 30s, 30s}, {0s, 60s, 1s}, {86400s, 90000s, 300s}}) {
    name = {};
    ask();
    EXPECT_FALSE(answer(false, found({"192.0.2.1"}, v4_ttl)));
    EXPECT_EQ(name.state(now), State::unknown);
    EXPECT_TRUE(name.half_answered());
    EXPECT_TRUE(answer(true, found({"2001:db8::1"}, v6_ttl)));
    EXPECT_EQ(name.state(now), State::fresh);
    const Resolution resolution = name.resolution(443, now, options);
    EXPECT_EQ(resolution.ttl, kept);
    EXPECT_EQ(resolution.addresses.front().to_string(), "[2001:db8::1]:443");
    EXPECT_FALSE(resolution.stale);
    EXPECT_EQ(name.state(now + kept - 1ns), State::fresh);
    EXPECT_FALSE(name.query_due(now + kept - 1ns));
    EXPECT_EQ(name.state(now + kept), State::stale);
    EXPECT_TRUE(name.query_due(now + kept));
  }
}

TEST_F(Known, TheOtherFamilyMayComeLate) {
  ask();
  answer(false, found({"192.0.2.1"}, 60s));
  EXPECT_TRUE(name.waited_enough(query, now, options));
  EXPECT_EQ(name.resolution(1, now, options).addresses.size(), 1u);
  EXPECT_FALSE(name.waited_enough(query, now, options));
  EXPECT_FALSE(answer(true, found({"2001:db8::1"}, 60s)));
  EXPECT_EQ(name.resolution(1, now, options).addresses.size(), 2u);
  EXPECT_EQ(name.state(now), State::fresh);
}

TEST_F(Known, AnswersOfAnOlderQueryAreDropped) {
  ask();
  answer(false, found({"192.0.2.1"}, 1s));
  name.waited_enough(query, now, options);
  const uint32_t old = query;
  now += 2s;
  ask();
  EXPECT_FALSE(name.answered(old, true, found({"2001:db8::1"}, 60s), now, options));
  answer(false, found({"192.0.2.2"}, 60s));
  EXPECT_TRUE(answer(true, {.status = Status::no_address}));
  EXPECT_EQ(texts(name.resolution(1, now, options).addresses), Texts{"192.0.2.2"});
}

TEST_F(Known, NotFoundIsRememberedAndEndsTheOldAnswer) {
  ask();
  answer(false, found({"192.0.2.1"}, 1s));
  answer(true, {.status = Status::no_address});
  now += 2s;
  ask();
  answer(false, {.status = Status::no_address});
  EXPECT_TRUE(answer(true, {.status = Status::no_address}));
  EXPECT_EQ(name.state(now), State::failed);
  EXPECT_EQ(name.error().code, ErrorCode::name_not_found);
  EXPECT_FALSE(name.query_due(now + options.not_found_ttl - 1ns));
  EXPECT_TRUE(name.query_due(now + options.not_found_ttl));
}

TEST_F(Known, AFailureKeepsTheLastAnswerForAWhile) {
  ask();
  answer(false, found({"192.0.2.1"}, 60s));
  answer(true, {.status = Status::no_address});
  const Instant expiry = now + 60s;
  now = expiry;
  ask();
  EXPECT_EQ(name.state(now), State::stale);
  EXPECT_FALSE(name.failing());
  answer(false, {.status = Status::failed, .reason = "timeout"});
  EXPECT_TRUE(answer(true, {.status = Status::no_address}));
  EXPECT_TRUE(name.failing());
  EXPECT_EQ(name.state(now), State::stale);
  EXPECT_TRUE(name.resolution(1, now, options).stale);
  EXPECT_EQ(name.resolution(1, now, options).ttl, options.failure_ttl);
  EXPECT_FALSE(name.query_due(now));
  now += options.failure_ttl;
  EXPECT_TRUE(name.query_due(now));
  EXPECT_EQ(name.state(expiry + options.stale_limit - 1ns), State::stale);
  EXPECT_NE(name.state(expiry + options.stale_limit), State::stale);
}

TEST_F(Known, WithoutAnOldAnswerAFailureIsAnError) {
  ask();
  answer(false, {.status = Status::failed, .reason = "timeout"});
  EXPECT_TRUE(answer(true, {.status = Status::no_address}));
  EXPECT_EQ(name.state(now), State::failed);
  EXPECT_EQ(name.error().code, ErrorCode::unreachable);
  EXPECT_STREQ(name.error().context, "timeout");
}

TEST_F(Known, AnOwnLackIsNoFailureOfTheServers) {
  ask();
  answer(false, {.status = Status::failed, .reason = "no descriptor", .error = ErrorCode::exhausted});
  EXPECT_TRUE(answer(true, {.status = Status::no_address}));
  EXPECT_EQ(name.error().code, ErrorCode::exhausted);
}

TEST_F(Known, AddressesAreBounded) {
  ask();
  DnsAnswer many = found({}, 1s);
  many.addresses.assign(100, *Address::from_ip("192.0.2.1", 0));
  answer(false, std::move(many));
  answer(true, {.status = Status::no_address});
  EXPECT_EQ(name.resolution(1, now, options).addresses.size(), kDnsAddressesMax);
}

}  // namespace
}  // namespace llmgw::net
