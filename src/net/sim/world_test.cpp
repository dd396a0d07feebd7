#include "net/sim/world.h"

#include <gtest/gtest.h>

#include "net/io.h"

namespace llmgw::net::sim {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using base::Result;

const Address kServer = *Address::parse("10.0.0.1:80");

std::string read_now(Stream& stream) {
  char buffer[256];
  const IoResult result = stream.try_read(buffer);
  return result.status == IoStatus::ok ? std::string(buffer, result.bytes) : std::string();
}

IoResult write_now(Stream& stream, std::string_view bytes) {
  const iovec buffer = buffer_of(bytes);
  return stream.try_write({&buffer, 1});
}

Faults rough() {
  Faults faults;
  faults.to_server = {.delay_max = 3ms, .write_split = 0.5, .read_split = 0.5, .capacity_min = 1, .capacity_max = 700};
  faults.to_client = {.delay_max = 9ms, .write_split = 0.3, .read_split = 0.6, .capacity_min = 1, .capacity_max = 90};
  faults.connect_delay_max = 20ms;
  return faults;
}

Task<void> echo(Listener& listener, TaskGroup& tasks) {
  for (;;) {
    auto accepted = co_await accept(listener, {});
    if (!accepted) co_return;
    tasks.spawn([](std::unique_ptr<Stream> stream) -> Task<void> {
      for (;;) {
        auto bytes = co_await read_scratch(*stream, {});
        if (!bytes || bytes->empty()) co_return;
        const std::string copy(bytes->data(), bytes->size());
        if (!co_await write_all(*stream, copy, {})) co_return;
      }
    }(std::move(*accepted)));
  }
}

struct EchoResult {
  uint64_t hash = 0;
  int complete = 0;
  int failed = 0;
  bool finished = false;
};

Task<void> echo_client(SimNetwork& network, std::string text, EchoResult& result) {
  // What comes back is right as far as it goes, and whole unless an error says otherwise.
  std::string back;
  bool error = false;
  {
    auto stream = co_await network.connect(kServer, {.deadline = network.loop().now() + 60s});
    if (!stream) {
      ++result.failed;
      co_return;
    }
    TaskGroup writer;
    writer.spawn([](Stream& to, const std::string& bytes) -> Task<void> {
      if (co_await write_all(to, bytes, {})) to.shutdown_write();
    }(**stream, text));
    for (;;) {
      auto bytes = co_await read_scratch(**stream, {.deadline = network.loop().now() + 60s});
      if (!bytes) error = true;
      if (!bytes || bytes->empty()) break;
      back.append(bytes->data(), bytes->size());
    }
    error |= SimNetwork::broken_by_fault(**stream);
  }
  EXPECT_TRUE(text.starts_with(back));
  if (!error) {
    EXPECT_EQ(back.size(), text.size());
  }
  ++(error ? result.failed : result.complete);
}

EchoResult run_echo(uint64_t seed, const Faults& faults) {
  World world(seed);
  world.network().set_faults(faults);
  EchoResult result;
  constexpr int kClients = 3;
  {
    auto listener = std::move(*world.network().listen(kServer, {}));
    TaskGroup tasks;
    tasks.spawn(echo(*listener, tasks));
    for (int i = 0; i < kClients; ++i) {
      std::string text(world.rng().below(2000), 'a');
      for (char& c : text) c = static_cast<char>('a' + world.rng().below(26));
      tasks.spawn(echo_client(world.network(), std::move(text), result));
    }
    result.finished = world.run_until([&] { return result.complete + result.failed == kClients; });
    EXPECT_TRUE(result.finished) << world.trace();
    world.run_for(1min);
    // Only the accept loop is left: the echoing ends saw their clients go.
    EXPECT_EQ(tasks.active(), 1u) << world.trace();
    EXPECT_EQ(world.network().open_streams(), 0u) << world.trace();
  }
  EXPECT_EQ(world.network().open_listeners(), 0u);
  result.hash = world.trace_hash();
  return result;
}

TEST(SimWorld, EchoOverAThousandSeeds) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    const EchoResult result = run_echo(seed, rough());
    ASSERT_EQ(result.complete, 3) << "seed " << seed;
    if (HasFailure()) return;
  }
}

TEST(SimWorld, EchoWithEveryFault) {
  Faults faults = rough();
  faults.refuse = 0.05;
  faults.black_hole = 0.05;
  faults.reset = faults.cut = faults.loss = 0.2;
  faults.break_after_bytes_max = 2000;
  int complete = 0;
  int failed = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    const EchoResult result = run_echo(seed, faults);
    complete += result.complete;
    failed += result.failed;
    if (HasFailure()) FAIL() << "seed " << seed;
  }
  EXPECT_GT(complete, 500);
  EXPECT_GT(failed, 500);
}

TEST(SimWorld, TheSameSeedGivesTheSameTrace) {
  Faults faults = rough();
  faults.reset = 0.5;
  faults.break_after_bytes_max = 2000;
  EXPECT_EQ(run_echo(7, faults).hash, run_echo(7, faults).hash);
  EXPECT_NE(run_echo(7, faults).hash, run_echo(8, faults).hash);
}

TEST(SimWorld, TimeIsVirtualAndExact) {
  World world(1);
  TaskGroup tasks;
  base::Duration slept{};
  tasks.spawn([](World& w, base::Duration& out) -> Task<void> {
    co_await sleep_for(w.loop(), 10h);
    out = w.elapsed();
  }(world, slept));
  EXPECT_TRUE(world.run_until([&] { return slept.count() != 0; }, 11h));
  EXPECT_EQ(slept, 10h);
  // Nothing can happen any more: the world says so instead of waiting.
  EXPECT_FALSE(world.run_until([] { return false; }, 100h));
}

