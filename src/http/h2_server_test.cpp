#include <gtest/gtest.h>

#include "http/h2_server.h"
#include "http/h2_test_peer.h"
#include "http/h2_test_world.h"

namespace llmgw::http {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using net::Task;

class H2Server : public BackendTest {};
INSTANTIATE_TEST_SUITE_P(, H2Server, testing::ValuesIn(kBackends), backend_name);

constexpr uint32_t kProtocolError = 1;
constexpr uint32_t kInternalError = 2;
constexpr uint32_t kNoError = 0;

TEST_P(H2Server, AnswersARequest) {
  TestWorld world(GetParam(), echo);
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("GET", "/hello?a=b"));
    auto head = co_await peer.next_of(FrameType::headers, 1);
    EXPECT_EQ(head.fields[":status"], "200");
    EXPECT_EQ(head.fields["content-length"], "15");
    auto data = co_await peer.next_of(FrameType::data, 1);
    EXPECT_EQ(data.payload, "GET /hello?a=b ");
    EXPECT_EQ(data.flags & kEndStream, kEndStream);
  });
  EXPECT_EQ(world.server->counters().requests, 1u);
  EXPECT_EQ(world.server->counters().active, 0u);
}

TEST_P(H2Server, FillsTheHead) {
  bool seen = false;
  TestWorld world(GetParam(), [&](ServerExchange& exchange) -> Task<void> {
    const RequestHead& head = exchange.head();
    EXPECT_EQ(head.method, Method::post);
    EXPECT_EQ(head.target, "/v1/chat?x=1");
    EXPECT_EQ(head.path, "/v1/chat");
    EXPECT_EQ(head.query, "x=1");
    EXPECT_EQ(head.scheme, "http");
    EXPECT_EQ(head.authority, "example.com");
    EXPECT_EQ(head.version, Version::http_2);
    EXPECT_TRUE(head.keep_alive);
    EXPECT_EQ(head.framing, Framing::content_length);
    EXPECT_EQ(head.content_length, 5u);
    EXPECT_EQ(head.headers.value(HeaderId::authorization), "Bearer x");
    EXPECT_EQ(head.headers.value("x-other"), "1");
    EXPECT_EQ(head.headers.value(HeaderId::cookie), "a=1; b=2");
    EXPECT_FALSE(exchange.over_tls());
    seen = true;
    co_await echo(exchange);
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1,
                               request_fields("POST", "/v1/chat?x=1",
                                              {{"content-length", "5"},
                                               {"cookie", "a=1"},
                                               {"authorization", "Bearer x"},
                                               {"x-other", "1"},
                                               {"cookie", "b=2"}}),
                               false);
    co_await peer.send(frame_bytes(FrameType::data, 0, 1, "he"));
    co_await peer.send(frame_bytes(FrameType::data, kEndStream, 1, "llo"));
    auto data = co_await peer.next_of(FrameType::data, 1);
    EXPECT_EQ(data.payload, "POST /v1/chat?x=1 hello");
  });
  EXPECT_TRUE(seen);
}

TEST_P(H2Server, BodyWithoutLengthAndWithTrailers) {
  TestWorld world(GetParam(), [](ServerExchange& exchange) -> Task<void> {
    EXPECT_EQ(exchange.head().framing, Framing::until_close);
    co_await echo(exchange);
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("POST", "/"), false);
    co_await peer.send(frame_bytes(FrameType::data, 0, 1, "body"));
    co_await peer.send(frame_bytes(FrameType::headers, kEndHeaders | kEndStream, 1, field_block({{"x-sum", "1"}})));
    auto data = co_await peer.next_of(FrameType::data, 1);
    EXPECT_EQ(data.payload, "POST / body");
  });
}

