#include <gtest/gtest.h>

#include "http/h2_client.h"
#include "http/h2_test_peer.h"
#include "http/h2_test_world.h"
#include "net/tls.h"
#include "net/tls_test_certificates.h"

namespace llmgw::http {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using base::Result;
using net::Task;

class H2Client : public BackendTest {};
INSTANTIATE_TEST_SUITE_P(, H2Client, testing::ValuesIn(kBackends), backend_name);

PoolOptions h2_options() {
  PoolOptions options;
  options.http2_prior_knowledge = true;
  return options;
}

struct Client {
  TestWorld& world;
  Pool pool;

  explicit Client(TestWorld& on, const PoolOptions& options = h2_options())
      : world(on), pool(on.loop, [&on](net::Wait wait) { return on.network.connect(on.address, wait); }, options) {}

  net::Wait soon() const { return {world.loop.now() + 10s}; }
};

struct Answer {
  uint16_t status = 0;
  std::string body = {};
  std::optional<ErrorCode> error = {};
  bool ok() const { return !error.has_value(); }
};

Task<Answer> read_answer(ClientExchange& exchange, net::Wait wait) {
  Answer answer;
  auto head = co_await exchange.read_head(wait);
  if (!head) co_return Answer{.error = head.error().code};
  answer.status = (*head)->status;
  for (;;) {
    auto bytes = co_await exchange.read_body(wait);
    if (!bytes) {
      answer.error = bytes.error().code;
      co_return answer;
    }
    answer.body.append(bytes->data.data(), bytes->data.size());
    if (bytes->done) co_return answer;
  }
}

Task<Answer> call(Client& client, std::string_view method, std::string_view target, std::string body = {}) {
  auto exchange = co_await client.pool.acquire(false, client.soon());
  if (!exchange) co_return Answer{.error = exchange.error().code};
  const iovec buffer = net::buffer_of(body);
  RequestStart request;
  request.method = method;
  request.target = target;
  request.authority = "example.com";
  if (!body.empty()) request.body = {&buffer, 1};
  auto sent = co_await (*exchange)->send(request, client.soon());
  if (!sent) co_return Answer{.error = sent.error().code};
  co_return co_await read_answer(**exchange, client.soon());
}

// A server that does what the test tells it, frame by frame.
struct RawServer {
  std::unique_ptr<net::Listener> listener;
  explicit RawServer(TestWorld& world) {
    listener = std::move(*world.network.listen(*net::Address::parse("127.0.0.1:0"), {}));
    world.address = listener->address();
  }
  Task<std::unique_ptr<TestPeer>> accept() {
    auto stream = co_await net::accept(*listener, {});
    char preface[kH2Preface.size()];
    for (size_t have = 0; have < sizeof preface;) {
      auto count = co_await net::read_some(**stream, std::span<char>(preface).subspan(have), {});
      if (!count || *count == 0) co_return nullptr;
      have += *count;
    }
    EXPECT_EQ(std::string_view(preface, sizeof preface), kH2Preface);
    auto peer = std::make_unique<TestPeer>(std::move(*stream));
    co_await peer->greet(false);
    co_return peer;
  }
};

std::string response_block(std::string_view status, const TestFields& more = {}) {
  TestFields fields{{":status", std::string(status)}};
  fields.insert(fields.end(), more.begin(), more.end());
  return field_block(fields);
}

TEST_P(H2Client, CallsAndCallsAgainOnTheSameConnection) {
  TestWorld world(GetParam(), echo);
  Client client(world);
  world.run([&]() -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      auto answer = co_await call(client, "POST", "/v1/x?y=1", "hello");
      EXPECT_TRUE(answer.ok());
      EXPECT_EQ(answer.status, 200);
      EXPECT_EQ(answer.body, "POST /v1/x?y=1 hello");
    }
  });
  EXPECT_EQ(client.pool.connects(), 1u);
  EXPECT_EQ(client.pool.open(), 1u);
  EXPECT_EQ(client.pool.idle(), 1u);
}

