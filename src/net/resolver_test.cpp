#include "net/resolver.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "base/temporary_directory.h"
#include "net/dns_test_server.h"
#include "net/io.h"

namespace llmgw::net {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using base::Result;
using Behaviour = TestDnsRecord::Behaviour;

constexpr base::Duration kPatience = 60s;  // only a broken test waits so long
constexpr base::Duration kShort = 200ms;   // how long an answer is remembered at least
constexpr int kTries = 20;                 // of what must be done in that time

class ResolverTest : public testing::Test {
 public:
  TestDnsServer server_;
  Loop loop_{make_epoll_poller(), 1};
  DnsOptions options_;
  std::unique_ptr<Resolver> resolver_;
  TaskGroup tasks_;

  ResolverTest() {
    options_.servers = {server_.address()};
    options_.search_domains = false;
    options_.query_timeout = 20s;  // a server that is only slow is not asked again
    options_.tries = 2;
    options_.ttl_min = kShort;  // what a TTL of 0 becomes
    options_.failure_ttl = kShort;
    open();
  }
  void open() { resolver_ = std::move(*make_dns_resolver(loop_, options_)); }

  template <class F>
  void run(F body) {
    bool done = false;
    tasks_.spawn([](F function, bool& finished) -> Task<void> {
      co_await function();
      finished = true;
    }(std::move(body), done));
    loop_.run_until([&] { return done; });
  }
  Wait within(base::Duration duration) { return {.deadline = loop_.now() + duration}; }

