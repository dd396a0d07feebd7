#include "net/sim/world.h"

#include <gtest/gtest.h>

#include "net/dial.h"
#include "net/io.h"
#include "net/tls.h"
#include "net/tls_test_certificates.h"

namespace llmgw::net::sim {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using base::Instant;
using base::Result;

const Address& server_address() {
  static const Address address = *Address::parse("192.0.2.1:80");
  return address;
}

struct Ends {
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Stream> client;
  std::unique_ptr<Stream> server;
};

// A connection of an undisturbed network; faults that are set before it apply.
Ends connect_ends(World& world) {
  Ends ends;
  ends.listener = std::move(*world.network().listen(server_address(), {}));
  const bool done = world.run([](World& where, Ends& out) -> Task<void> {
    auto client = co_await where.network().connect(server_address(), {});
    auto server = co_await accept(*out.listener, {});
    out.client = std::move(*client);
    out.server = std::move(*server);
  }(world, ends));
  EXPECT_TRUE(done) << world.report();
  return ends;
}

Task<void> echo_connection(World& world, std::unique_ptr<Stream> stream) {
  char buffer[1500];
  for (;;) {
    auto count = co_await read_some(*stream, buffer, {.deadline = world.loop().now() + 300s});
    if (!count) {
      stream->reset_on_close();
      co_return;
    }
    if (*count == 0) {
      stream->shutdown_write();
      co_return;
    }
    auto written =
        co_await write_all(*stream, std::string_view(buffer, *count), {.deadline = world.loop().now() + 300s});
    if (!written) co_return;
  }
}

Task<void> echo_server(World& world, Listener& listener, TaskGroup& connections) {
  for (;;) {
    auto stream = co_await accept(listener, {});
    if (!stream) co_return;
    connections.spawn(echo_connection(world, std::move(*stream)));
  }
}

Task<void> send_all(Stream& stream, const std::string& data, bool& failed, bool& done) {
  auto written = co_await write_all(stream, data, {.deadline = stream.loop().now() + 300s});
  failed = !written;
  if (written) stream.shutdown_write();
  done = true;
}

// Either the whole echo and an orderly end, or an error; never other bytes, never a short answer that looks whole.
Task<void> echo_client(World& world, int& outcomes, std::string data) {
  auto stream = co_await world.network().connect(server_address(), {.deadline = world.loop().now() + 60s});
  if (!stream) {
    ++outcomes;
    co_return;
  }
  bool send_failed = false;
  bool sent = false;
  TaskGroup sender;
  sender.spawn(send_all(**stream, data, send_failed, sent));
  std::string received;
  for (;;) {
    auto bytes = co_await read_scratch(**stream, {.deadline = world.loop().now() + 300s});
    if (!bytes) break;
    if (bytes->empty()) {
      EXPECT_TRUE(received == data) << world.report();
      break;
    }
    received.append(bytes->data(), bytes->size());
    EXPECT_TRUE(received.size() <= data.size() && data.starts_with(received)) << world.report();
  }
  ++outcomes;
}

uint64_t run_echo(uint64_t seed, bool expect_success) {
  World world(seed);
  NetworkFaults faults;
  if (!expect_success) faults = random_faults(world.rng());
  world.network().set_faults(faults);
  auto listener = std::move(*world.network().listen(server_address(), {}));
  int outcomes = 0;
  {
    TaskGroup connections;
    TaskGroup server;
    server.spawn(echo_server(world, *listener, connections));
    constexpr int kClients = 3;
    for (int i = 0; i < kClients; ++i) {
      std::string data(world.rng().below(uint64_t{1} << world.rng().below(16)), '\0');
      for (char& c : data) c = static_cast<char>(world.rng().next());
      world.tasks().spawn(echo_client(world, outcomes, std::move(data)));
    }
    EXPECT_TRUE(world.run_until([&] { return outcomes == kClients && connections.active() == 0; })) << world.report();
  }
  listener.reset();
  EXPECT_EQ(world.leaks(), "") << world.report();
  return world.trace_hash();
}

TEST(SimWorld, EchoOverAPerfectNetwork) {
  run_echo(1, true);
}

TEST(SimWorld, EchoOverAThousandSeeds) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    run_echo(seed, false);
    if (HasFailure()) break;
  }
}