TEST_P(H2Client, ManyStreamsShareConnections) {
  constexpr size_t kCalls = 250;  // more than one connection takes at a time
  TestWorld world(GetParam(), echo);
  Client client(world);
  size_t good = 0;
  world.run([&]() -> Task<void> {
    net::TaskGroup group;
    for (size_t i = 0; i < kCalls; ++i) {
      group.spawn([](Client& on, size_t& count, size_t number) -> Task<void> {
        const std::string body(number * 100, static_cast<char>('a' + number % 26));
        auto answer = co_await call(on, "POST", "/" + std::to_string(number), body);
        if (answer.ok() && answer.body == "POST /" + std::to_string(number) + " " + body) ++count;
      }(client, good, i));
    }
    EXPECT_TRUE(co_await world.until([&] { return group.active() == 0; }));
  });
  EXPECT_EQ(good, kCalls);
  EXPECT_LE(client.pool.connects(), 3u);
  EXPECT_EQ(world.server->counters().requests, kCalls);
  EXPECT_EQ(world.server->counters().active, 0u);
}

TEST_P(H2Client, AFirstBurstSharesOneConnection) {
  TestWorld world(GetParam(), echo);
  Client client(world);
  size_t good = 0;
  world.run([&]() -> Task<void> {
    net::TaskGroup group;
    for (size_t i = 0; i < 50; ++i) {
      group.spawn([](Client& on, size_t& count) -> Task<void> {
        if ((co_await call(on, "GET", "/")).ok()) ++count;
      }(client, good));
    }
    EXPECT_TRUE(co_await world.until([&] { return group.active() == 0; }));
  });
  EXPECT_EQ(good, 50u);
  EXPECT_EQ(client.pool.connects(), 1u);
}

TEST_P(H2Client, AFailedConnectFailsWhoeverWaitedForIt) {
  TestWorld world(GetParam(), echo);
  Client client(world);
  std::vector<ErrorCode> errors;
  world.run([&]() -> Task<void> {
    world.server->stop_accepting();
    net::TaskGroup group;
    for (size_t i = 0; i < 20; ++i) {
      group.spawn([](Client& on, std::vector<ErrorCode>& out) -> Task<void> {
        auto answer = co_await call(on, "GET", "/");
        if (!answer.ok()) out.push_back(*answer.error);
      }(client, errors));
    }
    EXPECT_TRUE(co_await world.until([&] { return group.active() == 0; }));
  });
  EXPECT_EQ(errors, std::vector<ErrorCode>(20, ErrorCode::refused));
  EXPECT_EQ(client.pool.open(), 0u);
}

