// Which addresses a dialer tries, and when: over a network that only pretends.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdlib>
#include <map>

#include "net/dial.h"
#include "net/io.h"

namespace llmgw::net {
namespace {

using namespace std::chrono_literals;
using base::Duration;
using base::ErrorCode;
using base::Instant;
using base::Result;

class PretendedNetwork : public Network {
 public:
  enum class Answer : uint8_t { accepts, refuses, hangs };
  struct Host {
    Answer answer = Answer::accepts;
    Duration delay{};
  };
  explicit PretendedNetwork(Loop& loop) : loop_(loop) {}

  std::map<std::string, Host> hosts;
  std::vector<std::string> tried;
  int waiting = 0;  // attempts under way

  Task<Result<std::unique_ptr<Stream>>> connect(Address address, Wait wait) override {
    struct Count {
      explicit Count(int& where) : number(where) { ++number; }
      ~Count() { --number; }
      int& number;
    } count(waiting);
    tried.push_back(address.ip());
    const Host host = hosts.at(address.ip());
    if (host.answer == Answer::hangs) {
      CO_TRY_VOID(co_await sleep_until(loop_, wait.deadline, wait.cancellation));
      co_return base::fail(ErrorCode::deadline_exceeded, "connect");
    }
    if (host.delay > 0ns) CO_TRY_VOID(co_await sleep_for(loop_, host.delay, wait.cancellation));
    if (host.answer == Answer::refuses) co_return base::fail(ErrorCode::refused, "connect");
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) std::abort();
    others.push_back(*adopt_stream(loop_, ends[1], address));
    co_return adopt_stream(loop_, ends[0], address);
  }
  Result<std::unique_ptr<Listener>> listen(const Address&, const ListenOptions&) override {
    return base::fail(ErrorCode::unsupported, "test");
  }

 private:
  Loop& loop_;
  std::vector<std::unique_ptr<Stream>> others;
};

class ListResolver : public Resolver {
 public:
  std::vector<std::string> addresses;
  Task<Result<Resolution>> resolve(std::string, uint16_t port, Wait) override {
    Resolution resolution;
    resolution.ttl = 60s;
    for (const std::string& ip : addresses) resolution.addresses.push_back(*Address::from_ip(ip, port));
    co_return resolution;
  }
};

class DialRace : public testing::Test {
 public:
  using Answer = PretendedNetwork::Answer;
  Loop loop_{make_epoll_poller(), 1};
  PretendedNetwork network_{loop_};
  ListResolver resolver_;
  DialOptions options_;
  std::unique_ptr<Dialer> dialer_;
  TaskGroup tasks_;

