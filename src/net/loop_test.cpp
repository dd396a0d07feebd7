#include "net/loop.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <thread>

#include "base/temporary_directory.h"
#include "net/io.h"
#include "net/network.h"
#include "net/task.h"

namespace llmgw::net {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using base::Result;

constexpr base::Duration kPatience = 60s;  // only a broken test waits so long

struct SocketWorld {
  Loop loop{make_epoll_poller(), 1};
  std::unique_ptr<Network> network = make_socket_network(loop);
  std::unique_ptr<Listener> listener;
  TaskGroup tasks;

  SocketWorld() { listener = std::move(*network->listen(*Address::parse("127.0.0.1:0"), {})); }
  // Runs one task to its end.
  template <class F>
  void run(F body) {
    bool done = false;
    tasks.spawn([](F function, bool& finished) -> Task<void> {
      co_await function();
      finished = true;
    }(std::move(body), done));
    loop.run_until([&] { return done; });
  }
  // What happens in its own time: waited for, but not for ever.
  Task<void> until(std::function<bool()> holds) {
    const base::Instant limit = loop.now() + kPatience;
    while (!holds() && loop.now() < limit) co_await sleep_for(loop, 1ms);
  }
};

Task<void> echo_once(Listener& listener) {
  auto stream = co_await accept(listener, {});
  char buffer[256];
  auto count = co_await read_some(**stream, buffer, {});
  co_await write_all(**stream, std::string_view(buffer, *count), {});
}

TEST(Socket, ConnectsWritesAndReads) {
  SocketWorld world;
  world.run([&]() -> Task<void> {
    world.tasks.spawn(echo_once(*world.listener));
    auto stream = co_await world.network->connect(world.listener->address(), {});
    EXPECT_TRUE(stream.has_value());
    co_await write_all(**stream, "hello", {});
    char buffer[64];
    auto count = co_await read_some(**stream, buffer, {});
    EXPECT_EQ(std::string_view(buffer, *count), "hello");
    count = co_await read_some(**stream, buffer, {});
    EXPECT_EQ(count, 0u);
  });
  EXPECT_EQ(world.tasks.active(), 0u);
}

TEST(Socket, RefusedIsAnError) {
  SocketWorld world;
  const Address address = world.listener->address();
  world.listener.reset();
  world.run([&]() -> Task<void> {
    auto stream = co_await world.network->connect(address, {});
    EXPECT_EQ(stream.error().code, ErrorCode::refused);
  });
}

TEST(Socket, ReadEndsAtItsDeadline) {
  SocketWorld world;
  world.run([&]() -> Task<void> {
    auto stream = co_await world.network->connect(world.listener->address(), {});
    char buffer[8];
    const auto start = world.loop.now();
    auto count = co_await read_some(**stream, buffer, {.deadline = start + 20ms});
    EXPECT_EQ(count.error().code, ErrorCode::deadline_exceeded);
    EXPECT_GE(world.loop.now() - start, 20ms);
  });
}

TEST(Socket, CancellationEndsARead) {
  SocketWorld world;
  Cancellation cancellation;
  world.run([&]() -> Task<void> {
    auto stream = co_await world.network->connect(world.listener->address(), {});
    world.tasks.spawn([](Loop& loop, Cancellation& which) -> Task<void> {
      co_await sleep_for(loop, 5ms);
      which.cancel();
    }(world.loop, cancellation));
    char buffer[8];
    auto count = co_await read_some(**stream, buffer, {.cancellation = &cancellation});
    EXPECT_EQ(count.error().code, ErrorCode::cancelled);
    count = co_await read_some(**stream, buffer, {.cancellation = &cancellation});
    EXPECT_EQ(count.error().code, ErrorCode::cancelled);
  });
}

TEST(Socket, HangupFiresItsCancellation) {
  SocketWorld world;
  Cancellation client_left;
  world.run([&]() -> Task<void> {
    auto client = co_await world.network->connect(world.listener->address(), {});
    auto server = co_await accept(*world.listener, {});
    (*server)->readiness().on_hangup = &client_left;
    client->reset();
    auto slept = co_await sleep_for(world.loop, 10s, &client_left);
    EXPECT_EQ(slept.error().code, ErrorCode::closed);
  });
}

// Whether a descriptor is one end of a TCP connection, and whether what is written to it leaves at once.
std::optional<bool> leaves_at_once(int fd) {
  sockaddr_storage peer{};
  socklen_t peer_size = sizeof peer;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) return std::nullopt;
  if (peer.ss_family != AF_INET && peer.ss_family != AF_INET6) return std::nullopt;
  int no_delay = 0;
  socklen_t size = sizeof no_delay;
  return getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size) == 0 && no_delay != 0;
}