TEST_P(H2Client, SendsAndReadsWhatHttp2Wants) {
  TestWorld world(GetParam(), echo);
  RawServer raw(world);
  Client client(world);
  world.run([&]() -> Task<void> {
    world.tasks.spawn([](RawServer& on) -> Task<void> {
      auto peer = co_await on.accept();
      auto head = co_await peer->next_of(FrameType::headers, 1);
      const std::map<std::string, std::string> expected{{":method", "POST"},
                                                        {":scheme", "https"},
                                                        {":authority", "api.example.com"},
                                                        {":path", "/v1/x?y"},
                                                        {"authorization", "Bearer secret"},
                                                        {"x-mixed", "Case"},
                                                        {"content-length", "4"}};
      EXPECT_EQ(head.fields, expected);
      // RFC 7541, section 6.2.3: never indexed, so no proxy puts it into a table.
      EXPECT_EQ(static_cast<uint8_t>(head.payload[head.payload.find("\x17")]) & 0x0f, 0x07);
      auto data = co_await peer->next_of(FrameType::data, 1);
      EXPECT_EQ(data.payload, "body");
      EXPECT_EQ(data.flags & kEndStream, kEndStream);
      std::string answer = frame_bytes(FrameType::headers, kEndHeaders, 1, response_block("103", {{"link", "x"}}));
      answer += frame_bytes(FrameType::headers, kEndHeaders, 1, response_block("200", {{"x-request-id", "7"}}));
      answer += frame_bytes(FrameType::data, 0, 1, "hello ");
      answer += frame_bytes(FrameType::data, 0, 1, "there");
      answer +=
          frame_bytes(FrameType::headers, kEndHeaders | kEndStream, 1, field_block({{"x-sum", "9"}, {"trailer", "x"}}));
      co_await peer->send(answer);
      (void)co_await peer->next(1h);
    }(raw));
    auto exchange = co_await client.pool.acquire(false, client.soon());
    Headers headers;
    headers.append("Authorization", "Bearer secret");
    headers.append("Connection", "close");
    headers.append("X-Mixed", "Case");
    const iovec body = net::buffer_of("body");
    RequestStart request;
    request.target = "/v1/x?y";
    request.scheme = "https";
    request.authority = "api.example.com";
    request.headers = &headers;
    request.body = {&body, 1};
    EXPECT_FALSE((*exchange)->reused());
    EXPECT_TRUE((co_await (*exchange)->send(request, client.soon())).has_value());
    auto head = co_await (*exchange)->read_head(client.soon());
    EXPECT_EQ((*head)->status, 200);
    EXPECT_EQ((*head)->version, Version::http_2);
    EXPECT_EQ((*head)->headers.size(), 1u) << "nothing of the interim head";
    EXPECT_EQ((*head)->headers.value(HeaderId::x_request_id), "7");
    EXPECT_EQ((*head)->framing, Framing::until_close);
    EXPECT_TRUE((*exchange)->received_any());
    auto answer = co_await read_answer(**exchange, client.soon());
    EXPECT_EQ(answer.body, "hello there");
    EXPECT_EQ((*exchange)->trailers().size(), 1u);
    EXPECT_EQ((*exchange)->trailers().value("x-sum"), "9");
    std::string_view early;
    EXPECT_EQ((*exchange)->raw_stream(early), nullptr);
  });
}

TEST_P(H2Client, RefusesWhatCannotBeSent) {
  TestWorld world(GetParam(), echo);
  Client client(world);
  world.run([&]() -> Task<void> {
    const auto attempt = [&](auto change) -> Task<ErrorCode> {
      auto exchange = co_await client.pool.acquire(false, client.soon());
      Headers headers;
      RequestStart request;
      request.target = "/";
      request.authority = "example.com";
      request.headers = &headers;
      change(request, headers);
      auto sent = co_await (*exchange)->send(request, client.soon());
      co_return sent ? ErrorCode::internal : sent.error().code;
    };
    EXPECT_EQ(co_await attempt([](RequestStart&, Headers& headers) { headers.append("x", "a\nb"); }),
              ErrorCode::invalid_argument);
    EXPECT_EQ(co_await attempt([](RequestStart&, Headers& headers) { headers.append("x y", "a"); }),
              ErrorCode::invalid_argument);
    EXPECT_EQ(co_await attempt([](RequestStart& request, Headers&) { request.target = "/a b"; }),
              ErrorCode::invalid_argument);
    EXPECT_EQ(co_await attempt([](RequestStart& request, Headers&) { request.method = "G T"; }),
              ErrorCode::invalid_argument);
    EXPECT_EQ(co_await attempt([](RequestStart& request, Headers&) { request.upgrade = "websocket"; }),
              ErrorCode::unsupported);
    auto answer = co_await call(client, "GET", "/fine");
    EXPECT_EQ(answer.body, "GET /fine ");
  });
  EXPECT_EQ(client.pool.connects(), 1u);
}

