// What an HTTP/2 server does to peers that are too slow, too fast or too hungry.
#include <gtest/gtest.h>

#include "http/h1_parser.h"
#include "http/h2_guard.h"
#include "http/h2_server.h"
#include "http/h2_test_peer.h"
#include "http/h2_test_world.h"

namespace llmgw::http {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using base::Instant;
using net::Task;

class H2Limits : public BackendTest {};
INSTANTIATE_TEST_SUITE_P(, H2Limits, testing::ValuesIn(kBackends), backend_name);

constexpr uint32_t kNoError = 0;
constexpr uint32_t kSettingsTimeout = 4;
constexpr uint32_t kRefusedStream = 7;
constexpr uint32_t kCancel = 8;
constexpr uint32_t kEnhanceYourCalm = 11;

TEST(H2Guard, AllowsABurstAndARate) {
  H2Guard guard;
  Instant now{1000s};
  for (uint32_t i = 0; i < H2Guard::kResetsBurst; ++i) EXPECT_TRUE(guard.allow(H2Guard::Event::reset, now));
  EXPECT_FALSE(guard.allow(H2Guard::Event::reset, now));
  EXPECT_TRUE(guard.allow(H2Guard::Event::idle_frame, now)) << "each kind has its own count";
  now += 1s;
  for (uint32_t i = 0; i < H2Guard::kResetsPerSecond; ++i) EXPECT_TRUE(guard.allow(H2Guard::Event::reset, now));
  EXPECT_FALSE(guard.allow(H2Guard::Event::reset, now));
}

TEST(H2Guard, SavesNoMoreThanABurst) {
  H2Guard guard;
  const Instant now{100'000s};
  uint32_t allowed = 0;
  while (guard.allow(H2Guard::Event::idle_frame, now)) ++allowed;
  EXPECT_EQ(allowed, H2Guard::kIdleFramesBurst);
}

// However the bytes are cut, the same frames are seen.
TEST(H2FrameWatch, CountsWhatNghttp2Skips) {
  std::string bytes(kH2Preface);
  uint32_t idle = 0;
  for (uint32_t i = 0; idle <= H2Guard::kIdleFramesBurst; ++i) {
    bytes += frame_bytes(FrameType::data, 0, 1, std::string(i % 300, 'x'));
    bytes += frame_bytes(FrameType::window_update, 0, 1, number_bytes(1));
    bytes += frame_bytes(FrameType::headers, kEndHeaders, 1, {});
    bytes += frame_bytes(FrameType::data, kEndStream, 1, {});
    if (i % 300 == 0) ++idle;  // empty DATA
    bytes += frame_bytes(FrameType::continuation, 0, 1, {});
    bytes += frame_bytes(static_cast<FrameType>(0x20), 0, 0, "extension");
    bytes += frame_bytes(FrameType::ping, 0, 0, "12345678");
    idle += 3;
  }
  const Instant now{100'000s};
  for (const size_t step : {size_t{1}, size_t{7}, size_t{1000}, bytes.size()}) {
    H2Guard guard;
    H2FrameWatch watch(guard, kH2Preface.size());
    bool allowed = true;
    size_t at = 0;
    for (; at < bytes.size() && allowed; at += step)
      allowed = watch.feed(std::string_view(bytes).substr(at, step), now);
    EXPECT_FALSE(allowed);
    EXPECT_GE(at + 200, bytes.size()) << "not before the last frames";
    EXPECT_TRUE(guard.allow(H2Guard::Event::reset, now));
  }
}

// Sends `bytes` over and over until the server says GOAWAY; the error it gives, or nothing.
Task<std::optional<uint32_t>> flood(TestPeer& peer, std::function<std::string(uint32_t)> frames, uint32_t rounds) {
  for (uint32_t i = 0; i < rounds; ++i) {
    if (!co_await peer.send(frames(i))) break;
  }
  auto goaway = co_await peer.next_of(FrameType::goaway);
  if (!goaway.arrived) co_return std::nullopt;
  co_return goaway.number(4);
}

// CVE-2023-44487.
TEST_P(H2Limits, RapidResetIsStopped) {
  size_t started = 0;
  size_t most = 0;
  TestWorld* world_of = nullptr;
  TestWorld world(GetParam(), [&](ServerExchange& exchange) -> Task<void> {
    ++started;
    most = std::max<size_t>(most, world_of->server->counters().active);
    (void)co_await net::sleep_for(exchange.loop(), 10s, &exchange.cancellation());
    (void)co_await net::sleep_for(exchange.loop(), 100ms);  // cleaning up takes time
  });
  world_of = &world;
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    const std::string block = field_block(request_fields("GET", "/"));
    const auto error = co_await flood(
        peer,
        [&](uint32_t round) {
          std::string bytes;
          for (uint32_t i = 0; i < 100; ++i) {
            const uint32_t stream = 2 * (round * 100 + i) + 1;
            bytes += frame_bytes(FrameType::headers, kEndHeaders | kEndStream, stream, block);
            bytes += frame_bytes(FrameType::rst_stream, 0, stream, number_bytes(kCancel));
          }
          return bytes;
        },
        200);
    EXPECT_EQ(error, kEnhanceYourCalm);
    peer.close();
    EXPECT_TRUE(co_await world.until([&] { return world.server->counters().open == 0; }));
  });
  EXPECT_LE(most, 2u * world.server->options().h2_streams_max);
  EXPECT_LE(started, 2 * H2Guard::kResetsBurst);
  EXPECT_EQ(world.handler.faults, std::vector{ConnectionFault::http2_flood});
}

// The same, with our side made to reset: CVE-2025-8671.
TEST_P(H2Limits, BeingMadeToResetIsStopped) {
  TestWorld world(GetParam(), [](ServerExchange& exchange) -> Task<void> {
    (void)co_await net::sleep_for(exchange.loop(), 10s, &exchange.cancellation());
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    const std::string block = field_block(request_fields("GET", "/"));
    const auto error = co_await flood(
        peer,
        [&](uint32_t round) {
          std::string bytes;
          for (uint32_t i = 0; i < 100; ++i) {
            const uint32_t stream = 2 * (round * 100 + i) + 1;
            bytes += frame_bytes(FrameType::headers, kEndHeaders | kEndStream, stream, block);
            bytes += frame_bytes(FrameType::window_update, 0, stream, number_bytes(0x7fffffff));
          }
          return bytes;
        },
        200);
    EXPECT_EQ(error, kEnhanceYourCalm);
  });
}

TEST_P(H2Limits, FloodsOfIdleFramesAreStopped) {
  const std::vector<std::function<std::string(uint32_t)>> floods{
      [](uint32_t) { return frame_bytes(FrameType::ping, 0, 0, "12345678"); },
      [](uint32_t) { return frame_bytes(FrameType::settings, 0, 0, {}); },
      [](uint32_t) { return frame_bytes(FrameType::priority, 0, 1, number_bytes(0) + "\x01"); },
      [](uint32_t) { return frame_bytes(FrameType::data, 0, 1, {}); },
      [](uint32_t) { return frame_bytes(static_cast<FrameType>(0xbb), 0, 0, "?"); },
  };
  for (const auto& frame : floods) {
    TestWorld world(GetParam(), [](ServerExchange& exchange) -> Task<void> {
      (void)co_await net::sleep_for(exchange.loop(), 100s, &exchange.cancellation());
    });
    world.run([&]() -> Task<void> {
      TestPeer peer(co_await world.connect());
      co_await peer.greet();
      co_await peer.send_request(1, request_fields("POST", "/"), false);
      const auto error = co_await flood(
          peer,
          [&](uint32_t round) {
            std::string bytes;
            for (int i = 0; i < 100; ++i) bytes += frame(round);
            return bytes;
          },
          100);
      EXPECT_EQ(error, kEnhanceYourCalm);
      peer.close();
      EXPECT_TRUE(co_await world.until([&] { return world.server->counters().open == 0; }));
    });
    EXPECT_EQ(world.handler.faults, std::vector{ConnectionFault::http2_flood});
  }
}

// CVE-2024-28182: a header block without end.
TEST_P(H2Limits, EndlessContinuationIsStopped) {
  TestWorld world(GetParam(), echo);
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    const std::string block = field_block({{"x-" + std::string(100, 'a'), std::string(8000, 'b')}});
    co_await peer.send(frame_bytes(FrameType::headers, kEndStream, 1, field_block(request_fields("GET", "/"))));
    const auto error =
        co_await flood(peer, [&](uint32_t) { return frame_bytes(FrameType::continuation, 0, 1, block); }, 1000);
    EXPECT_TRUE(error.has_value());
    peer.close();
    EXPECT_TRUE(co_await world.until([&] { return world.server->counters().open == 0; }));
  });
  EXPECT_EQ(world.server->counters().requests, 0u);
}