TEST(SimWorld, TheSameSeedGivesTheSameTrace) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const uint64_t first = run_echo(seed, false);
    EXPECT_EQ(run_echo(seed, false), first) << seed;
    EXPECT_NE(run_echo(seed + 1000, false), first) << seed;
  }
}

TEST(SimWorld, TimeIsVirtual) {
  World world(1);
  const Instant start = world.loop().now();
  const auto real_start = base::real_now();
  const auto wall_start = world.loop().wall_now();
  world.run_for(10h);
  EXPECT_GE(world.loop().now() - start, 10h);
  EXPECT_LT(world.loop().now() - start, 10h + 10ms);
  EXPECT_EQ(world.loop().wall_now() - wall_start, world.loop().now() - start);
  EXPECT_LT(base::real_now() - real_start, 10s);
}

TEST(SimWorld, NothingCanHappenIsNoticed) {
  World world(1);
  Ends ends = connect_ends(world);
  EXPECT_FALSE(world.run([](Stream& stream) -> Task<void> {
    char byte = 0;
    co_await read_some(stream, {&byte, 1}, {});
  }(*ends.client)));
  EXPECT_EQ(world.leaks(), "2 streams, 1 listener, 1 task");
}

TEST(SimWorld, DelayIsWithinItsBounds) {
  NetworkFaults faults;
  faults.to_server.delay_min = 30ms;
  faults.to_server.delay_max = 50ms;
  World world(7, faults);
  Ends ends = connect_ends(world);
  for (int i = 0; i < 50; ++i) {
    const Instant start = world.loop().now();
    EXPECT_TRUE(world.run([](Ends& both) -> Task<void> {
      co_await write_all(*both.client, "x", {});
      char byte = 0;
      co_await read_some(*both.server, {&byte, 1}, {});
    }(ends)));
    EXPECT_GE(world.loop().now() - start, 30ms);
    EXPECT_LE(world.loop().now() - start, 50ms);
  }
}

TEST(SimWorld, BytesArriveOneByOne) {
  NetworkFaults faults;
  faults.to_server.split = 1;
  World world(3, faults);
  Ends ends = connect_ends(world);
  std::string got;
  size_t smallest = 1000;
  EXPECT_TRUE(world.run([](World& where, Ends& both, std::string& text, size_t& least) -> Task<void> {
    bool failed = false;
    bool done = false;
    std::string data(5000, 'x');
    TaskGroup sender;
    sender.spawn(send_all(*both.client, data, failed, done));
    for (;;) {
      auto bytes = co_await read_scratch(*both.server, {});
      EXPECT_TRUE(bytes.has_value()) << where.report();
      if (!bytes || bytes->empty()) break;
      least = std::min(least, bytes->size());
      text.append(bytes->data(), bytes->size());
    }
  }(world, ends, got, smallest)));
  EXPECT_EQ(got.size(), 5000u);
  EXPECT_EQ(smallest, 1u);
}