TEST_P(H2Client, DroppedExchangeResetsItsStreamOnly) {
  int cancelled = 0;
  TestWorld world(GetParam(), [&](ServerExchange& exchange) -> Task<void> {
    if (!co_await net::sleep_for(exchange.loop(), 2s, &exchange.cancellation())) {
      ++cancelled;
      co_return;
    }
    co_await respond(exchange, 200, "fine");
  });
  Client client(world);
  world.run([&]() -> Task<void> {
    net::TaskGroup group;
    bool good = false;
    group.spawn([](Client& on, bool& out) -> Task<void> {
      auto answer = co_await call(on, "GET", "/stays");
      out = answer.ok() && answer.body == "fine";
    }(client, good));
    {
      net::TaskGroup dropped;
      for (int i = 0; i < 3; ++i) {
        dropped.spawn([](Client& on) -> Task<void> { (void)co_await call(on, "GET", "/goes"); }(client));
      }
      EXPECT_TRUE(co_await world.until([&] { return world.server->counters().active == 4; }));
    }
    EXPECT_TRUE(co_await world.until([&] { return cancelled == 3; }));
    EXPECT_TRUE(co_await world.until([&] { return group.active() == 0; }));
    EXPECT_TRUE(good);
  });
  EXPECT_EQ(client.pool.connects(), 1u);
  EXPECT_EQ(client.pool.idle(), 1u);
}

TEST_P(H2Client, DeadlineAndCancellationEndAWait) {
  TestWorld world(GetParam(), [](ServerExchange& exchange) -> Task<void> {
    (void)co_await net::sleep_for(exchange.loop(), 10s, &exchange.cancellation());
  });
  Client client(world);
  world.run([&]() -> Task<void> {
    RequestStart request;
    request.method = "GET";
    request.target = "/";
    request.authority = "example.com";
    auto exchange = co_await client.pool.acquire(false, client.soon());
    EXPECT_TRUE((co_await (*exchange)->send(request, client.soon())).has_value());
    auto head = co_await (*exchange)->read_head({.deadline = world.loop.now() + 20ms});
    EXPECT_EQ(head.error().code, ErrorCode::deadline_exceeded);
    net::Cancellation cancellation;
    world.tasks.spawn([](TestWorld& on, net::Cancellation& what) -> Task<void> {
      co_await on.pause(20ms);
      what.cancel(ErrorCode::cancelled);
    }(world, cancellation));
    head = co_await (*exchange)->read_head({.deadline = client.soon().deadline, .cancellation = &cancellation});
    EXPECT_EQ(head.error().code, ErrorCode::cancelled);
  });
}

struct Outcome {
  ErrorCode error = ErrorCode::internal;
  bool may_repeat = false;
  bool received_any = false;
};

// One request whose fate the server decides.
Task<Outcome> fail_once(Client& client) {
  auto exchange = co_await client.pool.acquire(false, client.soon());
  RequestStart request;
  request.method = "GET";
  request.target = "/";
  request.authority = "example.com";
  Outcome outcome;
  auto sent = co_await (*exchange)->send(request, client.soon());
  if (sent) {
    auto answer = co_await read_answer(**exchange, client.soon());
    EXPECT_FALSE(answer.ok());
    outcome.error = answer.error.value_or(ErrorCode::internal);
  } else {
    outcome.error = sent.error().code;
  }
  outcome.may_repeat = (*exchange)->may_repeat();
  outcome.received_any = (*exchange)->received_any();
  co_return outcome;
}

struct FailureCase {
  const char* name;
  std::string answer;
  bool close;
  Outcome expected;
};