// Few bytes that decode to many: the dynamic table, and then one byte a field.
TEST_P(H2Limits, HeaderBombIsReset) {
  TestWorld world(GetParam(), echo);
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    std::string block = field_block(request_fields("GET", "/"));
    std::string entry = field_block({{"x-bomb", std::string(3900, 'b')}});
    entry[0] = 0x40;  // with indexing
    block += entry;
    block.append(10'000, static_cast<char>(0x80 | 62));  // 39 MB
    co_await peer.send(frame_bytes(FrameType::headers, kEndStream | kEndHeaders, 1, block));
    auto reset = co_await peer.next_of(FrameType::rst_stream, 1);
    EXPECT_EQ(reset.number(0), kEnhanceYourCalm);
    co_await peer.send_request(3, request_fields("GET", "/"));
    EXPECT_TRUE((co_await peer.next_of(FrameType::data, 3)).arrived);
  });
  EXPECT_EQ(world.server->counters().refused_heads, 1u);
}

// A client that does not know the limit yet is refused the stream; one that has acknowledged it breaks the protocol.
TEST_P(H2Limits, TooManyStreamsAreRefused) {
  ServerOptions options;
  options.h2_streams_max = 2;
  for (const bool knows_limit : {false, true}) {
    TestWorld world(
        GetParam(),
        [](ServerExchange& exchange) -> Task<void> {
          (void)co_await net::sleep_for(exchange.loop(), 2s, &exchange.cancellation());
          co_await respond(exchange, 200, "fine");
        },
        options);
    world.run([&]() -> Task<void> {
      TestPeer peer(co_await world.connect());
      co_await peer.greet();
      if (knows_limit) EXPECT_TRUE((co_await peer.next_of(FrameType::settings)).arrived);
      for (uint32_t stream = 1; stream <= 5; stream += 2) {
        co_await peer.send_request(stream, request_fields("GET", "/"));
      }
      if (knows_limit) {
        EXPECT_TRUE((co_await peer.next_of(FrameType::goaway)).arrived);
        co_return;
      }
      auto reset = co_await peer.next_of(FrameType::rst_stream, 5);
      EXPECT_EQ(reset.number(0), kRefusedStream);
      EXPECT_TRUE((co_await peer.next_of(FrameType::data, 1)).arrived);
      EXPECT_TRUE((co_await peer.next_of(FrameType::data, 3)).arrived);
    });
    EXPECT_EQ(world.server->counters().requests, 2u);
  }
}