  static std::string text_of(const Result<Resolution>& result) {
    if (!result) return std::string(to_string(result.error().code));
    std::string text;
    for (const Address& address : result->addresses) text += (text.empty() ? "" : " ") + address.to_string();
    return text;
  }
  Task<std::string> ask(std::string name) {
    auto result = co_await resolver_->resolve(name, 80, within(kPatience));
    co_return text_of(result);
  }
  void expect(const std::string& name, const std::string& expected) {
    run([&]() -> Task<void> {
      const std::string text = co_await ask(name);
      EXPECT_EQ(text, expected) << name;
    });
  }
};

TEST_F(ResolverTest, LiteralsAndLocalhostNeedNoQuery) {
  expect("192.0.2.7", "192.0.2.7:80");
  expect("[2001:db8::7]", "[2001:db8::7]:80");
  expect("::1", "[::1]:80");
  expect("localhost", "127.0.0.1:80 [::1]:80");
  expect("LOCALHOST.", "127.0.0.1:80 [::1]:80");
  expect("engine.localhost", "127.0.0.1:80 [::1]:80");
  for (const char* name : {"", "a b", "under/slash", ".leading", "per%cent"}) expect(name, "invalid_argument");
  expect(std::string(254, 'a'), "invalid_argument");
  EXPECT_EQ(server_.queries("localhost"), 0);
}

TEST_F(ResolverTest, BothFamiliesInOneAnswer) {
  server_.set("two.test", {.addresses = {"127.0.0.1", "127.0.0.2"}, .ttl_s = 60});
  expect("two.test", "127.0.0.1:80 127.0.0.2:80");
  server_.set("both.test", {.addresses = {"127.0.0.1", "::1"}});
  run([&]() -> Task<void> {
    auto result = co_await resolver_->resolve("both.test", 443, within(kPatience));
    EXPECT_EQ(result->addresses.size(), 2u);
    EXPECT_EQ(result->addresses[0].port(), 443);
  });
  server_.set("six.test", {.addresses = {"2001:db8::1"}});
  expect("six.test", "[2001:db8::1]:80");
}

TEST_F(ResolverTest, KeepsAnAnswerForItsTtl) {
  bool in_time = false;
  for (int i = 0; i < kTries && !in_time; ++i) {
    const std::string name = "short-" + std::to_string(i) + ".test";
    server_.set(name, {.addresses = {"127.0.0.1"}, .ttl_s = 0});
    std::string seen;
    base::Duration took{};
    run([&]() -> Task<void> {
      const base::Instant start = base::real_now();
      seen = co_await ask(name);
      seen += " " + co_await ask("SHORT" + name.substr(5));
      server_.set(name, {.addresses = {"127.0.0.9"}, .ttl_s = 0});
      seen += " " + co_await ask(name);
      took = base::real_now() - start;
    });
    if (took >= kShort) continue;
    in_time = true;
    EXPECT_EQ(seen, "127.0.0.1:80 127.0.0.1:80 127.0.0.1:80");
    EXPECT_EQ(server_.queries(name), 2);
    run([&]() -> Task<void> { co_await sleep_for(loop_, kShort + 20ms); });
    expect(name, "127.0.0.9:80");
    EXPECT_EQ(server_.queries(name), 4);
  }
  EXPECT_TRUE(in_time);
}

TEST_F(ResolverTest, TtlOfAnAliasCounts) {
  server_.set("alias.test", {.addresses = {"127.0.0.1"}, .ttl_s = 20, .alias = "real.test"});
  run([&]() -> Task<void> {
    auto result = co_await resolver_->resolve("alias.test", 80, within(kPatience));
    EXPECT_EQ(text_of(result), "127.0.0.1:80");
    EXPECT_LE(result->ttl, 20s);
    EXPECT_GT(result->ttl, 10s);
  });
}

TEST_F(ResolverTest, NotFoundIsRemembered) {
  options_.not_found_ttl = kShort;
  open();
  bool in_time = false;
  for (int i = 0; i < kTries && !in_time; ++i) {
    const std::string name = "missing-" + std::to_string(i) + ".test";
    const base::Instant start = base::real_now();
    expect(name, "name_not_found");
    const int asked = server_.queries(name);
    expect(name, "name_not_found");
    const int asked_again = server_.queries(name);
    if (base::real_now() - start >= kShort) continue;
    in_time = true;
    EXPECT_EQ(asked_again, asked);
    server_.set(name, {.addresses = {"127.0.0.1"}});
    run([&]() -> Task<void> { co_await sleep_for(loop_, kShort + 50ms); });
    expect(name, "127.0.0.1:80");
  }
  EXPECT_TRUE(in_time);
  server_.set("empty.test", {});
  expect("empty.test", "name_not_found");
}

TEST_F(ResolverTest, OneQueryServesAllWhoWait) {
  server_.set("shared.test", {.behaviour = Behaviour::silent_for_v6, .addresses = {"127.0.0.1"}});
  std::vector<std::string> answers;
  run([&]() -> Task<void> {
    for (int i = 0; i < 20; ++i) {
      tasks_.spawn([](ResolverTest& test, std::vector<std::string>& texts) -> Task<void> {
        std::string text = co_await test.ask("shared.test");
        texts.push_back(std::move(text));
      }(*this, answers));
    }
    while (answers.size() < 20) co_await sleep_for(loop_, 1ms);
  });
  for (const std::string& text : answers) EXPECT_EQ(text, "127.0.0.1:80");
  EXPECT_EQ(server_.queries("shared.test"), 2);
}

TEST_F(ResolverTest, AFamilyThatDoesNotAnswerDelaysLittle) {
  server_.set("half.test", {.behaviour = Behaviour::silent_for_v6, .addresses = {"127.0.0.1"}});
  run([&]() -> Task<void> {
    const auto start = loop_.now();
    EXPECT_EQ(co_await ask("half.test"), "127.0.0.1:80");
    EXPECT_LT(loop_.now() - start, options_.query_timeout);
    EXPECT_GE(loop_.now() - start, 50ms);
  });
}

TEST_F(ResolverTest, SilenceIsUnreachableAfterTheTries) {
  options_.query_timeout = 150ms;
  options_.failure_ttl = kPatience;
  open();
  server_.set("silent.test", {.behaviour = Behaviour::silent});
  run([&]() -> Task<void> {
    const auto start = loop_.now();
    EXPECT_EQ(co_await ask("silent.test"), "unreachable");
    EXPECT_GE(loop_.now() - start, 300ms);
    EXPECT_LT(loop_.now() - start, kPatience);
    EXPECT_EQ(server_.queries("silent.test"), 4);
    // At once, from memory.
    EXPECT_EQ(co_await ask("silent.test"), "unreachable");
    EXPECT_EQ(server_.queries("silent.test"), 4);
  });
}

TEST_F(ResolverTest, TheCallersDeadlineAndCancellationEndTheWaitNotTheQuery) {
  options_.query_timeout = 3s;  // until the second try: longer than what comes before it
  open();
  server_.set("slow.test", {.behaviour = Behaviour::silent});
  run([&]() -> Task<void> {
    auto late = co_await resolver_->resolve("slow.test", 80, within(20ms));
    EXPECT_EQ(late.error().code, ErrorCode::deadline_exceeded);
    Cancellation cancellation;
    tasks_.spawn([](Loop& loop, Cancellation& which) -> Task<void> {
      co_await sleep_for(loop, 5ms);
      which.cancel();
    }(loop_, cancellation));
    auto cancelled = co_await resolver_->resolve("slow.test", 80, {.cancellation = &cancellation});
    EXPECT_EQ(cancelled.error().code, ErrorCode::cancelled);
    EXPECT_EQ(server_.queries("slow.test"), 2);
    // The answer to the second try is there for the next who asks.
    server_.set("slow.test", {.addresses = {"127.0.0.1"}});
    EXPECT_EQ(co_await ask("slow.test"), "127.0.0.1:80");
    EXPECT_EQ(server_.queries("slow.test"), 4);
  });
}

TEST_F(ResolverTest, TheLastAnswerServesWhileTheDnsFails) {
  options_.patience = 100ms;
  options_.query_timeout = 1s;
  open();
  for (auto failure : {Behaviour::fails, Behaviour::silent}) {
    bool in_time = false;
    for (int i = 0; i < kTries && !in_time; ++i) {
      const std::string name = (failure == Behaviour::fails ? "fails-" : "dies-") + std::to_string(i) + ".test";
      server_.set(name, {.addresses = {"127.0.0.1"}, .ttl_s = 0});
      expect(name, "127.0.0.1:80");
      server_.set(name, {.behaviour = failure});
      run([&]() -> Task<void> {
        co_await sleep_for(loop_, kShort + 20ms);
        const base::Instant start = base::real_now();
        auto result = co_await resolver_->resolve(name, 80, within(kPatience));
        in_time = base::real_now() - start < 900ms;  // less than a query may take
        EXPECT_EQ(text_of(result), "127.0.0.1:80");
        EXPECT_TRUE(result->stale);
        server_.set(name, {.addresses = {"127.0.0.2"}});
        const base::Instant limit = loop_.now() + kPatience;
        while (result->stale && loop_.now() < limit) {
          co_await sleep_for(loop_, 50ms);
          result = co_await resolver_->resolve(name, 80, within(kPatience));
        }
        EXPECT_EQ(text_of(result), "127.0.0.2:80");
        EXPECT_FALSE(result->stale);
      });
    }
    EXPECT_TRUE(in_time);
  }
}

TEST_F(ResolverTest, ATruncatedAnswerIsFetchedByTcp) {
  std::vector<std::string> many;
  for (int i = 1; i <= 60; ++i) many.push_back("192.0.2." + std::to_string(i));
  server_.set("large.test", {.behaviour = Behaviour::truncates, .addresses = many});
  run([&]() -> Task<void> {
    auto result = co_await resolver_->resolve("large.test", 80, within(kPatience));
    EXPECT_TRUE(result.has_value());
    if (!result) co_return;
    EXPECT_EQ(result->addresses.size(), 16u);
    EXPECT_EQ(result->addresses.front().ip(), "192.0.2.1");
  });
  EXPECT_GE(server_.tcp_queries(), 1);
}

TEST_F(ResolverTest, GarbageAndForeignAnswersAreIgnored) {
  server_.set("garbage.test", {.behaviour = Behaviour::garbage, .addresses = {"127.0.0.4"}});
  expect("garbage.test", "127.0.0.4:80");
}

TEST_F(ResolverTest, AnUnreachableServerIsUnreachable) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const Address any = *Address::parse("127.0.0.1:0");
  ASSERT_EQ(bind(fd, any.data(), any.size()), 0);
  options_.servers = {*Address::local_of(fd)};
  close(fd);
  open();
  expect("some.test", "unreachable");
}