std::vector<FailureCase> failure_cases() {
  const std::string head = frame_bytes(FrameType::headers, kEndHeaders, 1, response_block("200"));
  return {
      {"refused stream",
       frame_bytes(FrameType::rst_stream, 0, 1, number_bytes(7)),
       false,
       {ErrorCode::closed, true, false}},
      {"goaway before it",
       frame_bytes(FrameType::goaway, 0, 0, number_bytes(0) + number_bytes(0)),
       false,
       {ErrorCode::closed, true, false}},
      {"reset by an error of the server",
       frame_bytes(FrameType::rst_stream, 0, 1, number_bytes(2)),
       false,
       {ErrorCode::reset, false, false}},
      {"reset in the middle",
       head + frame_bytes(FrameType::rst_stream, 0, 1, number_bytes(2)),
       false,
       {ErrorCode::reset, false, true}},
      {"closed", "", true, {ErrorCode::closed, false, false}},
      {"closed in the middle",
       head + frame_bytes(FrameType::data, 0, 1, "half"),
       true,
       {ErrorCode::closed, false, true}},
      {"body shorter than announced",
       frame_bytes(FrameType::headers, kEndHeaders, 1, response_block("200", {{"content-length", "9"}})) +
           frame_bytes(FrameType::data, kEndStream, 1, "half"),
       false,
       {ErrorCode::protocol, false, true}},
      {"forbidden header",
       frame_bytes(FrameType::headers, kEndHeaders, 1, response_block("200", {{"connection", "close"}})),
       false,
       {ErrorCode::protocol, false, true}},
      {"no status",
       frame_bytes(FrameType::headers, kEndHeaders, 1, field_block({{"x", "y"}})),
       false,
       {ErrorCode::protocol, false, true}},
      {"status out of range",
       frame_bytes(FrameType::headers, kEndHeaders, 1, response_block("777")),
       false,
       {ErrorCode::protocol, false, true}},
      {"head too large",
       frame_bytes(FrameType::headers, kEndHeaders, 1, response_block("200", {{"x", std::string(9000, 'y')}})),
       false,
       {ErrorCode::too_large, false, true}},
      {"interim heads without end",
       [] {
         std::string heads;
         for (int i = 0; i < 20; ++i) heads += frame_bytes(FrameType::headers, kEndHeaders, 1, response_block("103"));
         return heads;
       }(),
       false,
       {ErrorCode::protocol, false, true}},
      {"data before the head", frame_bytes(FrameType::data, 0, 1, "x"), false, {ErrorCode::protocol, false, false}},
      {"no HTTP/2 at all", "HTTP/1.1 400 Bad Request\r\n\r\n", false, {ErrorCode::protocol, false, false}},
      {"a push",
       frame_bytes(FrameType::push_promise, kEndHeaders, 1, number_bytes(2)),
       false,
       {ErrorCode::protocol, false, false}},
      {"goaway with an error",
       frame_bytes(FrameType::goaway, 0, 0, number_bytes(1) + number_bytes(2)),
       true,
       {ErrorCode::reset, false, false}},
  };
}

TEST_P(H2Client, FailuresAreToldApart) {
  for (const FailureCase& test : failure_cases()) {
    TestWorld world(GetParam(), echo);
    RawServer raw(world);
    PoolOptions options = h2_options();
    options.head_limits.head_bytes_max = 8000;
    Client client(world, options);
    Outcome outcome;
    world.run([&]() -> Task<void> {
      world.tasks.spawn([](RawServer& on, const FailureCase& what) -> Task<void> {
        auto peer = co_await on.accept();
        (void)co_await peer->next_of(FrameType::headers, 1);
        co_await peer->send(what.answer);
        if (what.close) co_return;
        while ((co_await peer->next(1h)).arrived) continue;
      }(raw, test));
      outcome = co_await fail_once(client);
    });
    EXPECT_EQ(outcome.error, test.expected.error) << test.name << ": " << base::to_string(outcome.error);
    EXPECT_EQ(outcome.may_repeat, test.expected.may_repeat) << test.name;
    EXPECT_EQ(outcome.received_any, test.expected.received_any) << test.name;
  }
}

// The server closed the connection while it was idle, and did not say so before.
TEST_P(H2Client, RequestThatMeetsAClosedConnectionMayBeRepeated) {
  TestWorld world(GetParam(), echo);
  RawServer raw(world);
  Client client(world);
  world.run([&]() -> Task<void> {
    world.tasks.spawn([](RawServer& on) -> Task<void> {
      for (int connection = 0; connection < 2; ++connection) {
        auto peer = co_await on.accept();
        auto head = co_await peer->next_of(FrameType::headers, 1);
        co_await peer->send(frame_bytes(FrameType::headers, kEndHeaders | kEndStream, 1, response_block("204")));
        (void)co_await peer->next_of(FrameType::headers, 3);
      }
    }(raw));
    auto first = co_await call(client, "GET", "/");
    EXPECT_EQ(first.status, 204);
    const Outcome outcome = co_await fail_once(client);
    EXPECT_EQ(outcome.error, ErrorCode::closed);
    EXPECT_TRUE(outcome.may_repeat);
    EXPECT_FALSE(outcome.received_any);
    auto again = co_await call(client, "GET", "/");
    EXPECT_EQ(again.status, 204);
  });
  EXPECT_EQ(client.pool.connects(), 2u);
}