TEST_P(H2Server, HeadAndNoContentHaveNoBody) {
  TestWorld world(GetParam(), [](ServerExchange& exchange) -> Task<void> {
    const bool head = exchange.head().method == Method::head;
    const ResponseStart response{.status = static_cast<uint16_t>(head ? 200 : 204),
                                 .framing = head ? Framing::content_length : Framing::none,
                                 .content_length = head ? 1000u : 0u};
    EXPECT_TRUE(exchange.start(response).has_value());
    if (head) {
      const iovec piece = net::buffer_of("ignored");
      EXPECT_TRUE((co_await exchange.write({&piece, 1}, false)).has_value());
    }
    EXPECT_TRUE((co_await exchange.write({}, true)).has_value());
    EXPECT_TRUE(exchange.ended());
    EXPECT_FALSE(exchange.cancellation().cancelled());
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("HEAD", "/"));
    auto head = co_await peer.next_of(FrameType::headers, 1);
    EXPECT_EQ(head.fields["content-length"], "1000");
    EXPECT_EQ(head.flags & kEndStream, kEndStream);
    co_await peer.send_request(3, request_fields("GET", "/"));
    auto none = co_await peer.next_of(FrameType::headers, 3);
    EXPECT_EQ(none.fields[":status"], "204");
    EXPECT_FALSE(none.fields.contains("content-length"));
    EXPECT_EQ(none.flags & kEndStream, kEndStream);
  });
}

TEST_P(H2Server, WritesHeadersInHttp2Form) {
  TestWorld world(GetParam(), [](ServerExchange& exchange) -> Task<void> {
    Headers headers;
    headers.append("Content-Type", "text/plain");
    headers.append("Connection", "close");
    headers.append("Transfer-Encoding", "chunked");
    headers.append("X-Mixed-Case", "Value");
    Headers bad;
    bad.append("x-bad", "a\r\nb: c");
    const ResponseStart refused{.headers = &bad, .framing = Framing::until_close};
    EXPECT_EQ(exchange.start(refused).error().code, ErrorCode::invalid_argument);
    const ResponseStart response{.headers = &headers, .framing = Framing::until_close};
    EXPECT_TRUE(exchange.start(response).has_value());
    EXPECT_TRUE((co_await exchange.flush()).has_value());
    const iovec piece = net::buffer_of("data");
    EXPECT_TRUE((co_await exchange.write({&piece, 1}, false)).has_value());
    EXPECT_TRUE((co_await exchange.write({}, true)).has_value());
    EXPECT_EQ(exchange.bytes_written(), 4u);
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("GET", "/"));
    auto head = co_await peer.next_of(FrameType::headers, 1);
    const std::map<std::string, std::string> expected{
        {":status", "200"}, {"content-type", "text/plain"}, {"x-mixed-case", "Value"}};
    EXPECT_EQ(head.fields, expected);
    auto data = co_await peer.next_of(FrameType::data, 1);
    EXPECT_EQ(data.payload, "data");
    data = co_await peer.next_of(FrameType::data, 1);
    EXPECT_EQ(data.payload, "");
    EXPECT_EQ(data.flags & kEndStream, kEndStream);
  });
}

// RFC 9113, sections 8.1 to 8.3: nghttp2 resets the stream, and the connection goes on.
TEST_P(H2Server, RefusesWhatHttp2Forbids) {
  const TestFields good = request_fields("GET", "/");
  const auto with = [&](const TestFields& more) { return request_fields("GET", "/", more); };
  const auto without = [&](std::string_view name) {
    TestFields fields;
    for (const auto& field : good) {
      if (field.first != name) fields.push_back(field);
    }
    return fields;
  };
  const std::vector<TestFields> cases{
      with({{"X-Upper", "1"}}),
      with({{"connection", "close"}}),
      with({{"keep-alive", "1"}}),
      with({{"proxy-connection", "close"}}),
      with({{"transfer-encoding", "chunked"}}),
      with({{"upgrade", "websocket"}}),
      with({{"te", "gzip"}}),
      with({{":method", "GET"}}),
      with({{"x-a", "1"}, {":authority", "late"}}),
      with({{":unknown", "1"}}),
      with({{":status", "200"}}),
      with({{":protocol", "websocket"}}),
      with({{"content-length", "1"}, {"content-length", "1"}}),
      with({{"content-length", "-1"}}),
      with({{"content-length", "3"}}),
      without(":method"),
      without(":scheme"),
      without(":path"),
      request_fields("GET", ""),
      request_fields("", "/"),
  };
  TestWorld world(GetParam(), echo);
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    uint32_t stream = 1;
    for (const TestFields& fields : cases) {
      co_await peer.send_request(stream, fields);
      auto reset = co_await peer.next_of(FrameType::rst_stream, stream);
      EXPECT_TRUE(reset.arrived) << field_block(fields);
      if (!reset.arrived) co_return;
      EXPECT_EQ(reset.number(0), kProtocolError) << field_block(fields);
      stream += 2;
    }
    co_await peer.send_request(stream, good);
    auto head = co_await peer.next_of(FrameType::headers, stream);
    EXPECT_EQ(head.fields[":status"], "200");
  });
  EXPECT_EQ(world.server->counters().refused_heads, cases.size());
  EXPECT_EQ(world.handler.malformed, static_cast<int>(cases.size()));
  EXPECT_EQ(world.server->counters().requests, 1u);
}