TEST(SimWorld, AWriterWaitsForItsReader) {
  World world(1);
  Faults faults;
  faults.to_server.capacity_min = faults.to_server.capacity_max = 300;
  auto [client, server] = world.network().pair(faults);
  EXPECT_EQ(write_now(*client, std::string(1000, 'x')).bytes, 300u);
  EXPECT_EQ(write_now(*client, "x").status, IoStatus::would_block_write);
  world.run_for(1ms);
  EXPECT_EQ(write_now(*client, "x").status, IoStatus::would_block_write);
  char few[10];
  EXPECT_EQ(server->try_read(few).bytes, 10u);
  EXPECT_FALSE(client->readiness().writable);
  EXPECT_EQ(read_now(*server).size(), 256u);
  EXPECT_TRUE(client->readiness().writable);
  EXPECT_EQ(write_now(*client, std::string(1000, 'y')).bytes, 266u);
}

TEST(SimWorld, TheEndHangsUpAndIsRead) {
  World world(1);
  auto [client, server] = world.network().pair();
  Cancellation left;
  server->readiness().on_hangup = &left;
  write_now(*client, "last words");
  client->shutdown_write();
  world.run_for(1ms);
  EXPECT_TRUE(left.cancelled());
  EXPECT_TRUE(server->disturbed());
  EXPECT_EQ(read_now(*server), "last words");
  char buffer[1];
  EXPECT_EQ(server->try_read(buffer).status, IoStatus::eof);
  EXPECT_TRUE(server->readiness().readable);
  // The other direction is still open.
  EXPECT_EQ(write_now(*server, "answer").bytes, 6u);
  world.run_for(1ms);
  EXPECT_EQ(read_now(*client), "answer");
  server->readiness().on_hangup = nullptr;
}

TEST(SimWorld, ClosingWithUnreadBytesResets) {
  World world(1);
  auto [client, server] = world.network().pair();
  write_now(*client, "never read");
  world.run_for(1ms);
  server.reset();
  world.run_for(1ms);
  char buffer[1];
  EXPECT_TRUE(client->readiness().hangup);
  // As often as it is asked: a reset never looks like an orderly end.
  EXPECT_EQ(client->try_read(buffer).error.code, ErrorCode::reset);
  EXPECT_EQ(client->try_read(buffer).error.code, ErrorCode::reset);
  EXPECT_EQ(write_now(*client, "x").error.code, ErrorCode::reset);
}

TEST(SimWorld, WritingToAClosedEndIsReset) {
  World world(1);
  auto [client, server] = world.network().pair();
  server.reset();
  world.run_for(1ms);
  EXPECT_EQ(write_now(*client, "x").bytes, 1u);
  world.run_for(1ms);
  EXPECT_EQ(write_now(*client, "x").error.code, ErrorCode::reset);
}

TEST(SimWorld, ResetOnCloseDiscardsWhatWasUnread) {
  World world(1);
  Faults faults;
  faults.reset_discards_unread = 1;
  auto [client, server] = world.network().pair(faults);
  write_now(*server, "arrived");
  world.run_for(1ms);
  server->reset_on_close();
  server.reset();
  world.run_for(1ms);
  char buffer[16];
  EXPECT_EQ(client->try_read(buffer).error.code, ErrorCode::reset);
}

TEST(SimWorld, NobodyListensIsRefused) {
  World world(1);
  TaskGroup tasks;
  std::optional<ErrorCode> code;
  tasks.spawn([](World& w, std::optional<ErrorCode>& out) -> Task<void> {
    auto stream = co_await w.network().connect(kServer, {});
    out = stream.error().code;
  }(world, code));
  EXPECT_TRUE(world.run_until([&] { return code.has_value(); }));
  EXPECT_EQ(code, ErrorCode::refused);
}

TEST(SimWorld, ABlackHoleEndsAtTheDeadline) {
  World world(1);
  Faults faults;
  faults.black_hole = 1;
  world.network().set_faults(kServer, faults);
  auto listener = std::move(*world.network().listen(kServer, {}));
  TaskGroup tasks;
  std::optional<ErrorCode> code;
  tasks.spawn([](World& w, std::optional<ErrorCode>& out) -> Task<void> {
    auto stream = co_await w.network().connect(kServer, {.deadline = w.loop().now() + 5s});
    out = stream.error().code;
  }(world, code));
  EXPECT_TRUE(world.run_until([&] { return code.has_value(); }));
  EXPECT_EQ(code, ErrorCode::deadline_exceeded);
  EXPECT_EQ(world.elapsed(), 5s);
}

TEST(SimWorld, AListenersQueueIsResetWhenItCloses) {
  World world(1);
  auto listener = std::move(*world.network().listen(kServer, {}));
  TaskGroup tasks;
  std::unique_ptr<Stream> stream;
  tasks.spawn([](World& w, std::unique_ptr<Stream>& out) -> Task<void> {
    out = std::move(*co_await w.network().connect(kServer, {}));
  }(world, stream));
  EXPECT_TRUE(world.run_until([&] { return stream != nullptr; }));
  listener.reset();
  world.run_for(1ms);
  char buffer[1];
  EXPECT_EQ(stream->try_read(buffer).error.code, ErrorCode::reset);
}

}  // namespace
}  // namespace llmgw::net::sim