// Without a word, but after a while: it had the request.
TEST_P(H2Client, RequestThatTheServerHadIsNotRepeated) {
  TestWorld world(GetParam(), echo);
  RawServer raw(world);
  Client client(world);
  world.run([&]() -> Task<void> {
    world.tasks.spawn([](RawServer& on, net::Loop& loop) -> Task<void> {
      auto peer = co_await on.accept();
      (void)co_await peer->next_of(FrameType::headers, 1);
      co_await peer->send(frame_bytes(FrameType::headers, kEndHeaders | kEndStream, 1, response_block("204")));
      (void)co_await peer->next_of(FrameType::headers, 3);
      (void)co_await net::sleep_for(loop, 300ms);
    }(raw, world.loop));
    auto first = co_await call(client, "GET", "/");
    EXPECT_EQ(first.status, 204);
    const Outcome outcome = co_await fail_once(client);
    EXPECT_EQ(outcome.error, ErrorCode::closed);
    EXPECT_FALSE(outcome.may_repeat);
    EXPECT_FALSE(outcome.received_any);
  });
}

TEST_P(H2Client, GoawayLetsEarlierRequestsFinish) {
  TestWorld world(GetParam(), echo);
  RawServer raw(world);
  Client client(world);
  world.run([&]() -> Task<void> {
    world.tasks.spawn([](RawServer& on) -> Task<void> {
      auto peer = co_await on.accept();
      (void)co_await peer->next_of(FrameType::headers, 3);
      co_await peer->send(frame_bytes(FrameType::goaway, 0, 0, number_bytes(1) + number_bytes(0)));
      auto second = co_await on.accept();
      (void)co_await second->next_of(FrameType::headers, 1);
      co_await second->send(frame_bytes(FrameType::headers, kEndHeaders | kEndStream, 1, response_block("201")));
      co_await peer->send(frame_bytes(FrameType::headers, kEndHeaders | kEndStream, 1, response_block("200")));
      EXPECT_TRUE((co_await peer->next_of(FrameType::goaway)).arrived) << "the client says good-bye and closes";
      EXPECT_FALSE((co_await peer->next()).arrived);
      while ((co_await second->next(1h)).arrived) continue;
    }(raw));
    uint16_t status = 0;
    world.tasks.spawn([](Client& on, uint16_t& out) -> Task<void> {
      auto answer = co_await call(on, "GET", "/first");
      if (answer.ok()) out = answer.status;
    }(client, status));
    const Outcome refused = co_await fail_once(client);
    EXPECT_EQ(refused.error, ErrorCode::closed);
    EXPECT_TRUE(refused.may_repeat);
    auto answer = co_await call(client, "GET", "/again");
    EXPECT_EQ(answer.status, 201);
    EXPECT_TRUE(co_await world.until([&] { return status == 200; }));
    EXPECT_TRUE(co_await world.until([&] { return client.pool.open() == 1; }));
  });
  EXPECT_EQ(client.pool.connects(), 2u);
}

TEST_P(H2Client, PeersLimitOnStreamsIsKept) {
  ServerOptions options;
  options.h2_streams_max = 3;
  TestWorld world(
      GetParam(),
      [](ServerExchange& exchange) -> Task<void> {
        (void)co_await net::sleep_for(exchange.loop(), 20ms);
        co_await respond(exchange, 200, "fine");
      },
      options);
  PoolOptions pool_options = h2_options();
  pool_options.connections_max = 1;
  Client client(world, pool_options);
  size_t good = 0;
  world.run([&]() -> Task<void> {
    (void)co_await call(client, "GET", "/");
    net::TaskGroup group;
    for (size_t i = 0; i < 40; ++i) {
      group.spawn([](Client& on, size_t& count) -> Task<void> {
        if ((co_await call(on, "GET", "/")).ok()) ++count;
      }(client, good));
    }
    EXPECT_TRUE(co_await world.until([&] { return group.active() == 0; }));
  });
  EXPECT_EQ(good, 40u);
  EXPECT_EQ(client.pool.connects(), 1u);
}