TEST(SimWorld, CapacityHoldsTheWriterBack) {
  NetworkFaults faults;
  faults.to_server.capacity_bytes = 1000;
  World world(1, faults);
  Ends ends = connect_ends(world);
  const std::string data(10'000, 'x');
  bool failed = false;
  bool done = false;
  world.tasks().spawn(send_all(*ends.client, data, failed, done));
  world.run_for(10s);
  EXPECT_FALSE(done);
  EXPECT_FALSE(ends.client->readiness().writable);
  size_t received = 0;
  EXPECT_TRUE(world.run([](Ends& both, size_t& total) -> Task<void> {
    // What is there without the writer's help is the capacity, and no more.
    char buffer[4096];
    auto count = co_await read_some(*both.server, buffer, {});
    EXPECT_EQ(count, 1000u);
    total += *count;
    while (total < 10'000) {
      count = co_await read_some(*both.server, buffer, {});
      EXPECT_LE(*count, 1000u);
      total += *count;
    }
  }(ends, received)));
  EXPECT_TRUE(done);
  EXPECT_FALSE(failed);
}

TEST(SimWorld, ACutLosesTheRestAndResetsBothEnds) {
  NetworkFaults faults;
  faults.to_client.cut = 1;
  faults.to_client.break_within_bytes = 100;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    World world(seed, faults);
    Ends ends = connect_ends(world);
    const std::string data(200, 'x');
    EXPECT_TRUE(world.run([](Ends& both, const std::string& text) -> Task<void> {
      co_await write_all(*both.server, text, {});
      both.server->shutdown_write();
      size_t total = 0;
      for (;;) {
        auto bytes = co_await read_scratch(*both.client, {});
        if (!bytes) {
          EXPECT_EQ(bytes.error().code, ErrorCode::reset);
          break;
        }
        EXPECT_FALSE(bytes->empty());
        if (bytes->empty()) break;
        total += bytes->size();
      }
      EXPECT_LT(total, 100u);
      auto write = co_await write_all(*both.server, "more", {});
      EXPECT_FALSE(write.has_value());
    }(ends, data)));
  }
}