TEST_F(ResolverTest, TheHostsFileComesFirst) {
  const base::TemporaryDirectory directory;
  const std::string path = directory.file("hosts");
  std::ofstream(path) << "127.0.0.77 pinned.test pin\n";
  setenv("CARES_HOSTS", path.c_str(), 1);
  server_.set("pinned.test", {.addresses = {"192.0.2.1", "2001:db8::1"}});
  expect("pinned.test", "127.0.0.77:80");
  EXPECT_EQ(server_.queries("pinned.test"), 0);
  server_.set("other.test", {.addresses = {"127.0.0.1"}});
  expect("other.test", "127.0.0.1:80");
  unsetenv("CARES_HOSTS");
}

TEST_F(ResolverTest, ForgetsTheLeastRecentlyUsedNames) {
  options_.names_max = 4;
  open();
  for (int i = 0; i < 5; ++i) {
    const std::string name = "n" + std::to_string(i) + ".test";
    server_.set(name, {.addresses = {"127.0.0.1"}});
    expect(name, "127.0.0.1:80");
    expect("n0.test", "127.0.0.1:80");
  }
  EXPECT_EQ(server_.queries("n0.test"), 2);
  EXPECT_EQ(server_.queries("n1.test"), 2);
  expect("n1.test", "127.0.0.1:80");
  EXPECT_EQ(server_.queries("n1.test"), 4);
}

TEST_F(ResolverTest, MayDieWithQueriesUnderWay) {
  server_.set("silent.test", {.behaviour = Behaviour::silent});
  server_.set("half.test", {.behaviour = Behaviour::silent_for_v6, .addresses = {"127.0.0.1"}});
  run([&]() -> Task<void> {
    for (const char* name : {"silent.test", "half.test"}) {
      auto late = co_await resolver_->resolve(name, 80, within(20ms));
      EXPECT_FALSE(late.has_value());
    }
  });
  resolver_.reset();
  run([&]() -> Task<void> { co_await sleep_for(loop_, 100ms); });
}

}  // namespace
}  // namespace llmgw::net
