// The client side of HTTP/1.1 as a server sees it, in the simulated world. The servers are the tests themselves.
#include <gtest/gtest.h>

#include "http/h1_test_world.h"

namespace llmgw::http {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using net::sim::Faults;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

TEST(H1Client, SendsAndReads) {
  SimUpstream up;
  Fetch post;
  up.start(post, "POST", "/v1/x?y=1", "hello");
  EXPECT_EQ(up.peers.at(0)->receive(), "POST /v1/x?y=1 HTTP/1.1\r\nhost: up\r\ncontent-length: 5\r\n\r\nhello");
  up.peers[0]->send("HTTP/1.1 201 Created\r\ncontent-length: 3\r\nx-a: 1\r\n\r\nabc");
  up.world.run_for(1ms);
  EXPECT_TRUE(post.done);
  EXPECT_EQ(post.status, 201);
  EXPECT_EQ(post.headers, "content-length: 3\nx-a: 1\n");
  EXPECT_EQ(post.body, "abc");

  Fetch get;
  up.start(get, "GET", "/b");
  EXPECT_EQ(up.peers[0]->receive(), "GET /b HTTP/1.1\r\nhost: up\r\n\r\n");
  up.peers[0]->send(
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nx-t: 1\r\n\r\n");
  up.world.run_for(1ms);
  EXPECT_TRUE(get.done && get.reused);
  EXPECT_EQ(get.body, "abcdefg");
  EXPECT_EQ(get.trailers, "x-t: 1\n");
  EXPECT_EQ(up.peers.size(), 1u);

  Fetch empty_post;
  up.start(empty_post, "POST", "/c");
  EXPECT_EQ(up.peers[0]->receive(), "POST /c HTTP/1.1\r\nhost: up\r\ncontent-length: 0\r\n\r\n");
}

// Every framing, in whatever pieces it comes.
TEST(H1Client, PiecesDoNotMatter) {
  Faults faults;
  faults.to_client = {.delay_max = 2ms, .write_split = 0.9, .read_split = 0.9, .capacity_min = 1, .capacity_max = 50};
  faults.to_server = faults.to_client;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SimUpstream up({}, seed);
    up.faults = faults;
    const std::string body(seed, 'b');
    for (const std::string_view answer :
         {std::string_view("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nabcdefg"),
          std::string_view("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 "
                           "OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n6\r\nbcdefg\r\n0\r\n\r\n"),
          std::string_view("HTTP/1.1 200 OK\r\n\r\nabcdefg")}) {
      Fetch fetch;
      up.start(fetch, "POST", "/a", body);
      std::string request;
      for (int i = 0; i < 200 && request.size() < 55 + body.size(); ++i) {
        if (!up.peers.empty()) request += up.peers[0]->receive(5ms);
      }
      EXPECT_TRUE(request.ends_with("\r\n\r\n" + body));
      up.peers[0]->send(answer);
      if (!answer.contains("content-length") && !answer.contains("chunked")) up.peers[0]->shutdown_write();
      EXPECT_TRUE(up.world.run_until([&] { return fetch.done; }, 10s));
      ASSERT_EQ(fetch.body, "abcdefg") << up.world.trace();
      ASSERT_FALSE(fetch.error) << up.world.trace();
    }
    EXPECT_EQ(up.pool->idle(), 0u);
    EXPECT_EQ(up.pool->open(), 0u);
    EXPECT_EQ(up.pool->connects(), 1u);
  }
}

TEST(H1Client, BodilessAnswers) {
  SimUpstream up;
  Fetch head;
  up.start(head, "HEAD", "/a");
  up.peers.at(0)->send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n");
  up.world.run_for(1ms);
  EXPECT_TRUE(head.done && !head.error && head.body.empty());
  for (const std::string_view status : {"204 No Content", "304 Not Modified"}) {
    Fetch fetch;
    up.start(fetch, "GET", "/a");
    up.peers[0]->send("HTTP/1.1 " + std::string(status) + "\r\n\r\n");
    up.world.run_for(1ms);
    EXPECT_TRUE(fetch.done && !fetch.error && fetch.body.empty() && fetch.reused);
  }
  EXPECT_EQ(up.pool->idle(), 1u);
}

TEST(H1Client, ACutAnswerIsAnError) {
  for (const std::string_view part :
       {"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", "HTTP/1.1 200 OK\r\nconte", ""}) {
    for (const bool reset : {false, true}) {
      SimUpstream up;
      Fetch fetch;
      up.start(fetch, "GET", "/a");
      EXPECT_NE(up.peers.at(0)->receive(), "");
      up.peers[0]->send(part);
      up.world.run_for(1ms);
      if (reset) {
        up.peers[0]->reset();
      } else {
        up.peers[0]->close();
      }
      up.world.run_for(1ms);
      ASSERT_TRUE(fetch.done && fetch.error) << part;
      EXPECT_EQ(fetch.received_any, !part.empty());
      EXPECT_EQ(fetch.in_head, !part.contains("\r\n\r\n"));
      EXPECT_EQ(up.pool->open(), 0u);
    }
  }
}

// A body up to the connection's end: an orderly end completes it, a reset does not.
TEST(H1Client, UntilClose) {
  for (const bool reset : {false, true}) {
    SimUpstream up;
    Fetch fetch;
    up.start(fetch, "GET", "/a");
    EXPECT_NE(up.peers.at(0)->receive(), "");
    up.peers[0]->send("HTTP/1.0 200 OK\r\n\r\nabc");
    up.world.run_for(1ms);
    EXPECT_FALSE(fetch.done);
    if (reset) {
      up.peers[0]->reset();
    } else {
      up.peers[0]->close();
    }
    up.world.run_for(1ms);
    EXPECT_TRUE(fetch.done);
    EXPECT_EQ(fetch.body, "abc");
    EXPECT_EQ(fetch.error.has_value(), reset);
    EXPECT_EQ(up.pool->open(), 0u);
  }
}

TEST(H1Client, AnEarlyAnswerEndsTheUpload) {
  for (const bool closes : {false, true}) {
    SimUpstream up;
    up.faults.to_server.capacity_min = up.faults.to_server.capacity_max = 1000;
    up.faults.reset_discards_unread = 0;
    const std::string body(100'000, 'x');
    Fetch fetch;
    up.start(fetch, "POST", "/a", body);
    up.world.run_for(1ms);
    // Nothing of the request is read.
    up.peers.at(0)->send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno");
    if (closes) {
      up.world.run_for(1ms);
      up.peers[0]->close();
    }
    up.world.run_for(1ms);
    EXPECT_TRUE(fetch.done && !fetch.error) << closes;
    EXPECT_EQ(fetch.status, 413);
    EXPECT_EQ(fetch.body, "no");
    // Half a request is on that connection: nobody may use it again.
    EXPECT_EQ(up.pool->open(), 0u);
  }
}

TEST(H1Client, AnInterimAnswerDoesNotEndTheUpload) {
  SimUpstream up;
  up.faults.to_server.capacity_min = up.faults.to_server.capacity_max = 1000;
  const std::string body(20'000, 'x');
  Fetch fetch;
  up.start(fetch, "POST", "/a", body);
  up.world.run_for(1ms);
  up.peers.at(0)->send("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early");
  up.world.run_for(1ms);
  up.peers[0]->send(" Hints\r\n\r\n");
  std::string request;
  for (int i = 0; i < 200; ++i) request += up.peers[0]->receive(1ms);
  EXPECT_TRUE(request.ends_with(body));
  up.peers[0]->send(kOk);
  up.world.run_for(1ms);
  EXPECT_EQ(fetch.body, "ok");
  EXPECT_EQ(up.pool->idle(), 1u);
}

TEST(H1Client, EndlessInterimAnswers) {
  SimUpstream up;
  Fetch fetch;
  up.start(fetch, "GET", "/a");
  for (int i = 0; i < 100 && !fetch.done; ++i) {
    up.peers.at(0)->send("HTTP/1.1 103 Early Hints\r\n\r\n");
    up.world.run_for(1ms);
  }
  ASSERT_TRUE(fetch.done && fetch.error);
  EXPECT_EQ(fetch.error->code, ErrorCode::protocol);
}

TEST(H1Client, ExcessBytesSpoilTheConnection) {
  for (const bool at_once : {true, false}) {
    SimUpstream up;
    Fetch first;
    up.start(first, "GET", "/a");
    up.peers.at(0)->send(std::string(kOk) + (at_once ? "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nsmugg" : ""));
    up.world.run_for(1ms);
    EXPECT_TRUE(first.done && !first.error);
    if (!at_once) up.peers[0]->send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nsmugg");
    up.world.run_for(1ms);
    Fetch second;
    up.start(second, "GET", "/b");
    up.world.run_for(1ms);
    ASSERT_EQ(up.peers.size(), 2u);
    EXPECT_FALSE(second.done);
    up.peers[1]->send(kOk);
    up.world.run_for(1ms);
    EXPECT_EQ(second.body, "ok");
    EXPECT_FALSE(second.reused);
  }
}

TEST(H1Client, ConnectionCloseIsObeyed) {
  for (const std::string_view answer : {"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
                                        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"}) {
    SimUpstream up;
    Fetch fetch;
    up.start(fetch, "GET", "/a");
    up.peers.at(0)->send(answer);
    up.world.run_for(1ms);
    EXPECT_TRUE(fetch.done && !fetch.error);
    EXPECT_EQ(up.pool->open(), 0u);
  }
}

TEST(H1Client, DeadlinesAndCancellation) {
  SimUpstream up;
  Fetch slow;
  up.start(slow, "GET", "/a", {}, {.deadline = up.world.loop().now() + 5s});
  up.world.run_for(6s);
  ASSERT_TRUE(slow.error);
  EXPECT_EQ(slow.error->code, ErrorCode::deadline_exceeded);
  EXPECT_EQ(up.pool->open(), 0u);

  net::Cancellation client_left;
  Fetch given_up;
  up.start(given_up, "GET", "/a", {}, {.cancellation = &client_left});
  up.world.run_for(1ms);
  up.peers.at(1)->send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok");
  up.world.run_for(1ms);
  client_left.cancel(ErrorCode::closed);
  up.world.run_for(1ms);
  ASSERT_TRUE(given_up.error);
  EXPECT_EQ(given_up.error->code, ErrorCode::closed);
  // The upstream is told.
  EXPECT_TRUE(up.peers[1]->gone());
  EXPECT_EQ(up.world.network().open_streams(), 2u);  // the peers' own ends
}

TEST(H1Client, UntrustedHeadsAreLimited) {
  PoolOptions options;
  options.head_limits.head_bytes_max = 1000;
  SimUpstream up(options);
  Fetch fetch;
  up.start(fetch, "GET", "/a");
  up.peers.at(0)->send("HTTP/1.1 200 OK\r\n" + std::string(2000, 'a'));
  up.world.run_for(1ms);
  ASSERT_TRUE(fetch.error);
  EXPECT_EQ(fetch.error->code, ErrorCode::too_large);
}

}  // namespace
}  // namespace llmgw::http