// What HTTP/1.1 refuses with a status is refused with the same one, unless nghttp2 has refused it before.
TEST_P(H2Server, AnswersMalformedHeads) {
  struct Case {
    TestFields fields;
    std::string_view status;
  };
  const auto with_authority = [](std::string authority, const TestFields& more = {}) {
    TestFields fields{{":method", "GET"}, {":scheme", "http"}, {":authority", std::move(authority)}, {":path", "/"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  };
  TestFields many = request_fields("GET", "/");
  for (int i = 0; i < 200; ++i) many.emplace_back("x-" + std::to_string(i), "1");
  const std::vector<Case> cases{
      {{{":method", "CONNECT"}, {":authority", "example.com:443"}}, "501"},
      {request_fields("GET", "/a b"), "reset"},
      {request_fields("GET", "/a\\b"), "400"},
      {request_fields("GET", "/a#b"), "400"},
      {request_fields("OPTIONS", "/" + std::string(9000, 'a')), "414"},
      {with_authority("exa mple.com"), "reset"},
      {with_authority("user@example.com"), "400"},
      {with_authority("example.com", {{"host", "other.com"}}), "400"},
      {with_authority("example.com:99999"), "400"},
      {{{":method", "GET"}, {":scheme", "ftp"}, {":authority", "example.com"}, {":path", "/"}}, "400"},
      {request_fields("POST", "/", {{"expect", "200-maybe"}}), "417"},
      {request_fields("GET", "/", {{"x-long", std::string(15000, 'a')}, {"x-more", std::string(1000, 'b')}}), "431"},
      {many, "431"},
      {request_fields("GET", "/", {{"x-bad", "a\nb"}}), "400"},
      {request_fields("GET", "/", {{"x bad", "1"}}), "400"},
  };
  ServerOptions options;
  options.head_limits.head_bytes_max = 10'000;
  TestWorld world(GetParam(), echo, options);
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    uint32_t stream = 1;
    for (const Case& test : cases) {
      co_await peer.send_request(stream, test.fields);
      auto frame = co_await peer.next();
      while (frame.arrived && frame.stream != stream) frame = co_await peer.next();
      EXPECT_TRUE(frame.arrived) << field_block(test.fields);
      if (!frame.arrived) co_return;
      if (frame.type == FrameType::rst_stream) {
        EXPECT_EQ(test.status, "reset") << field_block(test.fields);
        EXPECT_EQ(frame.number(0), kProtocolError);
      } else {
        EXPECT_EQ(frame.fields[":status"], test.status) << field_block(test.fields).substr(0, 200);
        EXPECT_EQ(frame.fields["content-type"], "application/json");
        EXPECT_EQ(frame.fields["x-request-id"], "malformed-id");
        auto data = co_await peer.next_of(FrameType::data, stream);
        EXPECT_EQ(data.payload.substr(0, 3), test.status);
      }
      stream += 2;
    }
  });
  EXPECT_EQ(world.server->counters().refused_heads, cases.size());
  EXPECT_EQ(world.server->counters().requests, 0u);
}