// Streams that the client has reset leave their handlers behind for a moment; they count.
TEST_P(H2Limits, HandlersAreBoundedToo) {
  ServerOptions options;
  options.h2_streams_max = 4;
  size_t most = 0;
  TestWorld* world_of = nullptr;
  TestWorld world(
      GetParam(),
      [&](ServerExchange& exchange) -> Task<void> {
        most = std::max<size_t>(most, world_of->server->counters().active);
        (void)co_await net::sleep_for(exchange.loop(), 200ms);  // deaf to cancellation
      },
      options);
  world_of = &world;
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    for (uint32_t stream = 1; stream < 100; stream += 2) {
      co_await peer.send_request(stream, request_fields("GET", "/"));
      co_await world.pause(1ms);
      co_await peer.send(frame_bytes(FrameType::rst_stream, 0, stream, number_bytes(kCancel)));
    }
    EXPECT_TRUE(co_await world.until([&] { return world.server->counters().active == 0; }));
  });
  EXPECT_LE(most, 8u);
  EXPECT_GE(most, 4u);
}

TEST(H2Timeouts, IdleConnectionIsClosed) {
  TestWorld world(Backend::simulation, echo);
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("GET", "/"));
    EXPECT_TRUE((co_await peer.next_of(FrameType::data, 1)).arrived);
    const Instant idle_since = world.loop.now();
    const auto goaway = co_await peer.next(100s);
    EXPECT_EQ(goaway.type, FrameType::goaway);
    EXPECT_EQ(goaway.number(4), kNoError);
    const base::Duration idle = world.loop.now() - idle_since;
    EXPECT_GE(idle, world.server->options().idle_timeout);
    EXPECT_LT(idle, world.server->options().idle_timeout + 1s);
    EXPECT_FALSE((co_await peer.next()).arrived);
  });
}

