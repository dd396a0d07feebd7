// The server side of HTTP/1.1 as its clients see it, in the simulated world.
#include <gtest/gtest.h>
#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>
#endif

#include <array>

#include "http/h1_test_world.h"
#include "net/io.h"
#include "net/tls.h"
#include "net/tls_test_certificates.h"

namespace llmgw::http {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using net::Task;
using net::sim::Faults;
using testing::Test;

constexpr uint64_t kBodyMax = 64 * 1024;

Task<void> respond(ServerExchange& exchange, uint16_t status, std::string body) {
  const ResponseStart start{.status = status, .content_length = body.size()};
  if (!exchange.start(start)) co_return exchange.abort();
  const iovec buffer = net::buffer_of(body);
  (void)co_await exchange.write({&buffer, 1}, true);
}

// Says what it got: "POST /path 5:hello".
Task<void> echo(ServerExchange& exchange) {
  auto body = co_await exchange.read_body(kBodyMax);
  if (!body) {
    co_return co_await respond(exchange, body.error().code == ErrorCode::too_large ? 413 : 400, "no body");
  }
  const RequestHead& head = exchange.head();
  std::string text(head.method_text);
  text.append(" ").append(head.path).append(" ").append(std::to_string(body->size())).append(":");
  text.append(body->data(), std::min<size_t>(body->size(), 100));
  co_await respond(exchange, 200, std::move(text));
}

std::string ok(std::string_view body, std::string_view more = "") {
  std::string text = "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n";
  return text.append(more).append("\r\n").append(body);
}
constexpr std::string_view kClose = "connection: close\r\n";
constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: x\r\n\r\n";

TEST(H1Server, KeepsAlive) {
  SimServer world(echo);
  Peer client = world.connect();
  for (int i = 0; i < 3; ++i) {
    client.send(kGet);
    EXPECT_EQ(client.receive(), ok("GET /a 0:"));
    client.send("POST /b HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello");
    EXPECT_EQ(client.receive(), ok("POST /b 5:hello"));
    client.send("POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    EXPECT_EQ(client.receive(), ok("POST /c 5:abcde"));
  }
  EXPECT_FALSE(client.gone());
  EXPECT_EQ(world.server->counters().requests, 9u);
  EXPECT_EQ(world.server->counters().active, 0u);
  client.close();
  world.world.run_for(1ms);
  EXPECT_EQ(world.server->counters().open, 0u);
  EXPECT_EQ(world.world.network().open_streams(), 0u);
}

TEST(H1Server, AnswersPipelinedRequestsInOrder) {
  SimServer world(echo);
  Peer client = world.connect();
  client.send(
      "POST /1 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
      "POST /2 HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi"
      "GET /3 HTTP/1.1\r\nhost: x\r\n\r\n"
      "POST /4 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nz\r\n0\r\ntrailer: 1\r\n\r\n"
      "GET /5 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  EXPECT_EQ(client.receive(2s),
            ok("POST /1 5:hello") + ok("POST /2 2:hi") + ok("GET /3 0:") + ok("POST /4 1:z") + ok("GET /5 0:", kClose));
  EXPECT_TRUE(client.ended());
}

// The same conversation whatever pieces it comes in, over many seeds.
TEST(H1Server, PiecesDoNotMatter) {
  Faults faults;
  faults.to_server = {.delay_max = 2ms, .write_split = 0.9, .read_split = 0.9, .capacity_min = 1, .capacity_max = 200};
  faults.to_client = faults.to_server;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SimServer world(echo, {}, seed);
    Peer client = world.connect(faults);
    client.send(
        "POST /1 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        "GET /2 HTTP/1.1\r\nhost: x\r\n\r\n"
        "POST /3 HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi");
    std::string all;
    for (int i = 0; i < 100 && !client.ended(); ++i) all += client.receive(20ms);
    ASSERT_EQ(all, ok("POST /1 5:hello") + ok("GET /2 0:") + ok("POST /3 2:hi", kClose)) << world.world.trace();
  }
}

// What follows a large request is read into memory that was taken for it, and may be larger, smaller, or several.
TEST(H1Server, LargeRequestsOneAfterAnother) {
  const auto repeat = [](ServerExchange& exchange) -> Task<void> {
    auto body = co_await exchange.read_body(kBodyMax);
    co_await respond(exchange, body ? 200 : 400, body ? std::string(body->data(), body->size()) : "no body");
  };
  Faults faults;
  faults.to_server = {.delay_max = 2ms, .write_split = 0.3, .read_split = 0.3, .capacity_min = 1, .capacity_max = 9000};
  const auto request = [](const std::string& body) {
    return "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SimServer world(repeat, {}, seed);
    Peer client = world.connect(seed == 0 ? Faults{} : faults);
    for (const size_t size : {6'000, 6'000, 7'400, 9'000, 15'000, 40'000, 5'000, 10, 6'000, 0, 6'000}) {
      std::string body;
      while (body.size() < size) body += std::to_string(body.size()) + " ";
      const bool twice = size == 7'400;
      client.send(request(body) + (twice ? request("next") : ""));
      std::string all;
      const std::string expected = ok(body) + (twice ? ok("next") : "");
      for (int i = 0; i < 500 && all.size() < expected.size(); ++i) all += client.receive(5ms);
      ASSERT_EQ(all, expected) << seed << " " << size;
    }
  }
}

TEST(H1Server, ContinuesOnlyWhenTheBodyIsWanted) {
  SimServer world(echo);
  Peer client = world.connect();
  client.send("POST /e HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
  EXPECT_EQ(client.receive(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  EXPECT_EQ(client.receive(), ok("POST /e 3:abc"));
  // Who does not wait gets no 100.
  client.send("POST /e HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\nabc");
  EXPECT_EQ(client.receive(), ok("POST /e 3:abc"));

  world.handler.answer = [](ServerExchange& exchange) { return respond(exchange, 401, "no"); };
  client.send("POST /e HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
  EXPECT_EQ(client.receive(), "HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
  EXPECT_TRUE(client.gone());
}

// An answer that did not need the body keeps the connection when the body is there anyway.
TEST(H1Server, ABodyNobodyReadIsSkipped) {
  SimServer world([](ServerExchange& exchange) { return respond(exchange, 200, "x"); });
  Peer client = world.connect();
  client.send("POST /1 HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nGET GET /2 HTTP/1.1\r\nhost: x\r\n\r\n");
  EXPECT_EQ(client.receive(), ok("x") + ok("x"));
  EXPECT_FALSE(client.gone());
  client.send("POST /1 HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nGET ");
  EXPECT_EQ(client.receive(), ok("x", kClose));
  EXPECT_TRUE(client.gone());
}

TEST(H1Server, HeadAndBodilessStatuses) {
  uint16_t status = 200;
  ResponseStart start;
  SimServer world([&](ServerExchange& exchange) -> Task<void> {
    start.status = status;
    EXPECT_TRUE(exchange.start(start).has_value());
    const iovec buffer = net::buffer_of("12345");
    (void)co_await exchange.write({&buffer, start.content_length > 0 ? size_t{1} : size_t{0}}, true);
  });
  Peer client = world.connect();
  constexpr std::string_view kHead = "HEAD /a HTTP/1.1\r\nhost: x\r\n\r\n";
  start.content_length = 5;
  client.send(kHead);
  EXPECT_EQ(client.receive(), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
  // No length known: none is made up.
  start = {.framing = Framing::none};
  client.send(kHead);
  EXPECT_EQ(client.receive(), "HTTP/1.1 200 OK\r\n\r\n");
  client.send(kGet);
  EXPECT_EQ(client.receive(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  start = {.framing = Framing::until_close};
  client.send(kHead);
  EXPECT_EQ(client.receive(), "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
  start = {.framing = Framing::none};
  status = 204;
  client.send(kGet);
  EXPECT_EQ(client.receive(), "HTTP/1.1 204 No Content\r\n\r\n");
  start = {.framing = Framing::content_length};
  status = 304;
  client.send(kGet);
  EXPECT_EQ(client.receive(), "HTTP/1.1 304 Not Modified\r\n\r\n");
  EXPECT_FALSE(client.gone());
}

TEST(H1Server, OldClients) {
  SimServer world(echo);
  Peer client = world.connect();
  client.send("GET /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client.receive(), ok("GET /a 0:", "connection: keep-alive\r\n"));
  client.send("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.receive(), ok("GET /a 0:", kClose));
  EXPECT_TRUE(client.gone());
  client.receive();
  EXPECT_TRUE(client.ended());
}

Task<void> stream_three(ServerExchange& exchange) {
  const ResponseStart start{.framing = Framing::until_close};
  EXPECT_TRUE(exchange.start(start).has_value());
  EXPECT_TRUE((co_await exchange.flush()).has_value());
  for (const std::string_view part : {"one", "two", "three"}) {
    (void)co_await net::sleep_for(exchange.loop(), 20ms);
    const iovec buffer = net::buffer_of(part);
    if (!co_await exchange.write({&buffer, 1}, part == "three")) co_return;
  }
}

TEST(H1Server, UnknownLengths) {
  SimServer world(stream_three);
  Peer client = world.connect();
  client.send(kGet);
  EXPECT_EQ(client.receive(), "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
  EXPECT_EQ(client.receive(100ms), "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n");
  EXPECT_FALSE(client.gone());
  client.send("GET /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client.receive(2s), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nonetwothree");
  EXPECT_TRUE(client.ended());
}

TEST(H1Server, TooLargeIsAnsweredAndNotOvertaken) {
  for (const bool chunked : {false, true}) {
    for (uint64_t seed = 0; seed < 100; ++seed) {
      SimServer world(echo, {}, seed);
      Faults faults;
      faults.to_client.delay_max = 50ms;
      faults.to_server.delay_max = 50ms;
      faults.reset_discards_unread = 1;
      Peer client = world.connect(faults);
      const std::string body(3 * kBodyMax, 'x');
      if (chunked) {
        client.send("POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
        for (int i = 0; i < 3; ++i) {
          client.send("10000\r\n" + body.substr(0, 0x10000) + "\r\n");
        }
      } else {
        client.send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 196608\r\n\r\n" + body);
      }
      EXPECT_FALSE(client.failed());
      ASSERT_EQ(client.receive(300ms),
                "HTTP/1.1 413 Content Too Large\r\ncontent-length: 7\r\nconnection: close\r\n\r\nno body")
          << world.world.trace();
      EXPECT_TRUE(client.ended());
    }
  }
}

// The size of a chunk is enough: its client may wait for an answer before it goes on.
TEST(H1Server, AChunkThatIsAnnouncedTooLargeIsRefusedAtOnce) {
  for (const char* sizes : {"10001\r\n", "7fffffffffffffff\r\nx", "1\r\nx\r\n10000;a=b\r\n"}) {
    SimServer world(echo);
    Peer client = world.connect();
    client.send(std::string("POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n") + sizes);
    EXPECT_TRUE(client.receive(1s).starts_with("HTTP/1.1 413 ")) << sizes;
  }
}

// A client that first sends everything and only then reads, however large.
TEST(H1Server, ALargeRefusedUploadIsReadToItsEnd) {
  SimServer world(echo);
  Peer client = world.connect();
  client.send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 16777216\r\n\r\n");
  for (int i = 0; i < 256; ++i) client.send(std::string(64 * 1024, 'x'));
  EXPECT_FALSE(client.failed());
  EXPECT_TRUE(client.receive().starts_with("HTTP/1.1 413 "));
  EXPECT_FALSE(client.was_reset());
}

TEST(H1Server, MalformedHeads) {
  SimServer world(echo);
  Peer client = world.connect();
  client.send("GET /a HTTP/1.1\r\n\r\n");
  EXPECT_EQ(client.receive(2s),
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
            "x-request-id: malformed-id\r\ncontent-length: 13\r\n\r\nmalformed 400");
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(world.server->counters().refused_heads, 1u);
}

TEST(H1Server, SlowHeadIsRefused) {
  ServerOptions options;
  options.header_timeout = 3s;
  options.idle_timeout = 20s;
  SimServer world(echo, options);
  Peer client = world.connect();
  client.send("GET /a HT");
  EXPECT_EQ(client.receive(2900ms), "");
  client.send("TP/1.1\r\nhost: ");
  EXPECT_TRUE(client.receive(200ms).starts_with("HTTP/1.1 408 "));
  EXPECT_TRUE(client.gone());
  // Bytes that could be HTTP/2's preface get no more time than others.
  Peer other = world.connect();
  other.send("PRI * ");
  other.receive(3500ms);
  EXPECT_TRUE(other.gone());
}

TEST(H1Server, IdleConnectionsAreClosedQuietly) {
  ServerOptions options;
  options.idle_timeout = 20s;
  SimServer world(echo, options);
  Peer fresh = world.connect();
  Peer used = world.connect();
  used.send(kGet);
  EXPECT_EQ(used.receive(19s), ok("GET /a 0:"));
  EXPECT_FALSE(used.gone());
  EXPECT_EQ(used.receive(2s), "");
  EXPECT_EQ(fresh.receive(), "");
  EXPECT_TRUE(used.ended());
  EXPECT_TRUE(fresh.ended());
}

TEST(H1Server, SlowBodiesAreRefusedAndSteadyOnesNot) {
  ServerOptions options;
  options.body_timeout = 2s;
  SimServer world(echo, options);
  Peer slow = world.connect();
  slow.send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n");
  for (int i = 0; i < 30 && !slow.gone(); ++i) {
    slow.send(std::string(1000, 'x'));
    world.world.run_for(100ms);
  }
  EXPECT_TRUE(slow.receive().starts_with("HTTP/1.1 400 "));
  Peer steady = world.connect();
  steady.send("POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
  for (int i = 0; i < 30; ++i) {
    steady.send("7d0\r\n" + std::string(2000, 'x') + "\r\n");
    world.world.run_for(100ms);
  }
  EXPECT_FALSE(steady.gone());
  steady.send("0\r\n\r\n");
  EXPECT_TRUE(steady.receive().starts_with("HTTP/1.1 200 "));
}

TEST(H1Server, BrokenOffResponsesAreSeen) {
  Framing framing = Framing::content_length;
  bool by_abort = false;
  SimServer world([&](ServerExchange& exchange) -> Task<void> {
    const ResponseStart start{.framing = framing, .content_length = 10};
    EXPECT_TRUE(exchange.start(start).has_value());
    const iovec buffer = net::buffer_of("half");
    EXPECT_TRUE((co_await exchange.write({&buffer, 1}, false)).has_value());
    if (by_abort) exchange.abort();
  });
  for (const bool abort : {false, true}) {
    by_abort = abort;
    framing = Framing::content_length;
    Peer sized = world.connect();
    sized.send(kGet);
    EXPECT_EQ(sized.receive(), "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    EXPECT_TRUE(sized.gone());
    framing = Framing::until_close;
    Peer chunked = world.connect();
    chunked.send(kGet);
    EXPECT_EQ(chunked.receive(), "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    EXPECT_TRUE(chunked.gone());
    Peer old = world.connect();
    old.send("GET /a HTTP/1.0\r\n\r\n");
    old.receive();
    // An orderly end would make it look whole.
    EXPECT_TRUE(old.was_reset());
    EXPECT_FALSE(old.ended());
  }
  EXPECT_EQ(world.server->counters().active, 0u);
}

TEST(H1Server, AWrongLengthNeverLooksWhole) {
  size_t announced = 3;
  SimServer world([&](ServerExchange& exchange) -> Task<void> {
    const ResponseStart start{.content_length = announced};
    EXPECT_TRUE(exchange.start(start).has_value());
    const iovec buffer = net::buffer_of("12345");
    EXPECT_FALSE((co_await exchange.write({&buffer, 1}, true)).has_value());
  });
  for (const size_t length : {size_t{3}, size_t{10}}) {
    announced = length;
    Peer client = world.connect();
    client.send(kGet);
    EXPECT_EQ(client.receive(), "");
    EXPECT_TRUE(client.gone());
  }
}

TEST(H1Server, AClientThatVanishesCancelsItsRequest) {
  bool cancelled = false;
  SimServer world([&](ServerExchange& exchange) -> Task<void> {
    auto slept = co_await net::sleep_for(exchange.loop(), 1h, &exchange.cancellation());
    cancelled = !slept && slept.error().code == ErrorCode::closed;
  });
  for (const bool hard : {false, true}) {
    cancelled = false;
    Peer client = world.connect();
    client.send(kGet);
    client.receive();
    EXPECT_EQ(world.server->counters().active, 1u);
    if (hard) {
      client.reset();
    } else {
      client.close();
    }
    world.world.run_for(1ms);
    EXPECT_TRUE(cancelled);
    EXPECT_EQ(world.server->counters().active, 0u);
    EXPECT_EQ(world.server->counters().open, 0u);
  }
}

TEST(H1Server, AClientThatDoesNotReadIsDropped) {
  ServerOptions options;
  options.write_timeout = 5s;
  bool failed = false;
  std::optional<ErrorCode> told;
  SimServer world(
      [&](ServerExchange& exchange) -> Task<void> {
        const ResponseStart start{.content_length = 1 << 20};
        EXPECT_TRUE(exchange.start(start).has_value());
        const std::string data(1 << 20, 'x');
        const iovec buffer = net::buffer_of(data);
        auto written = co_await exchange.write({&buffer, 1}, true);
        failed = !written && written.error().code == ErrorCode::deadline_exceeded;
        told = exchange.cancellation().reason();
      },
      options);
  Peer client = world.connect();
  client.send(kGet);
  world.world.run_for(6s);
  EXPECT_TRUE(failed);
  EXPECT_EQ(told, ErrorCode::deadline_exceeded);
  EXPECT_EQ(world.server->counters().open, 0u);
  (void)client.receive();
  EXPECT_TRUE(client.was_reset()) << "what it does not take is not kept for it";
}

// The limit is on standing still, not on being slow.
TEST(H1Server, ASlowReaderGetsEverything) {
  ServerOptions options;
  options.write_timeout = 5s;
  const std::string data(1 << 20, 'x');
  SimServer world([&](ServerExchange& exchange) { return respond(exchange, 200, data); }, options);
  Peer client = world.connect();
  client.send(kGet);
  std::string all;
  for (int i = 0; i < 60 && all.size() < data.size(); ++i) all += client.receive(1s);
  EXPECT_GT(all.size(), data.size());
}

// A server that has room for two connections, and clients that come to it.
struct FullServer : SimServer {
  explicit FullServer(std::function<Task<void>(ServerExchange&)> answer)
      : SimServer(std::move(answer), [] {
          ServerOptions options;
          options.connections_max = 2;
          return options;
        }()) {
    server->listen(std::move(*world.network().listen(address, {})));
  }
  ~FullServer() { tasks.cancel_all(); }
  Peer& come() {
    const size_t before = clients.size();
    tasks.spawn([](FullServer& sim) -> Task<void> {
      auto stream = co_await sim.world.network().connect(sim.address, {});
      sim.clients.push_back(std::make_unique<Peer>(sim.world, std::move(*stream)));
    }(*this));
    world.run_for(10ms);
    return *clients.at(before);
  }
  const net::Address address = *net::Address::parse("10.0.0.1:80");
  std::vector<std::unique_ptr<Peer>> clients;
  net::TaskGroup tasks;
};

TEST(H1Server, AtTheCapNewConnectionsWaitWhileNoneIsIdle) {
  FullServer world([](ServerExchange& exchange) -> Task<void> {
    co_await net::sleep_for(exchange.loop(), 1s);
    co_await echo(exchange);
  });
  Peer& first = world.come();
  first.send(kGet);
  Peer& second = world.come();
  world.world.run_for(500ms);
  second.send(kGet);
  Peer& third = world.come();
  third.send(kGet);
  EXPECT_EQ(third.receive(300ms), "");
  EXPECT_EQ(world.server->counters().open, 2u);
  EXPECT_EQ(first.receive(200ms), ok("GET /a 0:")) << "nobody goes for another before it is served";
  EXPECT_TRUE(first.gone());
  EXPECT_EQ(third.receive(1100ms), ok("GET /a 0:"));
  EXPECT_EQ(second.receive(), ok("GET /a 0:"));
  EXPECT_FALSE(second.gone()) << "there was room for the third";
}

TEST(H1Server, AtTheCapTheLongestIdleGoesForANewOne) {
  FullServer world(echo);
  Peer& first = world.come();
  Peer& second = world.come();
  for (Peer* client : {&first, &second, &first}) {
    client->send(kGet);
    EXPECT_EQ(client->receive(), ok("GET /a 0:"));
  }
  EXPECT_EQ(world.server->counters().idle_ended, 0u) << "nobody waited for its place";
  Peer& third = world.come();
  third.send(kGet);
  EXPECT_EQ(third.receive(), ok("GET /a 0:"));
  EXPECT_TRUE(second.gone());
  EXPECT_FALSE(first.gone());
  EXPECT_EQ(world.server->counters().idle_ended, 1u);
}

// A server that speaks TLS, and clients that do not say anything of a handshake, or little.
struct SecureServer : SimServer {
  explicit SecureServer(const ServerOptions& options = {}) : SimServer(echo, options) {
    tls = std::make_unique<net::TlsServerContext>(
        *net::TlsServerContext::create({.certificates = {authority.issue({.names = {"localhost"}})}}));
  }
  Peer come() {
    auto [client, accepted] = world.network().pair({});
    server->serve(std::move(accepted), tls.get());
    world.run_for(10ms);
    return {world, std::move(client)};
  }
  net::TestAuthority authority;
  std::unique_ptr<net::TlsServerContext> tls;
};

TEST(H1Server, AClientOfTlsThatSaysNothingIsIdle) {
  SecureServer world;
  Peer first = world.come();
  Peer second = world.come();
  second.send("\x16");
  world.world.run_for(10ms);
  EXPECT_TRUE(world.server->end_oldest_idle());
  world.world.run_for(10ms);
  EXPECT_TRUE(first.gone());
  EXPECT_FALSE(world.server->end_oldest_idle()) << "the other has begun";
  EXPECT_FALSE(second.gone());
  EXPECT_EQ(world.server->counters().handshake_failures, 0u);
}

TEST(H1Server, AClientOfTlsThatSaysNothingDoesNotHoldUpADrain) {
  SecureServer world;
  Peer silent = world.come();
  world.server->drain();
  world.world.run_for(kDrainGrace / 2);
  EXPECT_FALSE(world.server->idle()) << "it may be about to say something";
  world.world.run_for(kDrainGrace);
  EXPECT_TRUE(world.server->idle());
  Peer late = world.come();
  Peer begun = world.come();
  begun.send("\x16");
  world.world.run_for(2 * kDrainGrace);
  EXPECT_TRUE(late.gone());
  EXPECT_FALSE(begun.gone()) << "it has begun";
  world.server->cancel_all();
  world.world.run_for(10ms);
  EXPECT_TRUE(world.server->idle()) << "at the end of the drain nobody waits for its handshake";
  EXPECT_EQ(world.server->counters().handshake_failures, 0u);
}

TEST(H1Server, AClientOfTlsThatSaysNothingIsLate) {
  ServerOptions options;
  options.handshake_timeout = 2s;
  SecureServer world(options);
  Peer silent = world.come();
  world.world.run_for(1900ms);
  EXPECT_FALSE(silent.gone());
  world.world.run_for(200ms);
  EXPECT_TRUE(silent.gone());
  EXPECT_EQ(world.server->counters().handshake_failures, 1u);
}

// Whoever says nothing holds a place as well.
TEST(H1Server, SilentClientsAndIdleHttp2ClientsGoToo) {
  FullServer world(echo);
  Peer& http2 = world.come();
  http2.send(std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + std::string("\0\0\0\4\0\0\0\0\0", 9));
  world.world.run_for(10ms);
  Peer& silent = world.come();
  Peer& third = world.come();
  third.send(kGet);
  EXPECT_EQ(third.receive(kDrainGrace + 100ms), ok("GET /a 0:"));
  (void)http2.receive();
  EXPECT_TRUE(http2.gone());
  http2.close();
  EXPECT_FALSE(silent.gone());
  Peer& fourth = world.come();
  EXPECT_TRUE(silent.gone());
  fourth.send(kGet);
  EXPECT_EQ(fourth.receive(), ok("GET /a 0:"));
  EXPECT_FALSE(third.gone());
}

TEST(H1Server, RequestsAConnection) {
  ServerOptions options;
  options.requests_per_connection_max = 2;
  SimServer world(echo, options);
  Peer client = world.connect();
  client.send(kGet);
  EXPECT_EQ(client.receive(), ok("GET /a 0:"));
  client.send(kGet);
  EXPECT_EQ(client.receive(), ok("GET /a 0:", kClose));
  EXPECT_TRUE(client.gone());
}

TEST(H1Server, DrainingFinishesWhatWasBegun) {
  SimServer world([](ServerExchange& exchange) -> Task<void> {
    (void)co_await net::sleep_for(exchange.loop(), 3s, &exchange.cancellation());
    co_await echo(exchange);
  });
  Peer idle = world.connect();
  Peer running = world.connect();
  Peer half_head = world.connect();
  Peer on_its_way = world.connect();
  running.send(kGet);
  half_head.send(kGet.substr(0, 10));
  world.world.run_for(1s);
  // Has arrived but was not looked at: the drain comes in the same moment.
  on_its_way.send(kGet);
  world.server->drain();
  half_head.send(kGet.substr(10));
  EXPECT_EQ(running.receive(7s), ok("GET /a 0:", kClose));
  EXPECT_EQ(half_head.receive(), ok("GET /a 0:", kClose));
  EXPECT_EQ(on_its_way.receive(), ok("GET /a 0:", kClose));
  EXPECT_EQ(idle.receive(), "");
  EXPECT_TRUE(idle.ended());
  EXPECT_TRUE(world.server->idle());
}

TEST(H1Server, CancelAllEndsEverything) {
  SimServer world([](ServerExchange& exchange) -> Task<void> {
    (void)co_await net::sleep_for(exchange.loop(), 1h, &exchange.cancellation());
  });
  Peer idle = world.connect();
  Peer running = world.connect();
  Peer half_head = world.connect();
  running.send(kGet);
  half_head.send(kGet.substr(0, 10));
  world.world.run_for(1s);
  world.server->drain();
  world.server->cancel_all();
  world.world.run_for(10ms);
  EXPECT_TRUE(world.server->idle());
  EXPECT_EQ(world.server->counters().active, 0u);
}

// A final answer followed by unread bytes must survive also while draining.
TEST(H1Server, LingersWhileDraining) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SimServer world(
        [](ServerExchange& exchange) -> Task<void> {
          (void)co_await net::sleep_for(exchange.loop(), 100ms);
          co_await respond(exchange, 413, "large");
        },
        {}, seed);
    Faults faults;
    faults.to_client.delay_max = 50ms;
    faults.reset_discards_unread = 1;
    Peer client = world.connect(faults);
    client.send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n" + std::string(30000, 'x'));
    world.world.run_for(10ms);
    world.server->drain();
    EXPECT_EQ(client.receive(300ms),
              "HTTP/1.1 413 Content Too Large\r\ncontent-length: 5\r\nconnection: close\r\n\r\nlarge");
    EXPECT_TRUE(client.ended());
  }
}

#if __has_feature(address_sanitizer)
// A connection that carried a large request and a large answer and is kept costs little.
TEST(H1Server, IdleConnectionsHoldNoBuffers) {
  constexpr size_t kConnections = 50;
  constexpr size_t kBytesEach = 12 * 1024;  // the connection's own state with the headers' inline room, and our Peer
  SimServer world([](ServerExchange& exchange) -> Task<void> {
    (void)co_await exchange.read_body(1 << 20);
    Headers headers;
    const std::string large(30'000, 'h');
    headers.append("x-large", large);
    const std::string body(300'000, 'b');
    const ResponseStart start{.headers = &headers, .framing = Framing::until_close};
    EXPECT_TRUE(exchange.start(start).has_value());
    const iovec buffer = net::buffer_of(body);
    (void)co_await exchange.write({&buffer, 1}, true);
  });
  std::vector<Peer> clients;
  clients.reserve(kConnections);
  const auto use = [&](std::string_view request) {
    clients.push_back(world.connect());
    clients.back().send(request);
    EXPECT_GT(clients.back().receive(1s).size(), 300'000u);
    EXPECT_FALSE(clients.back().gone());
  };
  const std::string sized = "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n" + std::string(200'000, 'x');
  const std::string chunked = "POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n10000\r\n" +
                              std::string(0x10000, 'x') + "\r\n0\r\n\r\n";
  const std::string small = "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 12000\r\n\r\n" + std::string(12'000, 'x');
  const std::array requests = {sized, chunked, small};
  use(sized);
  const size_t before = __sanitizer_get_current_allocated_bytes();
  while (clients.size() < kConnections) use(requests[clients.size() % requests.size()]);
  const size_t each = (__sanitizer_get_current_allocated_bytes() - before) / (kConnections - 1);
  EXPECT_LT(each, kBytesEach);
}
#endif

TEST(H1Server, TakesOver) {
  SimServer world([](ServerExchange& exchange) -> Task<void> {
    Headers headers;
    headers.append(HeaderId::upgrade, "echo");
    const ResponseStart start{.status = 101, .headers = &headers, .framing = Framing::none};
    auto raw = co_await exchange.take_over(&start);
    EXPECT_TRUE(raw.has_value());
    EXPECT_EQ(raw->early_bytes, "early");
    EXPECT_TRUE((co_await net::write_all(*raw->stream, raw->early_bytes, {})).has_value());
    char buffer[16];
    auto count = co_await net::read_some(*raw->stream, buffer, {});
    if (count) (void)co_await net::write_all(*raw->stream, {buffer, *count}, {});
  });
  Peer client = world.connect();
  client.send("GET /a HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nearly");
  EXPECT_EQ(client.receive(), "HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\nearly");
  client.send("late");
  EXPECT_EQ(client.receive(), "late");
  EXPECT_TRUE(client.gone());
}

}  // namespace
}  // namespace llmgw::http