TEST_P(H2Server, MismatchOfLengthAndBodyIsAProtocolError) {
  std::optional<ErrorCode> error;
  TestWorld world(GetParam(), [&](ServerExchange& exchange) -> Task<void> {
    auto body = co_await exchange.read_body(1000);
    if (!body) error = body.error().code;
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("POST", "/", {{"content-length", "10"}}), false);
    EXPECT_TRUE(co_await world.until([&] { return world.server->counters().active == 1; }));
    co_await peer.send(frame_bytes(FrameType::data, kEndStream, 1, "short"));
    auto reset = co_await peer.next_of(FrameType::rst_stream, 1);
    EXPECT_EQ(reset.number(0), kProtocolError);
    EXPECT_TRUE(co_await world.until([&] { return error.has_value(); }));
  });
  EXPECT_EQ(error, ErrorCode::protocol);
}

TEST_P(H2Server, ExpectContinue) {
  TestWorld world(GetParam(), echo);
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("POST", "/", {{"expect", "100-continue"}}), false);
    auto interim = co_await peer.next_of(FrameType::headers, 1);
    EXPECT_EQ(interim.fields[":status"], "100");
    co_await peer.send(frame_bytes(FrameType::data, kEndStream, 1, "now"));
    auto head = co_await peer.next_of(FrameType::headers, 1);
    EXPECT_EQ(head.fields[":status"], "200");
    auto data = co_await peer.next_of(FrameType::data, 1);
    EXPECT_EQ(data.payload, "POST / now");
  });
}

TEST_P(H2Server, BodyAboveTheLimit) {
  std::vector<ErrorCode> errors;
  TestWorld world(GetParam(), [&](ServerExchange& exchange) -> Task<void> {
    auto body = co_await exchange.read_body(10);
    EXPECT_FALSE(body.has_value());
    if (!body) errors.push_back(body.error().code);
    co_await respond(exchange, 413, "too large");
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("POST", "/", {{"content-length", "11"}}), false);
    co_await peer.send_request(3, request_fields("POST", "/"), false);
    co_await peer.send(frame_bytes(FrameType::data, 0, 3, "01234"));
    co_await peer.send(frame_bytes(FrameType::data, 0, 3, "56789a"));
    for (const uint32_t stream : {1u, 3u}) {
      auto head = co_await peer.next_of(FrameType::headers, stream);
      EXPECT_EQ(head.fields[":status"], "413");
    }
  });
  EXPECT_EQ(errors, (std::vector{ErrorCode::too_large, ErrorCode::too_large}));
}

TEST_P(H2Server, ResetByTheClientCancelsTheHandler) {
  std::optional<ErrorCode> reason;
  bool other_cancelled = false;
  TestWorld world(GetParam(), [&](ServerExchange& exchange) -> Task<void> {
    auto slept = co_await net::sleep_for(exchange.loop(), 2s, &exchange.cancellation());
    if (exchange.head().path == "/cancel") {
      if (!slept) reason = slept.error().code;
      auto written = exchange.start({.framing = Framing::until_close});
      EXPECT_TRUE(written.has_value());
      EXPECT_FALSE((co_await exchange.write({}, true)).has_value());
      co_return;
    }
    other_cancelled = !slept.has_value();
    co_await respond(exchange, 200, "fine");
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("GET", "/cancel"));
    co_await peer.send_request(3, request_fields("GET", "/other"));
    EXPECT_TRUE(co_await world.until([&] { return world.server->counters().active == 2; }));
    co_await peer.send(frame_bytes(FrameType::rst_stream, 0, 1, number_bytes(8)));
    EXPECT_TRUE(co_await world.until([&] { return reason.has_value(); }));
    auto head = co_await peer.next_of(FrameType::headers, 3);
    EXPECT_EQ(head.fields[":status"], "200");
  });
  EXPECT_EQ(reason, ErrorCode::closed);
  EXPECT_FALSE(other_cancelled);
}