// The ends of TCP connections that this process has, and whether all of them send at once.
std::pair<int, bool> tcp_ends() {
  constexpr int kDescriptorsMax = 1024;  // looked at; a test has a handful
  int ends = 0;
  bool all = true;
  for (int fd = 0; fd < kDescriptorsMax; ++fd) {
    const auto at_once = leaves_at_once(fd);
    if (!at_once) continue;
    all = all && *at_once;
    ++ends;
  }
  return {ends, all};
}

// The kernel tells of a reset once. Whoever hears it first, reader or writer, a cut stream must not look finished.
TEST(Socket, AResetNeverTurnsIntoAnEnd) {
  for (bool writer_first : {false, true}) {
    SocketWorld world;
    world.run([&]() -> Task<void> {
      auto client = co_await world.network->connect(world.listener->address(), {});
      auto server = co_await accept(*world.listener, {});
      co_await write_all(**server, "half", {});
      (*server)->reset_on_close();
      server->reset();
      co_await world.until([] { return tcp_ends().first == 0; });
      if (writer_first) {
        auto written = co_await write_all(**client, "more", {});
        EXPECT_FALSE(written.has_value());
      }
      int errors = 0;
      for (int i = 0; i < 4; ++i) {
        char buffer[64];
        auto count = co_await read_some(**client, buffer, {});
        if (!count) {
          ++errors;
          EXPECT_EQ(count.error().code, ErrorCode::reset);
        } else {
          EXPECT_EQ(errors, 0);
          EXPECT_GT(*count, 0u);
        }
      }
      EXPECT_GE(errors, 3);
    });
  }
}

// As a process does that is being started: it has all sockets until it executes its own program.
TEST(Socket, AClosedOneIsForgottenThoughAnotherProcessHoldsIt) {
  SocketWorld world;
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
  const int held = dup(ends[0]);
  auto stream = adopt_stream(world.loop, ends[0], world.listener->address());
  ASSERT_TRUE(stream.has_value());
  stream->reset();
  ASSERT_EQ(write(ends[1], "late", 4), 4);
  pollfd reported{world.loop.poller().descriptor(), POLLIN, 0};
  EXPECT_EQ(poll(&reported, 1, 0), 0);
  close(held);
  close(ends[1]);
}

TEST(Socket, BothEndsSendAtOnce) {
  SocketWorld world;
  world.run([&]() -> Task<void> {
    auto client = co_await world.network->connect(world.listener->address(), {});
    auto server = co_await accept(*world.listener, {});
    EXPECT_EQ(tcp_ends(), std::pair(2, true));
  });
}

// As with a service manager's sockets, which do not have the option, and whose first client waits already.
TEST(Socket, AConnectionToAnInheritedListenerSendsAtOnce) {
  SocketWorld world;
  const int inherited = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(inherited, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(inherited, 1), 0);
  const auto bound = Address::local_of(inherited);
  ASSERT_TRUE(bound.has_value());
  world.run([&]() -> Task<void> {
    auto client = co_await world.network->connect(*bound, {});
    world.listener = std::move(*adopt_listener(world.loop, inherited));
    auto server = co_await accept(*world.listener, {});
    EXPECT_EQ(tcp_ends(), std::pair(2, true));
  });
}

TEST(Socket, ALargeWriteWaitsForItsReader) {
  SocketWorld world;
  constexpr size_t kBytes = 8 << 20;
  world.run([&]() -> Task<void> {
    auto client = co_await world.network->connect(world.listener->address(), {});
    auto server = co_await accept(*world.listener, {});
    std::string data(kBytes, 'x');
    data.back() = 'y';
    bool written = false;
    world.tasks.spawn([](Stream& stream, std::string& bytes, bool& done) -> Task<void> {
      auto result = co_await write_all(stream, bytes, {});
      EXPECT_TRUE(result.has_value());
      done = true;
    }(**server, data, written));
    EXPECT_FALSE(written);
    size_t received = 0;
    char last = 0;
    while (received < kBytes) {
      auto bytes = co_await read_scratch(**client, {});
      received += bytes->size();
      last = bytes->back();
    }
    EXPECT_EQ(received, kBytes);
    EXPECT_EQ(last, 'y');
    EXPECT_TRUE(written);
  });
}

