// Connections kept and shared, in the simulated world.
#include "http/pool.h"

#include <gtest/gtest.h>

#include "http/h1_test_world.h"

namespace llmgw::http {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

// Answers what has come on a connection.
void answer(SimUpstream& up, size_t peer) {
  EXPECT_NE(up.peers.at(peer)->receive(1ms), "");
  up.peers[peer]->send(kOk);
  up.world.run_for(1ms);
}

TEST(Pool, StaleConnectionsAreNotedBeforeTheyAreUsed) {
  SimUpstream up;
  Fetch first;
  up.start(first, "GET", "/a");
  answer(up, 0);
  EXPECT_EQ(up.pool->idle(), 1u);
  up.peers[0]->close();
  up.world.run_for(1ms);
  Fetch second;
  up.start(second, "GET", "/b");
  answer(up, 1);
  EXPECT_TRUE(second.done && !second.reused);
  EXPECT_EQ(up.pool->open(), 1u);
}

// The server closes while the request is on its way: the caller can tell that nothing was lost.
TEST(Pool, AJustClosedConnectionIsTold) {
  for (const bool reset : {false, true}) {
    SimUpstream up;
    up.faults.to_client.delay_min = up.faults.to_client.delay_max = 10ms;
    Fetch first;
    up.start(first, "GET", "/a");
    answer(up, 0);
    up.world.run_for(20ms);
    if (reset) {
      up.peers[0]->reset();
    } else {
      up.peers[0]->close();
    }
    Fetch second;
    up.start(second, "GET", "/b");
    up.world.run_for(30ms);
    ASSERT_TRUE(second.error);
    EXPECT_TRUE(second.reused);
    EXPECT_FALSE(second.received_any);
    EXPECT_TRUE(second.may_repeat);
    EXPECT_TRUE(second.error->code == ErrorCode::closed || second.error->code == ErrorCode::reset);
    Fetch again;
    up.start(again, "GET", "/b", {}, {}, true);
    up.world.run_for(1ms);
    EXPECT_FALSE(again.reused);
    EXPECT_EQ(up.peers.size(), 2u);
  }
}

// How long after the second request on a connection its server closes it, and what that says.
struct CloseCase {
  base::Duration connect_time;
  base::Duration after;
  bool may_repeat;
};

// A server that had the request may have worked on it: only a close that was on its way already is told as one.
TEST(Pool, ACloseThatComesLaterIsOfAServerThatHadTheRequest) {
  for (const CloseCase& test :
       {CloseCase{0ms, 0ms, true}, CloseCase{0ms, 45ms, true}, CloseCase{0ms, 55ms, false}, CloseCase{0ms, 5s, false},
        CloseCase{200ms, 195ms, true}, CloseCase{200ms, 205ms, false}, CloseCase{2s, 245ms, true},
        CloseCase{2s, 255ms, false}}) {
    for (const bool reset : {false, true}) {
      SimUpstream up;
      up.connect_time = test.connect_time;
      Fetch first;
      up.start(first, "POST", "/a", "{}");
      up.world.run_for(test.connect_time);
      answer(up, 0);
      Fetch second;
      up.start(second, "POST", "/b", "{}");
      up.world.run_for(test.after);
      if (reset) {
        up.peers[0]->reset();
      } else {
        up.peers[0]->close();
      }
      up.world.run_for(1ms);
      ASSERT_TRUE(second.error && second.reused && !second.received_any);
      EXPECT_EQ(second.may_repeat, test.may_repeat) << test.connect_time << " " << test.after << " " << reset;
    }
  }
}

TEST(Pool, ARequestThatWasNotThroughMayBeRepeatedWhenever) {
  const std::string large(size_t{4} << 20, 'x');
  for (const bool kept : {true, false}) {
    SimUpstream up;
    Fetch first;
    if (kept) {
      up.start(first, "GET", "/a");
      answer(up, 0);
    }
    Fetch second;
    up.start(second, "POST", "/b", large);
    up.world.run_for(10s);
    ASSERT_FALSE(second.done);
    up.peers[0]->reset();
    up.world.run_for(1ms);
    ASSERT_TRUE(second.error);
    EXPECT_EQ(second.reused, kept);
    EXPECT_EQ(second.may_repeat, kept);
  }
}

TEST(Pool, NothingIsRepeatedThatWasAnswered) {
  SimUpstream up;
  Fetch first;
  up.start(first, "GET", "/a");
  answer(up, 0);
  Fetch second;
  up.start(second, "GET", "/b");
  up.world.run_for(1ms);
  up.peers[0]->send("HTTP/1.1 200");
  up.world.run_for(1ms);
  up.peers[0]->close();
  up.world.run_for(1ms);
  ASSERT_TRUE(second.error && second.reused);
  EXPECT_FALSE(second.may_repeat);
}

TEST(Pool, AFreshConnectionIsNew) {
  SimUpstream up;
  Fetch first;
  up.start(first, "GET", "/a");
  answer(up, 0);
  Fetch second;
  up.start(second, "GET", "/b", {}, {}, true);
  answer(up, 1);
  EXPECT_TRUE(second.done && !second.reused);
  EXPECT_EQ(up.pool->idle(), 2u);
}

TEST(Pool, TheCapMakesRequestsWaitInOrder) {
  PoolOptions options;
  options.connections_max = 2;
  SimUpstream up(options);
  std::array<Fetch, 5> fetches;
  for (Fetch& fetch : fetches) up.start(fetch, "GET", "/a");
  up.world.run_for(1s);
  EXPECT_EQ(up.peers.size(), 2u);
  answer(up, 0);
  EXPECT_TRUE(fetches[0].done);
  up.world.run_for(1ms);
  answer(up, 0);
  EXPECT_TRUE(fetches[2].done);
  // One that breaks makes room as well.
  up.peers[1]->close();
  up.world.run_for(1ms);
  EXPECT_TRUE(fetches[1].error.has_value());
  answer(up, 0);
  answer(up, 2);
  for (size_t i : {size_t{0}, size_t{2}, size_t{3}, size_t{4}}) EXPECT_EQ(fetches[i].body, "ok") << i;
  EXPECT_EQ(up.pool->connects(), 3u);
  EXPECT_EQ(up.pool->open(), 2u);
}

TEST(Pool, WaitersGiveUpAndAreCancelled) {
  PoolOptions options;
  options.connections_max = 1;
  SimUpstream up(options);
  Fetch holder;
  Fetch late;
  Fetch cancelled;
  Fetch patient;
  net::Cancellation client_left;
  up.start(holder, "GET", "/a");
  up.start(late, "GET", "/b", {}, {.deadline = up.world.loop().now() + 1s});
  up.start(cancelled, "GET", "/c", {}, {.cancellation = &client_left});
  up.start(patient, "GET", "/d");
  up.world.run_for(2s);
  client_left.cancel();
  up.world.run_for(1ms);
  EXPECT_EQ(late.error->code, ErrorCode::exhausted);
  EXPECT_EQ(cancelled.error->code, ErrorCode::cancelled);
  answer(up, 0);
  answer(up, 0);
  EXPECT_EQ(patient.body, "ok");
  EXPECT_EQ(up.pool->open(), 1u);
}

TEST(Pool, ARefusedConnectGivesItsPlaceBack) {
  PoolOptions options;
  options.connections_max = 1;
  SimUpstream up(options);
  up.connect_time = 10ms;
  up.connect_error = ErrorCode::refused;
  Fetch first;
  Fetch second;
  up.start(first, "GET", "/a");
  up.start(second, "GET", "/b");
  up.world.run_for(100ms);
  EXPECT_EQ(first.error->code, ErrorCode::refused);
  EXPECT_EQ(second.error->code, ErrorCode::refused);
  EXPECT_EQ(up.pool->open(), 0u);
  EXPECT_EQ(up.pool->connect_failures(), 2u);
  // So does one that takes too long, and one whose request was dropped.
  up.connect_error.reset();
  up.connect_time = 1min;
  Fetch slow;
  up.start(slow, "GET", "/c");
  up.world.run_for(6s);
  EXPECT_EQ(slow.error->code, ErrorCode::deadline_exceeded);
  EXPECT_EQ(up.pool->open(), 0u);
  Fetch dropped;
  up.start(dropped, "GET", "/d");
  up.world.run_for(1s);
  EXPECT_EQ(up.pool->open(), 1u);
  up.tasks.cancel_all();
  EXPECT_EQ(up.pool->open(), 0u);
}

TEST(Pool, ReapsTheOldAndTheClosed) {
  PoolOptions options;
  options.idle_time = 10s;
  SimUpstream up(options);
  std::array<Fetch, 3> fetches;
  for (Fetch& fetch : fetches) up.start(fetch, "GET", "/a");
  for (size_t i = 0; i < 3; ++i) answer(up, i);
  EXPECT_EQ(up.pool->idle(), 3u);
  up.peers[1]->close();
  up.world.run_for(1s);
  up.pool->reap();
  EXPECT_EQ(up.pool->idle(), 2u);
  up.world.run_for(5s);
  Fetch later;
  up.start(later, "GET", "/b");
  answer(up, 2);  // the most recently used
  up.world.run_for(5s);
  up.pool->reap();
  EXPECT_EQ(up.pool->idle(), 1u);
  up.world.run_for(6s);
  EXPECT_TRUE(up.peers[0]->gone());
  up.pool->reap();
  EXPECT_EQ(up.pool->open(), 0u);
  up.world.run_for(1ms);
  EXPECT_TRUE(up.peers[2]->gone());
}

TEST(Pool, KeepsAtMostSoManyIdle) {
  PoolOptions options;
  options.idle_max = 2;
  SimUpstream up(options);
  std::array<Fetch, 4> fetches;
  for (Fetch& fetch : fetches) up.start(fetch, "GET", "/a");
  for (size_t i = 0; i < 4; ++i) answer(up, i);
  EXPECT_EQ(up.pool->idle(), 2u);
  EXPECT_EQ(up.pool->open(), 2u);
}

TEST(Pool, RetiresAndComesBack) {
  SimUpstream up;
  Fetch idle;
  Fetch running;
  up.start(idle, "GET", "/a");
  up.start(running, "GET", "/a");
  answer(up, 0);
  up.pool->retire();
  EXPECT_EQ(up.pool->open(), 1u);
  // Requests that were begun with the old configuration still go through.
  Fetch late;
  up.start(late, "GET", "/b");
  answer(up, 2);
  EXPECT_EQ(late.body, "ok");
  answer(up, 1);
  EXPECT_EQ(running.body, "ok");
  EXPECT_EQ(up.pool->open(), 0u);
  up.pool->revive();
  Fetch after;
  up.start(after, "GET", "/c");
  answer(up, 3);
  EXPECT_EQ(up.pool->idle(), 1u);
}

}  // namespace
}  // namespace llmgw::http