TEST_P(H2Server, LossOfTheConnectionCancelsAllHandlers) {
  int cancelled = 0;
  TestWorld world(GetParam(), [&](ServerExchange& exchange) -> Task<void> {
    auto slept = co_await net::sleep_for(exchange.loop(), 100s, &exchange.cancellation());
    // The account is settled after the client has gone.
    (void)co_await net::sleep_for(exchange.loop(), 50ms);
    if (!slept) ++cancelled;
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    for (uint32_t stream = 1; stream < 10; stream += 2) co_await peer.send_request(stream, request_fields("GET", "/"));
    EXPECT_TRUE(co_await world.until([&] { return world.server->counters().active == 5; }));
    peer.close();
    EXPECT_TRUE(co_await world.until([&] { return world.server->counters().open == 0; }));
  });
  EXPECT_EQ(cancelled, 5);
  EXPECT_EQ(world.server->counters().active, 0u);
}

TEST_P(H2Server, AbortAndAForgottenEndResetTheStream) {
  TestWorld world(GetParam(), [](ServerExchange& exchange) -> Task<void> {
    EXPECT_TRUE(exchange.start({.framing = Framing::until_close}).has_value());
    const iovec piece = net::buffer_of("half");
    EXPECT_TRUE((co_await exchange.write({&piece, 1}, false)).has_value());
    if (exchange.head().path == "/abort") {
      exchange.abort();
      EXPECT_FALSE((co_await exchange.write({&piece, 1}, true)).has_value());
    }
    auto taken = co_await exchange.take_over(nullptr);
    EXPECT_EQ(taken.error().code, ErrorCode::unsupported);
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    uint32_t stream = 1;
    for (const char* path : {"/abort", "/forget"}) {
      co_await peer.send_request(stream, request_fields("GET", path));
      auto data = co_await peer.next_of(FrameType::data, stream);
      EXPECT_EQ(data.payload, "half");
      auto reset = co_await peer.next_of(FrameType::rst_stream, stream);
      EXPECT_EQ(reset.number(0), kInternalError);
      stream += 2;
    }
  });
}

TEST_P(H2Server, WrongLengthOfAResponseIsNotHidden) {
  TestWorld world(GetParam(), [](ServerExchange& exchange) -> Task<void> {
    EXPECT_TRUE(exchange.start({.framing = Framing::content_length, .content_length = 10}).has_value());
    const iovec piece = net::buffer_of("short");
    EXPECT_EQ((co_await exchange.write({&piece, 1}, true)).error().code, ErrorCode::internal);
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("GET", "/"));
    auto reset = co_await peer.next_of(FrameType::rst_stream, 1);
    EXPECT_TRUE(reset.arrived);
  });
}

// A client that has its answer may send the rest of its request, for a while.
TEST_P(H2Server, AnswersBeforeTheBodyIsThere) {
  TestWorld world(GetParam(),
                  [](ServerExchange& exchange) -> Task<void> { co_await respond(exchange, 401, "no key"); });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("POST", "/"), false);
    auto data = co_await peer.next_of(FrameType::data, 1);
    EXPECT_EQ(data.payload, "no key");
    EXPECT_EQ(data.flags & kEndStream, kEndStream);
    EXPECT_EQ(world.server->counters().active, 0u);
    const std::string piece(16'000, 'x');
    int64_t credit = kH2ServerStreamWindow;
    for (size_t sent = 0; sent < 2'000'000; sent += piece.size()) {
      while (credit < static_cast<int64_t>(piece.size())) {
        auto frame = co_await peer.next_of(FrameType::window_update, 1);
        EXPECT_TRUE(frame.arrived);
        if (!frame.arrived) co_return;
        credit += frame.number(0);
      }
      co_await peer.send(frame_bytes(FrameType::data, 0, 1, piece));
      credit -= static_cast<int64_t>(piece.size());
    }
    co_await peer.send(frame_bytes(FrameType::data, kEndStream, 1, "the end"));
    co_await peer.send_request(3, request_fields("GET", "/"));
    for (;;) {
      auto frame = co_await peer.next();
      EXPECT_TRUE(frame.arrived);
      EXPECT_NE(frame.type, FrameType::rst_stream);
      if (!frame.arrived || frame.type == FrameType::headers) break;
    }
  });
}

