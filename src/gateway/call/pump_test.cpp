#include "gateway/call/pump.h"

#include <gtest/gtest.h>

#include "http/h1_test_world.h"

namespace llmgw::gateway {
namespace {

using namespace std::chrono_literals;
using http::Peer;
using End = PumpResult::End;

// A stream that tells whether it was ended in order.
class Noting final : public net::Stream {
 public:
  Noting(std::unique_ptr<net::Stream> inner, bool& ended)
      : Stream(inner->loop(), inner->readiness(), inner->peer()), inner_(std::move(inner)), ended_(ended) {}
  net::IoResult try_read(std::span<char> buffer) override { return inner_->try_read(buffer); }
  net::IoResult try_write(std::span<const iovec> buffers) override { return inner_->try_write(buffers); }
  void shutdown_write() override {
    ended_ = true;
    inner_->shutdown_write();
  }
  void reset_on_close() override { inner_->reset_on_close(); }

 private:
  std::unique_ptr<net::Stream> inner_;
  bool& ended_;
};

// Two connections joined in the middle; the test speaks both outer ends.
struct Joined {
  net::sim::World world;
  net::Cancellation cancellation;
  std::unique_ptr<Peer> client;
  std::unique_ptr<Peer> server;
  bool done = false;
  PumpResult result;
  net::TaskGroup tasks;

  http::WebSocketWatch from_client;
  http::WebSocketWatch from_server;
  bool client_ended = false;  // by the pump, in order
  bool server_ended = false;

  explicit Joined(const net::sim::Faults& faults = {}, std::string_view early = {}, uint64_t seed = 1) : world(seed) {
    auto [client_end, near_client] = world.network().pair(faults);
    auto [near_server, server_end] = world.network().pair(faults);
    client = std::make_unique<Peer>(world, std::move(client_end));
    server = std::make_unique<Peer>(world, std::move(server_end));
    tasks.spawn(run(std::make_unique<Noting>(std::move(near_client), client_ended),
                    std::make_unique<Noting>(std::move(near_server), server_ended), early));
  }
  ~Joined() { tasks.cancel_all(); }