TEST_P(H2Client, EarlyAnswerEndsTheUpload) {
  TestWorld world(GetParam(), [](ServerExchange& exchange) -> Task<void> {
    (void)co_await net::sleep_for(exchange.loop(), 5ms);
    co_await respond(exchange, 413, "too large");
  });
  Client client(world);
  const std::string body(8 << 20, 'x');
  world.run([&]() -> Task<void> {
    auto answer = co_await call(client, "POST", "/", body);
    EXPECT_TRUE(answer.ok());
    EXPECT_EQ(answer.status, 413);
    EXPECT_EQ(answer.body, "too large");
    auto next = co_await call(client, "POST", "/", "small");
    EXPECT_EQ(next.status, 413);
  });
  EXPECT_EQ(client.pool.connects(), 1u);
}

TEST_P(H2Client, HeadAndEmptyAnswers) {
  TestWorld world(GetParam(), [](ServerExchange& exchange) -> Task<void> {
    if (exchange.head().method == Method::head) {
      EXPECT_TRUE(exchange.start({.framing = Framing::content_length, .content_length = 5000}).has_value());
    } else {
      EXPECT_TRUE(exchange.start({.status = 204, .framing = Framing::none}).has_value());
    }
    EXPECT_TRUE((co_await exchange.write({}, true)).has_value());
  });
  Client client(world);
  world.run([&]() -> Task<void> {
    for (const char* method : {"HEAD", "DELETE"}) {
      auto answer = co_await call(client, method, "/");
      EXPECT_TRUE(answer.ok()) << method;
      EXPECT_EQ(answer.body, "");
    }
  });
}

TEST_P(H2Client, PoolCountsReapsAndRetires) {
  TestWorld world(GetParam(), [](ServerExchange& exchange) -> Task<void> {
    (void)co_await net::sleep_for(exchange.loop(), exchange.head().path == "/slow" ? 2s : 0s);
    co_await respond(exchange, 200, "fine");
  });
  PoolOptions options = h2_options();
  options.idle_time = 2s;
  Client client(world, options);
  world.run([&]() -> Task<void> {
    (void)co_await call(client, "GET", "/");
    client.pool.reap();
    EXPECT_EQ(client.pool.open(), 1u);
    co_await world.pause(2s + 10ms);
    client.pool.reap();
    EXPECT_EQ(client.pool.open(), 0u);

    bool good = false;
    world.tasks.spawn([](Client& on, bool& out) -> Task<void> {
      auto answer = co_await call(on, "GET", "/slow");
      out = answer.ok() && answer.body == "fine";
    }(client, good));
    EXPECT_TRUE(co_await world.until([&] { return world.server->counters().active == 1; }));
    client.pool.retire();
    EXPECT_EQ(client.pool.open(), 1u) << "in use";
    EXPECT_TRUE(co_await world.until([&] { return client.pool.open() == 0; }));
    EXPECT_TRUE(good);
    client.pool.revive();
    EXPECT_TRUE((co_await call(client, "GET", "/")).ok());
    EXPECT_EQ(client.pool.idle(), 1u);
    client.pool.retire();
    EXPECT_EQ(client.pool.open(), 0u);
    EXPECT_TRUE(co_await world.until([&] { return world.server->counters().open == 0; }));
  });
}

TEST_P(H2Client, ServerThatClosesAnIdleConnectionIsForgotten) {
  TestWorld world(GetParam(), echo);
  Client client(world);
  world.run([&]() -> Task<void> {
    (void)co_await call(client, "GET", "/");
    EXPECT_EQ(client.pool.open(), 1u);
    world.server->drain();
    EXPECT_TRUE(co_await world.until([&] { return client.pool.open() == 0; }));
  });
}