// One that reads little at a time is not one that reads nothing, however much the kernel's buffers would hold.
TEST(Socket, AClientThatReadsSlowlyIsSeenToRead) {
  constexpr size_t kReadsMax = 512 * 1024;  // a third of what the kernel holds without a limit is more
  SocketWorld world;
  world.run([&]() -> Task<void> {
    auto client = co_await world.network->connect(world.listener->address(), {});
    auto server = co_await accept(*world.listener, {});
    const std::string piece(16 * 1024, 'x');
    const auto takes = [&](base::Duration patience) -> Task<bool> {
      auto written = co_await write_all(**server, piece, {.deadline = world.loop.now() + patience});
      co_return written.has_value();
    };
    size_t pieces = 0;
    while (pieces < 4096 && co_await takes(200ms)) ++pieces;
    EXPECT_LT(pieces, 4096U) << "nobody read, and there was no end of what was taken";
    size_t received = 0;
    bool taken = false;
    while (!taken && received < kReadsMax) {
      char buffer[16 * 1024];
      received += (*client)->try_read(buffer).bytes;
      taken = co_await takes(5ms);
    }
    EXPECT_TRUE(taken) << "after " << received << " bytes of " << pieces * piece.size();
  });
}

TEST(Socket, UnixDomain) {
  SocketWorld world;
  const base::TemporaryDirectory directory;
  const std::string path = directory.file("socket");
  world.listener = std::move(*world.network->listen(*Address::parse("unix:" + path), {}));
  // A second listener on a live socket is refused; a stale socket file is replaced.
  EXPECT_EQ(world.network->listen(*Address::parse("unix:" + path), {}).error().code, ErrorCode::already_exists);
  world.listener.reset();
  world.listener = std::move(*world.network->listen(*Address::parse("unix:" + path), {}));
  world.run([&]() -> Task<void> {
    world.tasks.spawn(echo_once(*world.listener));
    auto stream = co_await world.network->connect(world.listener->address(), {});
    co_await write_all(**stream, "unix", {});
    char buffer[64];
    auto count = co_await read_some(**stream, buffer, {});
    EXPECT_EQ(std::string_view(buffer, *count), "unix");
  });
}

TEST(Loop, PostRunsOnTheLoopsThread) {
  Loop loop(make_epoll_poller());
  std::thread::id seen;
  std::thread other([&] {
    loop.post([&] {
      seen = std::this_thread::get_id();
      loop.stop();
    });
  });
  loop.run();
  other.join();
  EXPECT_EQ(seen, std::this_thread::get_id());
}

TEST(Loop, SignalWakesEveryWaiter) {
  SocketWorld world;
  Signal signal(world.loop);
  int woken = 0;
  for (int i = 0; i < 3; ++i) {
    world.tasks.spawn([](Signal& which, int& count) -> Task<void> {
      co_await which.wait({});
      ++count;
    }(signal, woken));
  }
  world.run([&]() -> Task<void> {
    co_await sleep_for(world.loop, 1ms);
    signal.notify();
    auto late = co_await signal.wait({.deadline = world.loop.now() + 2ms});
    EXPECT_EQ(late.error().code, ErrorCode::deadline_exceeded);
  });
  EXPECT_EQ(woken, 3);
}

// A coroutine that has used up its turns gives way at its next operation; a notification in that gap is not lost.
TEST(Loop, ASignalIsNotMissedByACoroutineOutOfTurns) {
  SocketWorld world;
  Signal signal(world.loop);
  bool set = false;
  bool seen = false;
  world.run([&]() -> Task<void> {
    while (world.loop.take_turn()) {
    }
    world.tasks.spawn([](Signal& which, bool& flag, bool& done) -> Task<void> {
      while (!flag) co_await which.wait({});
      done = true;
    }(signal, set, seen));
    set = true;
    signal.notify();
    co_await world.until([&] { return seen; });
  });
  EXPECT_TRUE(seen);
}

struct Turns {
  std::string order;
  size_t unsent = 0;
  size_t unsent_max = 0;
};

Task<void> read_and_send(Loop& loop, Signal& signal, Turns& turns) {
  co_await signal.wait({});
  turns.order += 'r';
  turns.unsent_max = std::max(turns.unsent_max, ++turns.unsent);
  co_await send_turn(loop);
  turns.order += 's';
  --turns.unsent;
}

