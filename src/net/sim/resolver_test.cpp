// The simulated DNS, and what stands on it: dialing and TLS in the simulated world.
#include "net/sim/resolver.h"

#include <gtest/gtest.h>

#include "net/dial.h"
#include "net/io.h"
#include "net/sim/world.h"
#include "net/tls.h"
#include "net/tls_test_certificates.h"

namespace llmgw::net::sim {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using base::Instant;
using base::Result;

bool run(World& world, Task<void> task) {
  bool done = false;
  TaskGroup tasks;
  tasks.spawn([](Task<void> body, bool& finished) -> Task<void> {
    co_await body;
    finished = true;
  }(std::move(task), done));
  return world.run_until([&] { return done; });
}

TEST(SimResolver, NamesResolveAsSet) {
  World world(1);
  SimResolver resolver(world.loop(), world.seed());
  resolver.set("api.test", {*Address::parse("192.0.2.1:0"), *Address::parse("192.0.2.2:8080")});
  resolver.set_delay(10ms, 20ms);
  EXPECT_TRUE(run(world, [](World& where, SimResolver& names) -> Task<void> {
    const Instant start = where.loop().now();
    auto found = co_await names.resolve("api.test", 443, {});
    EXPECT_EQ(found->addresses[0].to_string(), "192.0.2.1:443");
    EXPECT_EQ(found->addresses[1].to_string(), "192.0.2.2:8080");
    EXPECT_GE(where.loop().now() - start, 10ms);
    EXPECT_LE(where.loop().now() - start, 21ms);
    EXPECT_EQ((co_await names.resolve("none.test", 443, {})).error().code, ErrorCode::name_not_found);
    names.fail("api.test", ErrorCode::unreachable);
    EXPECT_EQ((co_await names.resolve("api.test", 443, {})).error().code, ErrorCode::unreachable);
    auto late = co_await names.resolve("api.test", 443, {.deadline = where.loop().now() + 5ms});
    EXPECT_EQ(late.error().code, ErrorCode::deadline_exceeded);
    EXPECT_EQ((co_await names.resolve("127.0.0.1", 1, {}))->addresses[0].to_string(), "127.0.0.1:1");
  }(world, resolver)));
  EXPECT_EQ(resolver.questions(), 4u);
}

// The first address is a black hole, the second answers: the stagger, and no more, is lost; and that only once.
TEST(SimDial, ABlackHoleCostsItsStaggerAndIsRemembered) {
  World world(1);
  SimResolver resolver(world.loop(), world.seed());
  const Address hole = *Address::parse("192.0.2.1:443");
  const Address good = *Address::parse("192.0.2.2:443");
  resolver.set("api.test", {hole, good});
  Faults nobody;
  nobody.black_hole = 1;
  world.network().set_faults(hole, nobody);
  auto hole_listener = std::move(*world.network().listen(hole, {}));
  auto listener = std::move(*world.network().listen(good, {}));
  Dialer dialer(world.loop(), world.network(), resolver, {.dead_for = 30s});
  EXPECT_TRUE(run(world, [](World& where, Dialer& dial, const Address& expected) -> Task<void> {
    const DialTarget target{.host = "api.test", .port = 443};
    const Instant start = where.loop().now();
    auto stream = co_await dial.dial(target, {.deadline = start + 10s});
    EXPECT_EQ((*stream)->peer(), expected);
    EXPECT_GE(where.loop().now() - start, 250ms);
    EXPECT_LE(where.loop().now() - start, 252ms);
  }(world, dialer, good)));
  // With nobody else there, the attempt takes its full time and the address is known to be dead for 30 s.
  resolver.set("api.test", {hole});
  EXPECT_TRUE(run(world, [](World& where, Dialer& dial, const Address& dead) -> Task<void> {
    const DialTarget target{.host = "api.test", .port = 443};
    auto stream = co_await dial.dial(target, {.deadline = where.loop().now() + 10s});
    EXPECT_EQ(stream.error().code, ErrorCode::unreachable);
    EXPECT_TRUE(dial.failed().contains(dead, where.loop().now() + 29s));
    EXPECT_FALSE(dial.failed().contains(dead, where.loop().now() + 31s));
  }(world, dialer, hole)));
  resolver.set("api.test", {hole, good});
  EXPECT_TRUE(run(world, [](World& where, Dialer& dial, const Address& expected) -> Task<void> {
    const DialTarget target{.host = "api.test", .port = 443};
    const Instant start = where.loop().now();
    auto stream = co_await dial.dial(target, {.deadline = start + 10s});
    EXPECT_EQ((*stream)->peer(), expected);
    EXPECT_LE(where.loop().now() - start, 1ms);
  }(world, dialer, good)));
}

struct Outcome {
  int whole = 0;
  int broken = 0;
};

Task<void> serve_tls(Listener& listener, TlsServerContext& context, const std::string& answer) {
  Loop& loop = listener.loop();
  auto socket = co_await accept(listener, {});
  auto stream = co_await tls_accept(std::move(*socket), context, {.deadline = loop.now() + 100s});
  if (!stream) co_return;
  auto written = co_await write_all(**stream, answer, {.deadline = loop.now() + 600s});
  if (!written) co_return;
  (*stream)->shutdown_write();
  // Lingers until the client is done, as a server does behind its last response.
  co_await read_scratch(**stream, {.deadline = loop.now() + 600s});
}

Task<void> fetch_by_tls(World& world, Dialer& dialer, TlsClientContext& context, const std::string& answer,
                        Outcome& outcome) {
  const DialTarget target{.host = "api.test", .port = 443, .tls = &context};
  auto stream = co_await dialer.dial(target, {.deadline = world.loop().now() + 100s});
  std::string received;
  while (stream) {
    auto bytes = co_await read_scratch(**stream, {.deadline = world.loop().now() + 600s});
    if (!bytes) break;
    if (bytes->empty()) {
      EXPECT_TRUE(received == answer) << world.trace();
      ++outcome.whole;
      co_return;
    }
    received.append(bytes->data(), bytes->size());
    EXPECT_TRUE(answer.starts_with(received)) << world.trace();
  }
  ++outcome.broken;
}

// On a wire that delays, splits, breaks and even ends early in good order, TLS gives everything or an error.
TEST(SimTls, EverythingOrAnError) {
  TestAuthority authority;
  auto server = *TlsServerContext::create({.certificates = {authority.issue({.names = {"api.test"}})}});
  auto client = *TlsClientContext::create({.ca_file = authority.certificate_file()});
  Outcome outcome;
  for (uint64_t seed = 1; seed <= 150 && !testing::Test::HasFailure(); ++seed) {
    World world(seed);
    base::Rng& rng = world.rng();
    Faults faults;
    for (DirectionFaults* direction : {&faults.to_server, &faults.to_client}) {
      direction->delay_max = std::chrono::microseconds(rng.below(50'000));
      direction->write_split = direction->read_split = rng.uniform() * 0.5;
      direction->capacity_min = direction->capacity_max = 1 + rng.below(uint64_t{1} << (6 + rng.below(12)));
    }
    faults.reset = 0.15;
    faults.cut = 0.2;
    faults.loss = 0.15;
    faults.break_after_bytes_max = 60'000;
    world.network().set_faults(faults);
    const Address address = *Address::parse("192.0.2.1:443");
    SimResolver resolver(world.loop(), seed);
    resolver.set("api.test", {address});
    Dialer dialer(world.loop(), world.network(), resolver);
    auto listener = std::move(*world.network().listen(address, {}));
    std::string answer(1 + rng.below(100'000), '\0');
    for (char& c : answer) c = static_cast<char>(rng.next());
    {
      TaskGroup serving;
      serving.spawn(serve_tls(*listener, server, answer));
      EXPECT_TRUE(run(world, fetch_by_tls(world, dialer, client, answer, outcome))) << world.trace();
    }
    EXPECT_EQ(world.network().open_streams(), 0u) << world.trace();
  }
  EXPECT_GT(outcome.whole, 40);
  EXPECT_GT(outcome.broken, 20);
}

}  // namespace
}  // namespace llmgw::net::sim