TEST(H2ClientTimeouts, SilentServerIsAskedAndGivenUp) {
  TestWorld world(Backend::simulation, echo);
  RawServer raw(world);
  Client client(world);
  world.run([&]() -> Task<void> {
    world.tasks.spawn([](RawServer& on) -> Task<void> {
      auto peer = co_await on.accept();
      (void)co_await peer->next_of(FrameType::headers, 1);
      for (int pings = 0; pings < 3; ++pings) {
        TestFrame ping;
        while (ping.type != FrameType::ping) ping = co_await peer->next(1h);
        if (pings < 2) co_await peer->send(frame_bytes(FrameType::ping, kAck, 0, ping.payload));
      }
      (void)co_await net::sleep_for(on.listener->loop(), 1h);
    }(raw));
    const base::Instant start = world.loop.now();
    auto exchange = co_await client.pool.acquire(false, {});
    RequestStart request;
    request.method = "GET";
    request.target = "/";
    request.authority = "example.com";
    EXPECT_TRUE((co_await (*exchange)->send(request, {})).has_value());
    auto head = co_await (*exchange)->read_head({});
    EXPECT_EQ(head.error().code, ErrorCode::reset);
    EXPECT_FALSE((*exchange)->may_repeat());
    EXPECT_GT(world.loop.now() - start, 60s);
    EXPECT_LT(world.loop.now() - start, 80s);
  });
  EXPECT_EQ(client.pool.open(), 0u);
}

// ALPN decides on both sides.
TEST(H2ClientTls, ProtocolIsNegotiated) {
  net::TestAuthority authority;
  net::TlsServerOptions server_options;
  server_options.certificates = {authority.issue({.names = {"localhost"}})};
  server_options.alpn = {"h2", "http/1.1"};
  auto server_context = net::TlsServerContext::create(server_options);
  for (const bool h2 : {true, false}) {
    net::TlsClientOptions client_options;
    client_options.ca_file = authority.certificate_file();
    client_options.alpn = h2 ? std::vector<std::string>{"h2", "http/1.1"} : std::vector<std::string>{"http/1.1"};
    auto client_context = net::TlsClientContext::create(client_options);
    TestWorld world(Backend::sockets, [&](ServerExchange& exchange) -> Task<void> {
      EXPECT_EQ(exchange.head().version, h2 ? Version::http_2 : Version::http_1_1);
      EXPECT_TRUE(exchange.over_tls());
      co_await echo(exchange);
    });
    auto listener = std::move(*world.network.listen(*net::Address::parse("127.0.0.1:0"), {}));
    const net::Address address = listener->address();
    world.server->listen(std::move(listener), [&] { return &*server_context; });
    Pool pool(
        world.loop,
        [&](net::Wait wait) -> Task<Result<std::unique_ptr<net::Stream>>> {
          CO_TRY(stream, co_await world.network.connect(address, wait));
          co_return co_await net::tls_connect(std::move(stream), *client_context, "localhost", wait);
        },
        PoolOptions{});
    world.run([&]() -> Task<void> {
      const std::string body(300'000, 'x');
      for (int i = 0; i < 2; ++i) {
        const net::Wait soon{world.loop.now() + 10s};
        auto exchange = co_await pool.acquire(false, soon);
        EXPECT_TRUE(exchange.has_value());
        if (!exchange) co_return;
        const iovec buffer = net::buffer_of(body);
        RequestStart request;
        request.target = "/";
        request.scheme = "https";
        request.authority = "localhost";
        request.body = {&buffer, 1};
        EXPECT_TRUE((co_await (*exchange)->send(request, soon)).has_value());
        auto answer = co_await read_answer(**exchange, soon);
        EXPECT_TRUE(answer.ok());
        EXPECT_EQ(answer.body.size(), body.size() + 7);
      }
      EXPECT_EQ(pool.connects(), 1u);
      pool.retire();
      EXPECT_TRUE(co_await world.until([&] { return pool.open() == 0; }));
    });
  }
}

}  // namespace
}  // namespace llmgw::http