TEST(H2Timeouts, SilentPeerIsAskedAndGivenUp) {
  std::optional<base::Duration> cancelled_after;
  TestWorld world(Backend::simulation, [&](ServerExchange& exchange) -> Task<void> {
    const Instant start = exchange.loop().now();
    (void)co_await net::sleep_for(exchange.loop(), 3600s, &exchange.cancellation());
    cancelled_after = exchange.loop().now() - start;
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    EXPECT_TRUE((co_await peer.next_of(FrameType::settings)).arrived);
    co_await peer.send_request(1, request_fields("GET", "/"));
    // It answers the first PING and not the second.
    TestFrame ping;
    while (ping.type != FrameType::ping) ping = co_await peer.next(200s);
    co_await peer.send(frame_bytes(FrameType::ping, kAck, 0, ping.payload));
    EXPECT_TRUE(co_await world.until([&] { return world.server->counters().active == 1; }));
    co_await world.pause(120s);
    EXPECT_EQ(world.server->counters().open, 0u);
  });
  EXPECT_GT(cancelled_after, 100s);
  EXPECT_LT(cancelled_after, 130s);
}

TEST(H2Timeouts, SettingsMustComeAndBeAcknowledged) {
  for (const bool sends_settings : {false, true}) {
    TestWorld world(Backend::simulation, echo);
    world.run([&]() -> Task<void> {
      auto stream = co_await world.connect();
      std::string hello(kH2Preface);
      if (sends_settings) hello += frame_bytes(FrameType::settings, 0, 0, {});
      (void)co_await net::write_all(*stream, hello, {});
      const Instant start = world.loop.now();
      std::string received;
      for (;;) {
        auto bytes = co_await net::read_scratch(*stream, {.deadline = start + 60s});
        if (!bytes || bytes->empty()) break;
        received.append(bytes->data(), bytes->size());
      }
      EXPECT_LT(world.loop.now() - start, world.server->options().header_timeout + 2s);
      const std::string goaway = frame_bytes(FrameType::goaway, 0, 0, number_bytes(0) + number_bytes(kSettingsTimeout));
      EXPECT_TRUE(received.ends_with(goaway));
    });
  }
}

TEST(H2Timeouts, SlowHeadIsCut) {
  TestWorld world(Backend::simulation, echo);
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    EXPECT_TRUE((co_await peer.next_of(FrameType::settings)).arrived);
    co_await world.pause(20s);
    co_await peer.send(frame_bytes(FrameType::headers, kEndStream, 1, field_block(request_fields("GET", "/"))));
    const Instant start = world.loop.now();
    TestFrame goaway = co_await peer.next(60s);
    while (goaway.arrived && goaway.type != FrameType::goaway) goaway = co_await peer.next(60s);
    EXPECT_TRUE(goaway.arrived);
    EXPECT_LT(world.loop.now() - start, world.server->options().header_timeout + 1s);
    peer.close();
    EXPECT_TRUE(co_await world.until([&] { return world.server->counters().open == 0; }));
  });
  EXPECT_EQ(world.handler.faults, std::vector{ConnectionFault::http2_timeout});
}

TEST(H2Timeouts, SlowBodyIsNotWaitedFor) {
  std::optional<ErrorCode> error;
  TestWorld world(Backend::simulation, [&](ServerExchange& exchange) -> Task<void> {
    auto body = co_await exchange.read_body(1 << 20);
    if (!body) error = body.error().code;
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    EXPECT_TRUE((co_await peer.next_of(FrameType::settings)).arrived);
    co_await peer.send_request(1, request_fields("POST", "/"), false);
    for (int i = 0; i < 40 && !error; ++i) {
      co_await peer.send(frame_bytes(FrameType::data, 0, 1, "x"));
      co_await world.pause(1s);
    }
  });
  EXPECT_EQ(error, ErrorCode::deadline_exceeded);
}