 private:
  net::Task<void> run(std::unique_ptr<net::Stream> a, std::unique_ptr<net::Stream> b, std::string_view early) {
    result = co_await pump_both_ways(
        {.stream = *a, .early_bytes = early, .write_timeout = 10s, .watch = &from_client, .good_bye = "bye"},
        {.stream = *b, .watch = &from_server}, 30s, cancellation);
    done = true;
  }
};

TEST(Pump, CarriesBothWays) {
  Joined joined({}, "early ");
  joined.client->send("bird");
  EXPECT_EQ(joined.server->receive(), "early bird");
  joined.server->send("worm");
  EXPECT_EQ(joined.client->receive(), "worm");
  EXPECT_FALSE(joined.done);
}

TEST(Pump, NothingIsLostInSmallPipes) {
  net::sim::Faults faults;
  faults.to_server = {.delay_max = 3ms, .write_split = 0.5, .read_split = 0.5, .capacity_min = 60, .capacity_max = 900};
  faults.to_client = faults.to_server;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Joined joined(faults, {}, seed);
    std::string text;
    for (int i = 0; i < 300; ++i) text += "line " + std::to_string(i) + '\n';
    std::string back;
    for (size_t at = 0; at < text.size(); at += 50) {
      joined.client->send(text.substr(at, 50));
      back += joined.server->receive(20ms);
    }
    for (int i = 0; i < 2000 && back.size() < text.size(); ++i) back += joined.server->receive(20ms);
    ASSERT_FALSE(joined.client->failed());
    ASSERT_TRUE(back == text) << joined.world.trace();
  }
}

TEST(Pump, EitherEndEndsBoth) {
  for (const bool by_client : {false, true}) {
    for (const bool hard : {false, true}) {
      Joined joined;
      Peer& leaves = by_client ? *joined.client : *joined.server;
      Peer& stays = by_client ? *joined.server : *joined.client;
      leaves.send("last");
      joined.world.run_for(1ms);
      if (hard) {
        leaves.reset();
      } else {
        leaves.close();
      }
      EXPECT_EQ(stays.receive(), "last");
      EXPECT_TRUE(stays.gone());
      EXPECT_TRUE(joined.done);
      EXPECT_EQ(joined.world.network().open_streams(), 1u);
    }
  }
}

TEST(Pump, TellsHowMuchWentWhichWayAndWhoEnded) {
  for (const bool by_client : {false, true}) {
    for (const bool hard : {false, true}) {
      Joined joined({}, "early ");
      joined.client->send("bird");
      joined.server->send("worm!");
      EXPECT_EQ(joined.server->receive(), "early bird");
      EXPECT_EQ(joined.client->receive(), "worm!");
      Peer& leaves = by_client ? *joined.client : *joined.server;
      hard ? leaves.reset() : leaves.close();
      joined.world.run_for(1ms);
      ASSERT_TRUE(joined.done);
      EXPECT_EQ(joined.result.bytes_from_a, 10u);
      EXPECT_EQ(joined.result.bytes_from_b, 5u);
      const End expected = by_client ? (hard ? End::a_broke : End::a_ended) : (hard ? End::b_broke : End::b_ended);
      EXPECT_EQ(joined.result.end, expected);
      EXPECT_EQ(joined.result.error.code == base::ErrorCode::reset, hard);
    }
  }
}

TEST(Pump, IdlenessAndCancellationEndIt) {
  Joined idle;
  idle.world.run_for(20s);
  idle.client->send("alive");
  EXPECT_EQ(idle.server->receive(), "alive");
  idle.world.run_for(20s);
  EXPECT_FALSE(idle.client->gone()) << "one direction may be silent while the other is not";
  idle.world.run_for(31s);
  EXPECT_TRUE(idle.done);
  EXPECT_EQ(idle.result.end, End::idle);

  Joined stopped;
  stopped.cancellation.cancel();
  stopped.world.run_for(1ms);
  EXPECT_TRUE(stopped.done);
  EXPECT_EQ(stopped.result.end, End::cancelled);
}

TEST(Pump, AGoodByeIsSaidAtTheEndOfADrainWhereAFrameMayBegin) {
  struct Case {
    std::string_view said;
    base::ErrorCode reason;
    bool good_bye;
  };
  constexpr std::string_view kFrame("\x81\x02hi", 4);
  constexpr std::string_view kClose("\x88\x00", 2);
  for (const Case& test :
       {Case{"", base::ErrorCode::cancelled, true}, Case{kFrame, base::ErrorCode::cancelled, true},
        Case{kFrame.substr(0, 3), base::ErrorCode::cancelled, false},
        Case{kFrame.substr(0, 1), base::ErrorCode::cancelled, false}, Case{kClose, base::ErrorCode::cancelled, false},
        Case{kFrame, base::ErrorCode::closed, false}}) {
    Joined joined;
    joined.server->send(test.said);
    EXPECT_EQ(joined.client->receive(), test.said);
    joined.cancellation.cancel(test.reason);
    joined.world.run_for(1ms);
    ASSERT_TRUE(joined.done);
    EXPECT_EQ(joined.client->receive(), test.good_bye ? "bye" : "") << test.said;
    EXPECT_EQ(joined.client_ended, test.good_bye || test.said == kClose);
    EXPECT_EQ(joined.server_ended, test.said == kClose);
  }
}

// TLS tells an end from a cut, and must not call one the other.
TEST(Pump, OnlyWhatSaidThatItEndsIsEndedInOrder) {
  constexpr std::string_view kFrame("\x81\x02hi", 4);
  constexpr std::string_view kClose("\x88\x00", 2);
  for (const bool by_client : {false, true}) {
    for (const bool hard : {false, true}) {
      for (const std::string_view last : {kFrame, kClose}) {
        Joined joined;
        Peer& leaves = by_client ? *joined.client : *joined.server;
        Peer& stays = by_client ? *joined.server : *joined.client;
        leaves.send(last);
        EXPECT_EQ(stays.receive(), last);
        hard ? leaves.reset() : leaves.close();
        joined.world.run_for(1ms);
        ASSERT_TRUE(joined.done);
        EXPECT_EQ(joined.client_ended, last == kClose);
        EXPECT_EQ(joined.server_ended, last == kClose);
      }
    }
  }
  Joined idle;
  idle.world.run_for(31s);
  EXPECT_TRUE(idle.done && !idle.client_ended && !idle.server_ended);
}

// However much more there is for it.
TEST(Pump, AnEndThatTakesNothingIsGivenUp) {
  net::sim::Faults faults;
  faults.to_client = {.capacity_min = 60, .capacity_max = 60};
  Joined client(faults);
  client.server->send(std::string(150, 'x'));
  client.world.run_for(9s);
  EXPECT_FALSE(client.done);
  client.world.run_for(2s);
  ASSERT_TRUE(client.done);
  EXPECT_EQ(client.result.end, End::a_stuck);
  (void)client.client->receive();
  EXPECT_TRUE(client.client->was_reset()) << "what it does not take is not kept for it";
}

TEST(Pump, ShowsWhatTheClientSaysToItsWatch) {
  Joined joined({}, "\x81\x02hi");
  joined.client->send(std::string("\x88", 1));
  EXPECT_FALSE(joined.from_client.closed());
  joined.client->send(std::string(1, '\0'));
  EXPECT_EQ(joined.server->receive(), std::string("\x81\x02hi\x88\0", 6));
  EXPECT_TRUE(joined.from_client.closed());
}

}  // namespace
}  // namespace llmgw::gateway