TEST(H2ServerSimulated, RequestThatNeverEndsIsResetAfterItsAnswer) {
  for (const bool sends : {false, true}) {
    TestWorld world(Backend::simulation,
                    [](ServerExchange& exchange) -> Task<void> { co_await respond(exchange, 401, "no key"); });
    world.run([&]() -> Task<void> {
      TestPeer peer(co_await world.connect());
      co_await peer.greet();
      co_await peer.send_request(1, request_fields("POST", "/"), false);
      EXPECT_TRUE((co_await peer.next_of(FrameType::data, 1)).arrived);
      const base::Instant answered = world.loop.now();
      uint64_t sent = 0;
      TestFrame reset;
      while (sends && reset.type != FrameType::rst_stream) {
        co_await peer.send(frame_bytes(FrameType::data, 0, 1, std::string(16'000, 'x')));
        sent += 16'000;
        if (sent % 48'000 == 0) reset = co_await peer.next();
      }
      while (reset.type != FrameType::rst_stream) reset = co_await peer.next(10s);
      EXPECT_EQ(reset.number(0), kNoError);
      EXPECT_LE(world.loop.now() - answered, kH2LingerTotal + 1s);
      EXPECT_LE(sent, 2 * kH2LingerBytesMax);
      co_await peer.send_request(3, request_fields("GET", "/"));
      EXPECT_TRUE((co_await peer.next_of(FrameType::headers, 3)).arrived);
    });
  }
}

Task<TestFrame> second_goaway(TestPeer& peer) {
  EXPECT_EQ((co_await peer.next_of(FrameType::goaway)).number(0), 0x7fffffffu);
  co_return co_await peer.next_of(FrameType::goaway);
}

// The next DATA, and nothing before it that tells the client to go.
Task<TestFrame> data_before_goaway(TestPeer& peer) {
  TestFrame frame = co_await peer.next();
  while (frame.arrived && frame.type != FrameType::data) {
    EXPECT_NE(frame.type, FrameType::goaway) << "while a request runs";
    frame = co_await peer.next();
  }
  co_return frame;
}

// A request that outlasts the grace of a drain.
Task<void> answer_slowly(ServerExchange& exchange) {
  (void)co_await net::sleep_for(exchange.loop(), 2 * kDrainGrace);
  co_await respond(exchange, 200, "done");
}

// Told to go is who has no request running, with the number of his last: what crosses that he repeats elsewhere.
TEST_P(H2Server, DrainLetsRequestsFinish) {
  TestWorld world(GetParam(), answer_slowly);
  world.run([&]() -> Task<void> {
    TestPeer idle(co_await world.connect());
    co_await idle.greet();
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("GET", "/"));
    EXPECT_TRUE(co_await world.until([&] { return world.server->counters().active == 1; }));
    EXPECT_EQ(world.server->counters().open, 2u);
    world.server->drain();
    // Some clients give all their requests up when they are told to go.
    co_await peer.send_request(3, request_fields("GET", "/"));
    auto goaway = co_await idle.next_of(FrameType::goaway);
    EXPECT_EQ(goaway.number(0), 0u);
    EXPECT_EQ(goaway.number(4), kNoError);
    EXPECT_FALSE((co_await idle.next()).arrived);

    for (const uint32_t stream : {1u, 3u}) {
      const TestFrame data = co_await data_before_goaway(peer);
      EXPECT_EQ(data.payload, "done");
      EXPECT_EQ(data.stream, stream);
    }
    EXPECT_EQ((co_await peer.next_of(FrameType::goaway)).number(0), 3u);
    co_await peer.send_request(5, request_fields("GET", "/crosses"));
    EXPECT_FALSE((co_await peer.next()).arrived);
  });
  EXPECT_EQ(world.server->counters().requests, 2u);
}

// Its client has connected in order to ask something.
TEST_P(H2Server, AFirstRequestIsAwaitedByADrain) {
  TestWorld world(GetParam(), echo);
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    world.server->drain();
    co_await peer.send_request(1, request_fields("GET", "/"));
    EXPECT_TRUE((co_await data_before_goaway(peer)).arrived);
    EXPECT_EQ((co_await peer.next_of(FrameType::goaway)).number(0), 1u);
    EXPECT_FALSE((co_await peer.next()).arrived);
  });
}

// A client that looks only when it sends again is not reset before it has read that it has to go; but nobody waits for
// it for ever.
TEST(H2ServerSimulated, TheGoodbyeWaitsToBeRead) {
  TestWorld world(Backend::simulation, echo);
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("GET", "/"));
    EXPECT_TRUE((co_await peer.next_of(FrameType::data, 1)).arrived);
    world.server->drain();
    (void)co_await net::sleep_for(world.loop, kGoodbyeTime - 1s);
    EXPECT_EQ(world.server->counters().open, 1u);
    co_await peer.send_request(3, request_fields("GET", "/crosses"));
    EXPECT_EQ((co_await peer.next_of(FrameType::goaway)).number(0), 1u);
    (void)co_await net::sleep_for(world.loop, 2s);
    EXPECT_EQ(world.server->counters().open, 0u);
  });
}