  // Addresses 192.0.2.1, .2, ... behave as listed.
  void set(std::vector<PretendedNetwork::Host> hosts) {
    for (size_t i = 0; i < hosts.size(); ++i) {
      const std::string ip = "192.0.2." + std::to_string(i + 1);
      network_.hosts[ip] = hosts[i];
      resolver_.addresses.push_back(ip);
    }
    dialer_ = std::make_unique<Dialer>(loop_, network_, resolver_, options_);
  }
  // The address that was connected to, or the error's name.
  std::string dial(Duration limit = 60s, Cancellation* cancellation = nullptr) {
    network_.tried.clear();
    std::string outcome;
    bool done = false;
    tasks_.spawn([](DialRace& race, Wait wait, std::string& text, bool& finished) -> Task<void> {
      const DialTarget target{.host = "any.test", .port = 443};
      auto stream = co_await race.dialer_->dial(target, wait);
      text = stream ? (*stream)->peer().ip() : std::string(to_string(stream.error().code));
      finished = true;
    }(*this, {.deadline = loop_.now() + limit, .cancellation = cancellation}, outcome, done));
    loop_.run_until([&] { return done; });
    EXPECT_EQ(network_.waiting, 0);
    return outcome;
  }
  bool failed(const std::string& ip) { return dialer_->failed().contains(*Address::from_ip(ip, 443), loop_.now()); }
};

using Tried = std::vector<std::string>;

TEST_F(DialRace, TheFirstThatAnswersIsTaken) {
  set({{}, {}});
  EXPECT_EQ(dial(), "192.0.2.1");
  EXPECT_EQ(network_.tried, Tried{"192.0.2.1"});
}

TEST_F(DialRace, ARefusalLeadsToTheNextAtOnce) {
  options_.stagger = 1h;
  set({{Answer::refuses}, {Answer::refuses, 2ms}, {}, {}});
  EXPECT_EQ(dial(), "192.0.2.3");
  EXPECT_EQ(network_.tried, (Tried{"192.0.2.1", "192.0.2.2", "192.0.2.3"}));
  EXPECT_TRUE(failed("192.0.2.1"));
  EXPECT_TRUE(failed("192.0.2.2"));
  // Those that failed are not asked again while another is alive.
  EXPECT_EQ(dial(), "192.0.2.3");
  EXPECT_EQ(network_.tried, Tried{"192.0.2.3"});
}

TEST_F(DialRace, ASlowOneIsJoinedByTheNextAfterTheStagger) {
  options_.stagger = 20ms;
  set({{Answer::hangs}, {}});
  const Instant start = loop_.now();
  EXPECT_EQ(dial(), "192.0.2.2");
  EXPECT_GE(loop_.now() - start, 20ms);
  EXPECT_EQ(network_.tried, (Tried{"192.0.2.1", "192.0.2.2"}));
  // It was not given its time, so nothing is held against it.
  EXPECT_FALSE(failed("192.0.2.1"));
}

TEST_F(DialRace, TheSlowOneMayStillWin) {
  options_.stagger = 5ms;
  set({{Answer::accepts, 40ms}, {Answer::hangs}});
  EXPECT_EQ(dial(), "192.0.2.1");
  EXPECT_EQ(network_.tried.size(), 2u);
}

TEST_F(DialRace, EveryAddressHasItsOwnTime) {
  options_.stagger = 5ms;
  options_.attempt_timeout = 20ms;
  set({{Answer::hangs}, {Answer::hangs}});
  EXPECT_EQ(dial(), "unreachable");
  EXPECT_TRUE(failed("192.0.2.1"));
  EXPECT_TRUE(failed("192.0.2.2"));
  // All have failed: they are tried all the same, and forgiven when they answer.
  network_.hosts["192.0.2.1"].answer = Answer::accepts;
  EXPECT_EQ(dial(), "192.0.2.1");
  EXPECT_FALSE(failed("192.0.2.1"));
}

TEST_F(DialRace, TheCallersDeadlineIsNotTheAddresssFault) {
  set({{Answer::hangs}});
  EXPECT_EQ(dial(20ms), "deadline_exceeded");
  EXPECT_FALSE(failed("192.0.2.1"));
}

TEST_F(DialRace, CancellationEndsAllAttempts) {
  options_.stagger = 1ms;
  set({{Answer::hangs}, {Answer::hangs}, {Answer::hangs}});
  Cancellation cancellation;
  tasks_.spawn([](DialRace& race, Cancellation& which) -> Task<void> {
    while (race.network_.waiting < 3) co_await sleep_for(race.loop_, 1ms);
    which.cancel();
  }(*this, cancellation));
  EXPECT_EQ(dial(60s, &cancellation), "cancelled");
  EXPECT_EQ(network_.tried.size(), 3u);
  EXPECT_FALSE(failed("192.0.2.1"));
}

TEST_F(DialRace, AttemptsAreBounded) {
  options_.attempts_max = 3;
  set({{Answer::refuses}, {Answer::refuses}, {Answer::refuses}, {}});
  EXPECT_EQ(dial(), "refused");
  // But the dead ones make room for the next time.
  EXPECT_EQ(dial(), "192.0.2.4");
}

}  // namespace
}  // namespace llmgw::net
