// Big bodies over HTTP/2: nothing is lost, memory stays bounded, and nobody waits for a slow neighbour.
#include <gtest/gtest.h>

#include "http/h2_client.h"
#include "http/h2_server.h"
#include "http/h2_test_peer.h"
#include "http/h2_test_world.h"

namespace llmgw::http {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using net::Task;

class H2Flow : public BackendTest {};
INSTANTIATE_TEST_SUITE_P(, H2Flow, testing::ValuesIn(kBackends), backend_name);

struct Client {
  TestWorld& world;
  Pool pool;
  explicit Client(TestWorld& on)
      : world(on), pool(on.loop, [&on](net::Wait wait) { return on.network.connect(on.address, wait); }, options()) {}
  static PoolOptions options() {
    PoolOptions options;
    options.http2_prior_knowledge = true;
    return options;
  }
  net::Wait soon() const { return {world.loop.now() + 20s}; }

  Task<std::unique_ptr<ClientExchange>> send(std::string_view target, std::string_view body = {}) {
    auto exchange = co_await pool.acquire(false, soon());
    EXPECT_TRUE(exchange.has_value());
    const iovec buffer = net::buffer_of(body);
    RequestStart request;
    request.target = target;
    request.authority = "example.com";
    if (!body.empty()) request.body = {&buffer, 1};
    EXPECT_TRUE((co_await (*exchange)->send(request, soon())).has_value());
    co_return std::move(*exchange);
  }
};

// Bytes that tell where they belong.
char byte_at(uint64_t offset) {
  return static_cast<char>(offset * 31 + (offset >> 12));
}
std::string bytes_at(uint64_t offset, size_t count) {
  std::string out(count, '\0');
  for (size_t i = 0; i < count; ++i) out[i] = byte_at(offset + i);
  return out;
}

// Answers with `total` bytes in pieces; `written` says how far it is.
Task<void> stream_out(ServerExchange& exchange, uint64_t total, uint64_t& written) {
  constexpr size_t kPiece = 50'000;
  EXPECT_TRUE(exchange.start({.framing = Framing::until_close}).has_value());
  while (written < total) {
    const std::string piece = bytes_at(written, std::min<uint64_t>(kPiece, total - written));
    const iovec buffer = net::buffer_of(piece);
    if (!co_await exchange.write({&buffer, 1}, false)) co_return;
    written += piece.size();
  }
  EXPECT_TRUE((co_await exchange.write({}, true)).has_value());
}

TEST_P(H2Flow, BigBodiesBothWays) {
  constexpr size_t kBytes = 6 << 20;
  TestWorld world(GetParam(), [&](ServerExchange& exchange) -> Task<void> {
    auto body = co_await exchange.read_body(kBytes);
    EXPECT_TRUE(body.has_value());
    if (!body) co_return;
    EXPECT_EQ(body->size(), kBytes);
    // In one piece: more than any window.
    EXPECT_TRUE(exchange.start({.framing = Framing::content_length, .content_length = body->size()}).has_value());
    const iovec buffer{body->data(), body->size()};
    EXPECT_TRUE((co_await exchange.write({&buffer, 1}, true)).has_value());
  });
  Client client(world);
  const std::string body = bytes_at(0, kBytes);
  world.run([&]() -> Task<void> {
    auto exchange = co_await client.send("/", body);
    EXPECT_TRUE((co_await exchange->read_head(client.soon())).has_value());
    uint64_t offset = 0;
    for (bool done = false; !done;) {
      auto bytes = co_await exchange->read_body(client.soon());
      EXPECT_TRUE(bytes.has_value());
      if (!bytes) co_return;
      const std::string_view got(bytes->data.data(), bytes->data.size());
      EXPECT_EQ(got, std::string_view(body).substr(offset, got.size()));
      offset += got.size();
      done = bytes->done;
    }
    EXPECT_EQ(offset, kBytes);
  });
}

TEST_P(H2Flow, SlowReaderHoldsItsServerBackAndNobodyElse) {
  constexpr uint64_t kTotal = 40 << 20;
  uint64_t slow_written = 0;
  TestWorld world(GetParam(), [&](ServerExchange& exchange) -> Task<void> {
    if (exchange.head().path == "/slow") {
      co_await stream_out(exchange, kTotal, slow_written);
    } else {
      uint64_t written = 0;
      co_await stream_out(exchange, kTotal / 4, written);
    }
  });
  Client client(world);
  world.run([&]() -> Task<void> {
    auto slow = co_await client.send("/slow");
    EXPECT_TRUE((co_await slow->read_head(client.soon())).has_value());
    auto first = co_await slow->read_body(client.soon());
    EXPECT_TRUE(first.has_value());
    uint64_t slow_read = first->data.size();

    // Another exchange of the same connection runs at full speed.
    auto quick = co_await client.send("/quick");
    uint64_t quick_read = 0;
    for (bool done = false; !done;) {
      auto bytes = co_await quick->read_body(client.soon());
      EXPECT_TRUE(bytes.has_value());
      if (!bytes) co_return;
      for (size_t i = 0; i < bytes->data.size(); i += 997) EXPECT_EQ(bytes->data[i], byte_at(quick_read + i));
      quick_read += bytes->data.size();
      done = bytes->done;
    }
    EXPECT_EQ(quick_read, kTotal / 4);
    EXPECT_EQ(client.pool.connects(), 1u);
    // One write and one window are on their way, no more.
    EXPECT_LE(slow_written, slow_read + kH2ClientStreamWindow + 50'000);

    for (bool done = false; !done;) {
      auto bytes = co_await slow->read_body(client.soon());
      EXPECT_TRUE(bytes.has_value());
      if (!bytes) co_return;
      EXPECT_LE(bytes->data.size(), static_cast<size_t>(kH2ClientStreamWindow));
      slow_read += bytes->data.size();
      done = bytes->done;
      EXPECT_LE(slow_written, slow_read + kH2ClientStreamWindow + 50'000);
    }
    EXPECT_EQ(slow_read, kTotal);
  });
}

TEST_P(H2Flow, ManySlowReadersDoNotUseUpTheConnection) {
  uint64_t written[60] = {};
  TestWorld world(GetParam(), [&](ServerExchange& exchange) -> Task<void> {
    if (exchange.head().path == "/quick") {
      co_await respond(exchange, 200, std::string(100'000, 'q'));
      co_return;
    }
    const size_t index = std::stoul(std::string(exchange.head().path.substr(1)));
    co_await stream_out(exchange, 10 << 20, written[index]);
  });
  Client client(world);
  world.run([&]() -> Task<void> {
    std::vector<std::unique_ptr<ClientExchange>> slow;
    for (size_t i = 0; i < std::size(written); ++i) slow.push_back(co_await client.send("/" + std::to_string(i)));
    EXPECT_TRUE(co_await world.until([&] {
      return std::ranges::all_of(written, [](uint64_t bytes) { return bytes >= kH2ClientStreamWindow - 50'000; });
    }));
    auto quick = co_await client.send("/quick");
    uint64_t quick_read = 0;
    for (bool done = false; !done;) {
      auto bytes = co_await quick->read_body(client.soon());
      EXPECT_TRUE(bytes.has_value());
      if (!bytes) co_return;
      quick_read += bytes->data.size();
      done = bytes->done;
    }
    EXPECT_EQ(quick_read, 100'000u);
    for (const uint64_t bytes : written) EXPECT_LE(bytes, static_cast<uint64_t>(kH2ClientStreamWindow) + 50'000);
  });
  EXPECT_EQ(client.pool.connects(), 1u);
}

// The handler that does not read its body lets the client send a window, whatever the body's size.
TEST_P(H2Flow, UnreadBodyStopsAtTheWindow) {
  net::Cancellation go_on;
  size_t got = 0;
  TestWorld world(GetParam(), [&](ServerExchange& exchange) -> Task<void> {
    (void)co_await net::sleep_for(exchange.loop(), 10s, &go_on);
    auto body = co_await exchange.read_body(100 << 20);
    EXPECT_TRUE(body.has_value());
    if (body) got = body->size();
    co_await respond(exchange, 200, "read");
  });
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("POST", "/"), false);
    const std::string piece(16'000, 'x');
    int64_t connection = 65'535;
    int64_t stream = 65'535;
    size_t sent = 0;
    const auto take_credit = [&](base::Duration patience) -> Task<bool> {
      auto frame = co_await peer.next(patience);
      if (frame.type == FrameType::settings && frame.payload.size() >= 6) {
        for (size_t at = 0; at + 6 <= frame.payload.size(); at += 6) {
          if (frame.payload[at + 1] == 4) stream += frame.number(at + 2) - 65'535;
        }
      }
      if (frame.type == FrameType::window_update) (frame.stream == 0 ? connection : stream) += frame.number(0);
      co_return frame.arrived;
    };
    const auto send_what_fits = [&](size_t total) -> Task<void> {
      while (sent < total && std::min(connection, stream) >= static_cast<int64_t>(piece.size())) {
        co_await peer.send(frame_bytes(FrameType::data, 0, 1, piece));
        sent += piece.size();
        connection -= static_cast<int64_t>(piece.size());
        stream -= static_cast<int64_t>(piece.size());
      }
    };
    constexpr size_t kTotal = 3'200'000;
    co_await send_what_fits(kTotal);
    while (co_await take_credit(300ms)) co_await send_what_fits(kTotal);
    EXPECT_GT(sent, static_cast<size_t>(kH2ServerStreamWindow) - 2 * piece.size());
    EXPECT_LE(sent, static_cast<size_t>(kH2ServerStreamWindow));
    go_on.cancel();
    while (sent < kTotal && co_await take_credit(5s)) co_await send_what_fits(kTotal);
    EXPECT_EQ(sent, kTotal);
    co_await peer.send(frame_bytes(FrameType::data, kEndStream, 1, {}));
    auto data = co_await peer.next_of(FrameType::data, 1);
    EXPECT_EQ(data.payload, "read");
    EXPECT_EQ(got, sent);
  });
}

// The session has it, the client's end of the connection does not: whoever leaves then has not got it.
TEST(H2FlowSimulated, AnAnswerThatOnlyTheSessionHasIsNotWhole) {
  for (const bool reads : {false, true}) {
    std::optional<bool> whole;
    std::optional<ErrorCode> reason;
    TestWorld world(Backend::simulation, [&](ServerExchange& exchange) -> Task<void> {
      (void)co_await net::sleep_for(exchange.loop(), 10ms);
      co_await respond(exchange, 200, std::string(30'000, 'x'));
      if (exchange.cancellation().cancelled()) reason = exchange.cancellation().reason();
      whole = exchange.ended();
    });
    net::sim::Faults faults;
    faults.to_client.capacity_min = faults.to_client.capacity_max = 1000;
    world.simulation->network().set_faults(faults);
    world.run([&]() -> Task<void> {
      TestPeer peer(co_await world.connect());
      co_await peer.greet();
      co_await peer.send_request(1, request_fields("GET", "/"));
      co_await world.pause(1s);
      EXPECT_FALSE(whole.has_value()) << "it waits for the client";
      for (TestFrame data; reads && (data.flags & kEndStream) == 0;) {
        data = co_await peer.next_of(FrameType::data, 1);
        EXPECT_TRUE(data.arrived);
        if (!data.arrived) break;
      }
      peer.close();
      EXPECT_TRUE(co_await world.until([&] { return whole.has_value(); }));
    });
    EXPECT_EQ(whole, reads);
    EXPECT_EQ(reason.has_value(), !reads);
  }
}

// More bodies at once than a connection may hold: they take turns, and all get through.
TEST(H2FlowSimulated, BodiesOfAConnectionTakeTurns) {
  constexpr size_t kBytes = 9 << 20;
  constexpr size_t kCalls = 60;  // 540 MiB
  static_assert(kBytes * kCalls > 2 * kH2BodiesBytesMax);
  uint64_t held = 0;
  uint64_t most = 0;
  size_t answered = 0;
  TestWorld world(Backend::simulation, [&](ServerExchange& exchange) -> Task<void> {
    auto body = co_await exchange.read_body(kBytes);
    EXPECT_TRUE(body.has_value());
    if (!body) co_return;
    held += body->size();
    most = std::max(most, held);
    (void)co_await net::sleep_for(exchange.loop(), 100s);  // longer than a body may take
    held -= body->size();
    co_await respond(exchange, 200, "fine");
  });
  Client client(world);
  const std::string body(kBytes, 'x');
  world.run([&]() -> Task<void> {
    net::TaskGroup group;
    for (size_t i = 0; i < kCalls; ++i) {
      group.spawn([](Client& on, std::string_view bytes, size_t& count) -> Task<void> {
        auto exchange = co_await on.pool.acquire(false, {});
        const iovec buffer = net::buffer_of(bytes);
        RequestStart request;
        request.target = "/";
        request.authority = "example.com";
        request.body = {&buffer, 1};
        if (!co_await (*exchange)->send(request, {})) co_return;
        if (co_await (*exchange)->read_head({})) ++count;
      }(client, body, answered));
    }
    for (int i = 0; i < 2000 && group.active() > 0; ++i) co_await world.pause(1s);
  });
  EXPECT_EQ(answered, kCalls);
  EXPECT_LE(most, kH2BodiesBytesMax + kBytes + kCalls * static_cast<uint64_t>(kH2ServerStreamWindow));
}

// Both ends send as much as they can at once: neither may stop reading because it cannot write.
TEST_P(H2Flow, TwoSendersDoNotBlockEachOther) {
  constexpr size_t kBytes = 5 << 20;
  size_t finished = 0;
  TestWorld world(GetParam(), [&](ServerExchange& exchange) -> Task<void> {
    if (exchange.head().path == "/up") {
      auto body = co_await exchange.read_body(kBytes);
      EXPECT_TRUE(body.has_value());
      co_await respond(exchange, 200, "up");
    } else {
      uint64_t written = 0;
      co_await stream_out(exchange, kBytes, written);
    }
  });
  Client client(world);
  const std::string body = bytes_at(0, kBytes);
  world.run([&]() -> Task<void> {
    net::TaskGroup group;
    for (size_t i = 0; i < 8; ++i) {
      group.spawn([](Client& on, std::string_view bytes, size_t& count) -> Task<void> {
        auto exchange = co_await on.send(bytes.empty() ? "/down" : "/up", bytes);
        for (;;) {
          auto piece = co_await exchange->read_body(on.soon());
          if (!piece) co_return;
          if (piece->done) break;
        }
        ++count;
      }(client, i % 2 == 0 ? std::string_view(body) : std::string_view(), finished));
    }
    EXPECT_TRUE(co_await world.until([&] { return group.active() == 0; }));
  });
  EXPECT_EQ(finished, 8u);
  EXPECT_EQ(client.pool.connects(), 1u);
}

// Cut and delayed as the network pleases: the same bytes, whatever the seed.
TEST(H2FlowSimulated, SurvivesAnyCutOfTheBytes) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    TestWorld world(Backend::simulation, echo, {}, seed);
    net::sim::Faults faults;
    for (net::sim::DirectionFaults* direction : {&faults.to_server, &faults.to_client}) {
      direction->delay_max = 3ms;
      direction->write_split = 0.3;
      direction->read_split = 0.5;
      direction->capacity_min = 100;
      direction->capacity_max = 20'000;
    }
    world.simulation->network().set_faults(faults);
    Client client(world);
    size_t good = 0;
    world.run([&]() -> Task<void> {
      net::TaskGroup group;
      for (size_t i = 0; i < 20; ++i) {
        group.spawn([](Client& on, size_t number, size_t& count) -> Task<void> {
          const std::string body = bytes_at(number, number * number * 150);
          auto exchange = co_await on.send("/", body);
          std::string answer;
          for (bool done = false; !done;) {
            auto bytes = co_await exchange->read_body({});
            if (!bytes) co_return;
            answer.append(bytes->data.data(), bytes->data.size());
            done = bytes->done;
          }
          if (answer == "POST / " + body) ++count;
        }(client, i, good));
      }
      for (int i = 0; i < 1000 && group.active() > 0; ++i) co_await world.pause(1s);
    });
    EXPECT_EQ(good, 20u) << "seed " << seed;
  }
}

// Connections that break in any place: every call ends, in an answer or an error, and nothing is left behind.
TEST(H2FlowSimulated, SurvivesBrokenConnections) {
  size_t answers = 0;
  size_t errors = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    TestWorld world(Backend::simulation, echo, {}, seed);
    net::sim::Faults faults;
    faults.reset = 0.3;
    faults.cut = 0.3;
    faults.loss = 0.2;
    faults.break_after_bytes_max = 200'000;
    faults.to_client.delay_max = faults.to_server.delay_max = 2ms;
    world.simulation->network().set_faults(faults);
    Client client(world);
    world.run([&]() -> Task<void> {
      net::TaskGroup group;
      for (size_t i = 0; i < 15; ++i) {
        group.spawn([](Client& on, size_t number, size_t& good, size_t& bad) -> Task<void> {
          const net::Wait wait{on.world.loop.now() + 120s};
          const std::string body = bytes_at(number, number * 3000);
          auto exchange = co_await on.pool.acquire(false, wait);
          if (!exchange) co_return void(++bad);
          const iovec buffer = net::buffer_of(body);
          RequestStart request;
          request.target = "/";
          request.authority = "example.com";
          request.body = {&buffer, 1};
          if (!co_await (*exchange)->send(request, wait)) co_return void(++bad);
          std::string answer;
          for (bool done = false; !done;) {
            auto bytes = co_await (*exchange)->read_body(wait);
            if (!bytes) co_return void(++bad);
            answer.append(bytes->data.data(), bytes->data.size());
            done = bytes->done;
          }
          EXPECT_EQ(answer, "POST / " + body) << "an answer that is whole must be right";
          ++good;
        }(client, i, answers, errors));
      }
      for (int i = 0; i < 300 && group.active() > 0; ++i) co_await world.pause(1s);
      EXPECT_EQ(group.active(), 0u) << "seed " << seed;
      client.pool.retire();
      for (int i = 0; i < 300 && world.server->counters().open > 0; ++i) co_await world.pause(1s);
    });
    EXPECT_EQ(client.pool.open(), 0u) << "seed " << seed;
    EXPECT_EQ(world.server->counters().open, 0u) << "seed " << seed;
    EXPECT_EQ(world.server->counters().active, 0u) << "seed " << seed;
  }
  EXPECT_EQ(answers + errors, 40u * 15);
  EXPECT_GT(answers, 50u);
  EXPECT_GT(errors, 50u);
}

}  // namespace
}  // namespace llmgw::http