TEST(SimWorld, AStallIsSilentThenAReset) {
  NetworkFaults faults;
  faults.to_client.stall = 1;
  faults.to_client.stall_time = 30s;
  World world(1, faults);
  Ends ends = connect_ends(world);
  const Instant start = world.loop().now();
  const std::string data(10'000, 'x');
  EXPECT_TRUE(world.run([](Ends& both, const std::string& text) -> Task<void> {
    co_await write_all(*both.server, text, {});
    for (;;) {
      auto bytes = co_await read_scratch(*both.client, {});
      if (!bytes) {
        EXPECT_EQ(bytes.error().code, ErrorCode::reset);
        break;
      }
    }
  }(ends, data)));
  EXPECT_GE(world.loop().now() - start, 30s);
}

TEST(SimWorld, ConnectingMayBeRefusedOrHang) {
  World world(1);
  auto listener = std::move(*world.network().listen(server_address(), {}));
  EXPECT_TRUE(world.run([](World& where) -> Task<void> {
    auto nobody = co_await where.network().connect(*Address::parse("192.0.2.9:80"), {});
    EXPECT_EQ(nobody.error().code, ErrorCode::refused);
    NetworkFaults faults;
    faults.refuse = 1;
    where.network().set_faults(server_address(), faults);
    EXPECT_EQ((co_await where.network().connect(server_address(), {})).error().code, ErrorCode::refused);
    faults = {};
    faults.connect_hang = 1;
    where.network().set_faults(server_address(), faults);
    const Instant start = where.loop().now();
    auto late = co_await where.network().connect(server_address(), {.deadline = start + 5s});
    EXPECT_EQ(late.error().code, ErrorCode::deadline_exceeded);
    EXPECT_LT(where.loop().now() - start, 6s);
    auto hung = co_await where.network().connect(server_address(), {});
    EXPECT_EQ(hung.error().code, ErrorCode::unreachable);
    Cancellation cancellation;
    where.tasks().spawn([](Loop& loop, Cancellation& which) -> Task<void> {
      co_await sleep_for(loop, 1s);
      which.cancel();
    }(where.loop(), cancellation));
    auto cancelled = co_await where.network().connect(server_address(), {.cancellation = &cancellation});
    EXPECT_EQ(cancelled.error().code, ErrorCode::cancelled);
  }(world)));
}

TEST(SimWorld, ListenersHaveAddressesOfTheirOwn) {
  World world(1);
  auto first = world.network().listen(*Address::parse("127.0.0.1:0"), {});
  auto second = world.network().listen(*Address::parse("127.0.0.1:0"), {});
  EXPECT_FALSE((*first)->address() == (*second)->address());
  EXPECT_FALSE(world.network().listen((*first)->address(), {}).has_value());
  auto unix_socket = world.network().listen(*Address::parse("unix:/run/x.sock"), {});
  EXPECT_TRUE(unix_socket.has_value());
}

TEST(SimWorld, NamesResolveAsSet) {
  World world(1);
  world.resolver().set("api.test", {*Address::parse("192.0.2.1:0"), *Address::parse("192.0.2.2:8080")});
  world.resolver().set_delay(10ms, 20ms);
  EXPECT_TRUE(world.run([](World& where) -> Task<void> {
    auto found = co_await where.resolver().resolve("api.test", 443, {});
    EXPECT_EQ(found->addresses[0].to_string(), "192.0.2.1:443");
    EXPECT_EQ(found->addresses[1].to_string(), "192.0.2.2:8080");
    EXPECT_EQ((co_await where.resolver().resolve("none.test", 443, {})).error().code, ErrorCode::name_not_found);
    where.resolver().fail("api.test", ErrorCode::unreachable);
    EXPECT_EQ((co_await where.resolver().resolve("api.test", 443, {})).error().code, ErrorCode::unreachable);
    auto late = co_await where.resolver().resolve("api.test", 443, {.deadline = where.loop().now() + 5ms});
    EXPECT_EQ(late.error().code, ErrorCode::deadline_exceeded);
    EXPECT_EQ((co_await where.resolver().resolve("127.0.0.1", 1, {}))->addresses[0].to_string(), "127.0.0.1:1");
  }(world)));
}

// TLS keeps its promises on a hostile wire: everything, or an error.
TEST(SimWorld, TlsOverAHostileNetwork) {
  TestAuthority authority;
  auto server_context = *TlsServerContext::create({.certificates = {authority.issue({.names = {"sim.test"}})}});
  auto client_context = *TlsClientContext::create({.ca_file = authority.certificate_file()});
  int whole = 0;
  int broken = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    World world(seed);
    world.network().set_faults(random_faults(world.rng()));
    auto listener = std::move(*world.network().listen(server_address(), {}));
    const std::string data(1 + world.rng().below(100'000), 'd');
    bool done = false;
    world.tasks().spawn([](Listener& where, TlsServerContext& context, const std::string& text) -> Task<void> {
      auto socket = co_await accept(where, {});
      auto stream = co_await tls_accept(std::move(*socket), context, {.deadline = where.loop().now() + 100s});
      if (!stream) co_return;
      auto written = co_await write_all(**stream, text, {.deadline = where.loop().now() + 600s});
      if (!written) co_return;
      (*stream)->shutdown_write();
      // Lingers until the client is done, as a server does after the last response.
      co_await read_scratch(**stream, {.deadline = where.loop().now() + 600s});
    }(*listener, server_context, data));
    auto client = [](World& where, TlsClientContext& context, const std::string& text, int& good, int& bad,
                     bool& finished) -> Task<void> {
      auto socket = co_await where.network().connect(server_address(), {.deadline = where.loop().now() + 100s});
      Result<std::unique_ptr<Stream>> stream = base::fail(ErrorCode::refused, "");
      if (socket) {
        stream = co_await tls_connect(std::move(*socket), context, "sim.test", {.deadline = where.loop().now() + 100s});
      }
      size_t total = 0;
      for (;;) {
        if (!stream) break;
        auto bytes = co_await read_scratch(**stream, {.deadline = where.loop().now() + 600s});
        if (!bytes) break;
        if (bytes->empty()) {
          EXPECT_EQ(total, text.size()) << where.report();
          ++good;
          finished = true;
          co_return;
        }
        total += bytes->size();
      }
      ++bad;
      finished = true;
    };
    EXPECT_TRUE(world.run(client(world, client_context, data, whole, broken, done))) << world.report();
    if (HasFailure()) break;
  }
  EXPECT_GT(whole, 20);
  EXPECT_GT(broken, 5);
}

}  // namespace
}  // namespace llmgw::net::sim