// A client that is never without a request is told to go at last, and what is on its way then is served.
TEST_P(H2Server, TheLastCallOfADrainComesWhileRequestsRun) {
  TestWorld world(GetParam(), answer_slowly);
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("GET", "/"));
    EXPECT_TRUE(co_await world.until([&] { return world.server->counters().active == 1; }));
    world.server->last_call();  // nothing without a drain
    world.server->drain();
    world.server->last_call();
    co_await peer.send_request(3, request_fields("GET", "/"));
    EXPECT_EQ((co_await second_goaway(peer)).number(0), 3u) << "the request that was on its way in time";
    co_await peer.send_request(5, request_fields("GET", "/late"));
    for (const uint32_t stream : {1u, 3u}) {
      auto data = co_await peer.next_of(FrameType::data, stream);
      EXPECT_EQ(data.payload, "done");
    }
    EXPECT_FALSE((co_await peer.next()).arrived);
  });
  EXPECT_EQ(world.server->counters().requests, 2u);
}

TEST_P(H2Server, CancelAllStopsWhatIsRunning) {
  std::optional<ErrorCode> reason;
  TestWorld world(GetParam(), [&](ServerExchange& exchange) -> Task<void> {
    auto slept = co_await net::sleep_for(exchange.loop(), 3600s, &exchange.cancellation());
    if (!slept) reason = slept.error().code;
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("GET", "/"));
    EXPECT_TRUE(co_await world.until([&] { return world.server->counters().active == 1; }));
    world.server->cancel_all();
    EXPECT_TRUE(co_await world.until([&] { return reason.has_value(); }));
    EXPECT_TRUE((co_await peer.next_of(FrameType::rst_stream, 1)).arrived);
    peer.close();
    EXPECT_TRUE(co_await world.until([&] { return world.server->idle(); }));
  });
  EXPECT_EQ(reason, ErrorCode::cancelled);
}

TEST_P(H2Server, ClosesAfterItsShareOfRequests) {
  ServerOptions options;
  options.requests_per_connection_max = 2;
  TestWorld world(GetParam(), echo, options);
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    for (const uint32_t stream : {1u, 3u}) {
      co_await peer.send_request(stream, request_fields("GET", "/"));
      EXPECT_TRUE((co_await peer.next_of(FrameType::data, stream)).arrived);
    }
    EXPECT_EQ((co_await peer.next_of(FrameType::goaway)).number(0), 3u);
    EXPECT_FALSE((co_await peer.next()).arrived);
  });
}

// The share may be exceeded: a request that runs is not given up for it.
TEST_P(H2Server, TheShareOfRequestsIsOverWhenNoneRuns) {
  ServerOptions options;
  options.requests_per_connection_max = 1;
  TestWorld world(
      GetParam(),
      [](ServerExchange& exchange) -> Task<void> {
        if (exchange.head().path == "/slow") co_return co_await answer_slowly(exchange);
        co_await respond(exchange, 200, "done");
      },
      options);
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("GET", "/slow"));
    co_await peer.send_request(3, request_fields("GET", "/"));
    for (const uint32_t stream : {3u, 1u}) {
      EXPECT_EQ((co_await data_before_goaway(peer)).stream, stream);
    }
    EXPECT_EQ((co_await peer.next_of(FrameType::goaway)).number(0), 3u);
    EXPECT_FALSE((co_await peer.next()).arrived);
  });
}

}  // namespace
}  // namespace llmgw::http