TEST(Loop, WhatATurnReadsIsSentAtItsEnd) {
  SocketWorld world;
  for (const size_t readers : {size_t{1}, size_t{3}, 2 * Loop::kSendersMax + 5}) {
    Signal signal(world.loop);
    Turns turns;
    for (size_t i = 0; i < readers; ++i) world.tasks.spawn(read_and_send(world.loop, signal, turns));
    world.run([&]() -> Task<void> {
      co_await sleep_for(world.loop, 1ms);
      signal.notify();
      co_await world.until([&] { return turns.order.size() >= 2 * readers; });
    });
    const size_t together = std::min(readers, Loop::kSendersMax);
    EXPECT_EQ(turns.order.substr(0, 2 * together), std::string(together, 'r') + std::string(together, 's'));
    EXPECT_EQ(turns.order.size(), 2 * readers);
    EXPECT_EQ(turns.unsent_max, together);
  }
}

TEST(Loop, BeginningsAreSentBeforeContinuations) {
  SocketWorld world;
  Signal signal(world.loop);
  std::string sent;
  for (const auto order : {Order::continuation, Order::beginning, Order::continuation}) {
    world.tasks.spawn([](Loop& loop, Signal& which, Order mine, std::string& text) -> Task<void> {
      co_await which.wait({});
      co_await send_turn(loop, mine);
      text += mine == Order::beginning ? 'b' : 'c';
    }(world.loop, signal, order, sent));
  }
  world.run([&]() -> Task<void> {
    co_await sleep_for(world.loop, 1ms);
    signal.notify();
    co_await world.until([&] { return sent.size() >= 3; });
  });
  EXPECT_EQ(sent, "bcc");
}

TEST(Loop, BeginningsGoFirst) {
  SocketWorld world;
  Signal stream(world.loop);
  Signal request(world.loop);
  std::string ran;
  const auto task = [](Signal& which, Order order, Signal* then, std::string& text) -> Task<void> {
    co_await which.wait({.order = order});
    text += order == Order::beginning ? 'b' : 'c';
    if (then != nullptr) then->notify();
  };
  constexpr size_t kPieces = Loop::kContinuationsPerLook * 3;
  for (size_t i = 0; i < kPieces; ++i) {
    // The second piece that runs is when somebody's request arrives.
    world.tasks.spawn(task(stream, Order::continuation, i == 1 ? &request : nullptr, ran));
  }
  world.tasks.spawn(task(request, Order::beginning, nullptr, ran));
  world.run([&]() -> Task<void> {
    co_await sleep_for(world.loop, 1ms);
    stream.notify();
    co_await world.until([&] { return ran.size() >= kPieces + 1; });
  });
  EXPECT_EQ(ran.size(), kPieces + 1);
  EXPECT_EQ(ran.find('b'), Loop::kContinuationsPerLook);
}

TEST(Loop, ASenderMayDieBeforeItsTurn) {
  SocketWorld world;
  Signal signal(world.loop);
  Turns turns;
  TaskGroup doomed;
  for (int i = 0; i < 3; ++i) doomed.spawn(read_and_send(world.loop, signal, turns));
  world.run([&]() -> Task<void> {
    co_await sleep_for(world.loop, 1ms);
    world.tasks.spawn([](Signal& which, TaskGroup& group) -> Task<void> {
      co_await which.wait({});
      group.cancel_all();
    }(signal, doomed));
    signal.notify();
    co_await sleep_for(world.loop, 1ms);
  });
  EXPECT_EQ(turns.order, "rrr");
}

TEST(TaskGroup, DestroysWhatStillWaits) {
  SocketWorld world;
  auto token = std::make_shared<int>(1);
  {
    TaskGroup group;
    group.spawn(
        [](Loop& loop, std::shared_ptr<int>) -> Task<void> { co_await sleep_for(loop, 1h); }(world.loop, token));
    EXPECT_EQ(group.active(), 1u);
    EXPECT_EQ(token.use_count(), 2);
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(Address, ParsesAndFormats) {
  for (auto text : {"127.0.0.1:8080", "[::1]:443", "unix:/run/x.sock", "unix:@abstract"}) {
    auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
  }
  for (auto text : {"", "8080", "127.0.0.1", "127.0.0.1:99999", "example.com:80", "unix:", "127.0.0.1:"}) {
    EXPECT_FALSE(Address::parse(text)) << text;
  }
}

}  // namespace
}  // namespace llmgw::net