TEST(H2Timeouts, PeerThatDoesNotReadIsGivenUp) {
  std::optional<ErrorCode> error;
  std::optional<ErrorCode> told;
  uint64_t written = 0;
  TestWorld world(Backend::simulation, [&](ServerExchange& exchange) -> Task<void> {
    const std::string piece(30'000, 'x');
    EXPECT_TRUE(exchange.start({.framing = Framing::until_close}).has_value());
    for (;;) {
      const iovec buffer = net::buffer_of(piece);
      auto result = co_await exchange.write({&buffer, 1}, false);
      written = exchange.bytes_written();
      if (result) continue;
      error = result.error().code;
      told = exchange.cancellation().reason();
      co_return;
    }
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("GET", "/"));
    EXPECT_TRUE((co_await peer.next_of(FrameType::data, 1)).arrived);
    co_await world.pause(100s);
  });
  EXPECT_EQ(error, ErrorCode::deadline_exceeded);
  EXPECT_EQ(told, ErrorCode::deadline_exceeded);
  EXPECT_LE(written, 65'535u + 30'000u) << "the client's window is the limit";
}

// Slow, but not too slow: all of it arrives, however long it takes.
TEST(H2Timeouts, SlowReaderGetsEverything) {
  constexpr size_t kBytes = 1'000'000;
  bool whole = false;
  TestWorld world(Backend::simulation, [&](ServerExchange& exchange) -> Task<void> {
    co_await respond(exchange, 200, std::string(kBytes, 'x'));
    whole = exchange.ended();
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("GET", "/"));
    size_t received = 0;
    while (received < kBytes) {
      auto frame = co_await peer.next(20s);
      EXPECT_TRUE(frame.arrived) << "after " << received;
      if (!frame.arrived) co_return;
      if (frame.type != FrameType::data) continue;
      received += frame.payload.size();
      co_await world.pause(5s);
      const std::string credit = number_bytes(static_cast<uint32_t>(frame.payload.size()));
      co_await peer.send(frame_bytes(FrameType::window_update, 0, 0, credit) +
                         frame_bytes(FrameType::window_update, 0, 1, credit));
    }
  });
  EXPECT_TRUE(whole);
}

// A peer that asks and does not read is not read from, and gone after the write timeout.
TEST(H2Timeouts, QueueOfAnswersIsBounded) {
  TestWorld world(Backend::simulation, [](ServerExchange& exchange) -> Task<void> {
    co_await respond(exchange, 200, std::string(60'000, 'x'));
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    const std::string window = number_bytes(0x7fffffff - 65'535);
    co_await peer.send(frame_bytes(FrameType::window_update, 0, 0, window));
    for (uint32_t stream = 1; stream < 200; stream += 2) co_await peer.send_request(stream, request_fields("GET", "/"));
    uint32_t pings = 0;
    while (co_await peer.send(frame_bytes(FrameType::ping, 0, 0, "12345678"))) ++pings;
    EXPECT_LT(pings, 50'000u);
    peer.close();
    co_await world.pause(70s);
    EXPECT_EQ(world.server->counters().open, 0u);
  });
}

// Bodies nobody reads must give their share of the connection's window back.
TEST_P(H2Limits, UnreadBodiesDoNotUseUpTheWindow) {
  constexpr size_t kBodyBytes = 60'000;
  constexpr uint32_t kRequests = 2 * kH2ServerConnectionWindow / kBodyBytes;
  TestWorld world(GetParam(), [](ServerExchange& exchange) -> Task<void> {
    (void)co_await net::sleep_for(exchange.loop(), 1ms);
    co_await respond(exchange, 401, "no key");
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    uint64_t credit = 65'535;
    const std::string piece(15'000, 'x');
    uint64_t sent = 0;
    for (uint32_t i = 0; i < kRequests; ++i) {
      const uint32_t stream = 2 * i + 1;
      co_await peer.send_request(stream, request_fields("POST", "/"), false);
      for (size_t bytes = 0; bytes < kBodyBytes; bytes += piece.size()) {
        while (sent + piece.size() > credit) {
          auto frame = co_await peer.next();
          EXPECT_TRUE(frame.arrived) << "no credit after " << sent << " bytes";
          if (!frame.arrived) co_return;
          if (frame.type == FrameType::window_update && frame.stream == 0) credit += frame.number(0);
        }
        const uint8_t flags = bytes + piece.size() == kBodyBytes ? kEndStream : 0;
        co_await peer.send(frame_bytes(FrameType::data, flags, stream, piece));
        sent += piece.size();
      }
    }
    EXPECT_TRUE(co_await world.until([&] { return world.server->counters().requests == kRequests; }));
  });
}

}  // namespace
}  // namespace llmgw::http
