#include "app/process/takeover.h"

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <thread>

#include "app/process/pid_file.h"
#include "app/process/test_support.h"
#include "app/process/unix_packets.h"

namespace llmgw::process {
namespace {

using base::ErrorCode;

// A running process in miniature: some listeners, a PID file, and a record of what happened to it.
struct Predecessor {
  std::vector<FileDescriptor> listeners;
  std::optional<PidFile> pid_file;
  int offers = 0;  // on the server's thread
  std::atomic<int> handed_over = 0;
  std::atomic<int> abandoned = 0;
  Pipe abandoned_signal;
  bool refuses = false;
  bool tries = false;  // a successor is not handed over to as soon as it is ready
  ControlServer* server = nullptr;

  ControlCallbacks callbacks() {
    ControlCallbacks callbacks;
    callbacks.on_command = [](const ControlRequest&) { ADD_FAILURE(); };
    callbacks.on_takeover = [this](pid_t successor) -> base::Result<HandoffOffer> {
      EXPECT_EQ(successor, getpid());
      ++offers;
      if (refuses) return base::fail(ErrorCode::cancelled, "this process is stopping");
      HandoffOffer offer;
      for (const FileDescriptor& listener : listeners) {
        offer.listeners.push_back({bound_address(listener.get()).value(), listener.get()});
      }
      if (pid_file) offer.pid_file = pid_file->fd();
      return offer;
    };
    callbacks.on_successor_ready = [this](pid_t successor) {
      if (!tries) EXPECT_TRUE(server->hand_over(successor));
    };
    callbacks.on_handed_over = [this](pid_t) {
      ++handed_over;
      listeners.clear();
      if (pid_file) pid_file->release();
    };
    callbacks.on_takeover_abandoned = [this](pid_t) {
      ++abandoned;
      abandoned_signal.tell();
    };
    return callbacks;
  }
};

class TakeoverTest : public ::testing::Test {
 protected:
  void start(size_t listeners) {
    for (size_t index = 0; index < listeners; ++index) old_.listeners.push_back(listen_on_loopback());
    auto server = ControlServer::listen(directory_.path(), old_.callbacks());
    ASSERT_TRUE(server);
    ASSERT_TRUE((*server)->publish());
    old_.server = server->get();
    server_.emplace(std::move(*server));
  }

  TemporaryDirectory directory_;
  Predecessor old_;
  std::optional<ServerThread> server_;
};

TEST_F(TakeoverTest, GetsEverySocketAndThePidFile) {
  const std::string pid_path = directory_.file("gateway.pid");
  auto pid_file = PidFile::acquire(pid_path);
  ASSERT_TRUE(pid_file);
  old_.pid_file.emplace(std::move(*pid_file));
  start(kDescriptorsPerPacketMax + 3);
  auto takeover = Takeover::request(directory_.path(), kPatience);
  ASSERT_TRUE(takeover) << takeover.error().context;
  ASSERT_EQ(takeover->listeners().size(), kDescriptorsPerPacketMax + 3);
  std::set<std::string> names;
  for (const InheritedListener& listener : takeover->listeners()) {
    EXPECT_EQ(bound_address(listener.socket.get()), listener.name);
    EXPECT_TRUE(is_listening(listener.socket.get()));
    EXPECT_NE(fcntl(listener.socket.get(), F_GETFD) & FD_CLOEXEC, 0);
    names.insert(listener.name);
  }
  EXPECT_EQ(names.size(), takeover->listeners().size());
  EXPECT_EQ(old_.handed_over, 0);
  ASSERT_TRUE(takeover->announce_ready(kPatience));
  EXPECT_EQ(old_.handed_over, 1);
  auto adopted = PidFile::adopt(takeover->take_pid_file(), pid_path);
  ASSERT_TRUE(adopted);
  EXPECT_EQ(PidFile::holder(pid_path), getpid());
  std::string reason;
  EXPECT_EQ(Takeover::request(directory_.path(), kPatience, &reason).error().code, ErrorCode::permission);
  EXPECT_NE(reason.find("handed over already"), std::string::npos);
}

TEST_F(TakeoverTest, ASuccessorThatDiesChangesNothing) {
  start(1);
  const std::string address = bound_address(old_.listeners[0].get()).value();
  {
    auto takeover = Takeover::request(directory_.path(), kPatience);
    ASSERT_TRUE(takeover);
    std::string reason;
    EXPECT_EQ(Takeover::request(directory_.path(), kPatience, &reason).error().code, ErrorCode::permission);
    EXPECT_NE(reason.find("another process is taking over"), std::string::npos);
  }
  old_.abandoned_signal.wait();
  EXPECT_EQ(old_.abandoned, 1);
  EXPECT_EQ(old_.handed_over, 0);
  auto second = Takeover::request(directory_.path(), kPatience);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->listeners().front().name, address);
  EXPECT_TRUE(second->announce_ready(kPatience));
  EXPECT_EQ(old_.handed_over, 1);
}

TEST_F(TakeoverTest, ARefusalSaysWhy) {
  old_.refuses = true;
  start(1);
  std::string reason;
  auto takeover = Takeover::request(directory_.path(), kPatience, &reason);
  ASSERT_FALSE(takeover);
  EXPECT_EQ(takeover.error().code, ErrorCode::permission);
  EXPECT_EQ(reason, R"({"ok":false,"error":"this process is stopping"})");
  EXPECT_EQ(old_.abandoned, 0);
}

// Until `done`; the server has no thread of its own, so that a test says what it hears when.
void serve_until(ControlServer& server, const std::function<bool()>& done) {
  pollfd waited{server.fd(), POLLIN, 0};
  while (!done() && poll(&waited, 1, -1) > 0) server.on_ready();
}

TEST_F(TakeoverTest, AnOfferTakenBackIsNoTakeover) {
  constexpr const char* kWhy = R"({"ok":false,"error":"it was stopped"})";
  old_.tries = true;
  for (const char* when : {"offered", "said ready", "on trial"}) {
    auto server = ControlServer::listen(directory_.path(), old_.callbacks());
    ASSERT_TRUE(server && (*server)->publish());
    EXPECT_FALSE((*server)->take_offer_back("there is none"));
    std::optional<base::Result<Takeover>> takeover;
    std::thread asks([&] { takeover.emplace(Takeover::request(directory_.path(), kPatience)); });
    serve_until(**server, [this, before = old_.offers] { return old_.offers != before; });
    asks.join();
    ASSERT_TRUE(*takeover);
    std::string reason;
    const auto announce = [&] {
      const auto ready = (*takeover)->announce_ready(kPatience, &reason);
      EXPECT_EQ(ready ? ErrorCode::internal : ready.error().code, ErrorCode::permission);
    };
    if (when != std::string_view("offered")) {
      std::thread announces(announce);
      pollfd waited{(*server)->fd(), POLLIN, 0};
      EXPECT_EQ(poll(&waited, 1, -1), 1);
      // Without it, what was said is not read any more.
      if (when == std::string_view("on trial")) (*server)->on_ready();
      EXPECT_TRUE((*server)->take_offer_back("it was stopped"));
      server->reset();
      announces.join();
    } else {
      EXPECT_TRUE((*server)->take_offer_back("it was stopped"));
      server->reset();
      announce();
    }
    EXPECT_EQ(reason, kWhy);
    EXPECT_EQ(old_.handed_over, 0);
    EXPECT_EQ(old_.abandoned, 0);
  }
}

// It may replace the name of the control socket at any moment from then on; looking whose it is would be too late.
TEST_F(TakeoverTest, TheNameOfTheControlSocketIsLeftToASuccessor) {
  old_.tries = true;
  const std::string name = directory_.file(kControlSocketName);
  for (const char* when : {"offered", "handed over", "died"}) {
    auto server = ControlServer::listen(directory_.path(), old_.callbacks());
    ASSERT_TRUE(server && (*server)->publish());
    auto socket = connect_unix(directory_.path(), kControlSocketName, base::real_now() + kPatience);
    ASSERT_TRUE(socket && send_packet(socket->get(), "takeover 1"));
    (*server)->on_ready();
    if (when == std::string_view("handed over")) {
      ASSERT_TRUE(send_packet(socket->get(), "ready"));
      (*server)->on_ready();
      EXPECT_TRUE((*server)->hand_over(getpid()));
    }
    if (when == std::string_view("died")) {
      socket->close();
      (*server)->on_ready();
    }
    server->reset();
    EXPECT_EQ(std::filesystem::exists(name), when != std::string_view("died")) << when;
  }
}

// It crashed at the first calls, whether this process has seen that or only that its time is over.
TEST_F(TakeoverTest, WhoServedAndDiedSoonHasChangedNothing) {
  old_.tries = true;
  for (const bool seen : {true, false}) {
    auto server = ControlServer::listen(directory_.path(), old_.callbacks());
    ASSERT_TRUE(server && (*server)->publish());
    {
      const base::Instant deadline = base::real_now() + kPatience;
      auto socket = connect_unix(directory_.path(), kControlSocketName, deadline);
      ASSERT_TRUE(socket && send_packet(socket->get(), "takeover 1"));
      (*server)->on_ready();
      EXPECT_EQ(receive_packet(socket->get(), deadline)->text, "offered");
      ASSERT_TRUE(send_packet(socket->get(), "ready"));
      (*server)->on_ready();
      EXPECT_EQ((*server)->clients(), 1u);
      EXPECT_FALSE((*server)->hand_over(getpid() + 1)) << "of another one, that went before";
    }
    const int abandoned = old_.abandoned;
    if (seen) (*server)->on_ready();
    EXPECT_FALSE((*server)->hand_over(getpid()));
    EXPECT_EQ(old_.abandoned, abandoned + 1);
    EXPECT_EQ(old_.handed_over, 0);
    EXPECT_EQ((*server)->clients(), 0u);
  }
}

// The predecessor stood still, and its successor waits no longer.
TEST_F(TakeoverTest, WhoGaveUpAfterItWasReadyGetsNothing) {
  auto server = ControlServer::listen(directory_.path(), old_.callbacks());
  ASSERT_TRUE(server && (*server)->publish());
  {
    const base::Instant deadline = base::real_now() + kPatience;
    auto socket = connect_unix(directory_.path(), kControlSocketName, deadline);
    ASSERT_TRUE(socket);
    ASSERT_TRUE(send_packet(socket->get(), "takeover 1"));
    (*server)->on_ready();
    EXPECT_EQ(receive_packet(socket->get(), deadline)->text, "offered");
    ASSERT_TRUE(send_packet(socket->get(), "ready"));
  }
  (*server)->on_ready();
  EXPECT_EQ(old_.handed_over, 0);
  EXPECT_EQ(old_.abandoned, 1);
  EXPECT_EQ((*server)->clients(), 0u);
}

TEST_F(TakeoverTest, WithNothingToHandOverIsStillATakeover) {
  start(0);
  auto takeover = Takeover::request(directory_.path(), kPatience);
  ASSERT_TRUE(takeover);
  EXPECT_TRUE(takeover->listeners().empty());
  EXPECT_FALSE(takeover->take_pid_file().valid());
}

TEST(Takeover, NobodyThereIsTold) {
  TemporaryDirectory directory;
  EXPECT_EQ(Takeover::request(directory.path(), kPatience).error().code, ErrorCode::refused);
}

// Accepts with `listener` and answers each connection with `letter` until `stop` ends or, with a control server, until
// the sockets have been handed over.
class Answerer {
 public:
  Answerer(FileDescriptor listener, char letter) : listener_(std::move(listener)), letter_(letter) {}

  void run(int stop, ControlServer* control) {
    pollfd waited[3] = {{listener_.get(), POLLIN, 0}, {stop, POLLIN, 0}, {control ? control->fd() : -1, POLLIN, 0}};
    while (listener_.valid() && poll(waited, 3, -1) > 0 && waited[1].revents == 0) {
      // Control first: what it is told must hold for connections that come in the same moment.
      if (waited[2].revents != 0) control->on_ready();
      if (listener_.valid() && waited[0].revents != 0) answer_one();
    }
  }
  void answer_one() {
    FileDescriptor client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client.valid()) send(client.get(), &letter_, 1, MSG_NOSIGNAL);
  }
  int socket() const { return listener_.get(); }
  void close() { listener_.close(); }

 private:
  FileDescriptor listener_;
  char letter_;
};

int run_predecessor(const std::string& directory, FileDescriptor listener, Pipe& listening) {
  Answerer answerer(std::move(listener), 'A');
  bool handed_over = false;
  ControlServer* server = nullptr;
  ControlCallbacks callbacks;
  callbacks.on_command = [](const ControlRequest&) {};
  callbacks.on_takeover = [&](pid_t) -> base::Result<HandoffOffer> {
    return HandoffOffer{{{"main", answerer.socket()}}, -1};
  };
  callbacks.on_successor_ready = [&](pid_t successor) { server->hand_over(successor); };
  callbacks.on_handed_over = [&](pid_t) {
    handed_over = true;
    answerer.close();
  };
  callbacks.on_takeover_abandoned = [](pid_t) {};
  auto control = ControlServer::listen(directory, std::move(callbacks));
  if (!control || !(*control)->publish()) return 1;
  server = control->get();
  listening.write_end.close();
  answerer.run(-1, control->get());
  return handed_over ? 0 : 2;
}

// Connects again and again; each connection must be answered. The letters counted.
struct Caller {
  sockaddr_in address{};
  std::atomic<int> from_old = 0;
  std::atomic<int> from_new = 0;
  std::atomic<int> failed = 0;
  std::atomic<bool> stop = false;

  void run() {
    const void* raw = &address;
    while (!stop) {
      FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      char letter = 0;
      if (connect(socket.get(), static_cast<const sockaddr*>(raw), sizeof address) != 0 ||
          recv(socket.get(), &letter, 1, 0) != 1) {
        ++failed;
      }
      count(letter);
    }
  }
  void count(char letter) {
    std::atomic<int>& counter = letter == 'A' ? from_old : from_new;
    ++counter;
    counter.notify_all();
  }
  static void wait_for(std::atomic<int>& counter, int least) {
    for (int seen = counter; seen < least; seen = counter) counter.wait(seen);
  }
};

TEST(Takeover, NoConnectionIsRefusedOrResetWhileProcessesChange) {
  constexpr int kCallers = 4;
  TemporaryDirectory directory;
  FileDescriptor listener = listen_on_loopback();
  Caller caller;
  socklen_t length = sizeof caller.address;
  void* raw = &caller.address;
  ASSERT_EQ(getsockname(listener.get(), static_cast<sockaddr*>(raw), &length), 0);
  Pipe listening;
  const pid_t predecessor =
      start_child([&] { return run_predecessor(directory.path(), std::move(listener), listening); });
  listener.close();
  listening.write_end.close();
  listening.wait();

  std::vector<std::thread> callers;
  for (int index = 0; index < kCallers; ++index) callers.emplace_back([&] { caller.run(); });
  Caller::wait_for(caller.from_old, 200);
  auto takeover = Takeover::request(directory.path(), kPatience);
  ASSERT_TRUE(takeover) << takeover.error().context;
  Answerer answerer(std::move(takeover->listeners().front().socket), 'B');
  Pipe stop;
  std::thread successor([&] { answerer.run(stop.read_end.get(), nullptr); });
  ASSERT_TRUE(takeover->announce_ready(kPatience));
  EXPECT_EQ(exit_status_of(predecessor), 0);
  const int before = caller.from_new;
  Caller::wait_for(caller.from_new, before + 200);

  caller.stop = true;
  for (std::thread& thread : callers) thread.join();
  stop.write_end.close();
  successor.join();
  EXPECT_EQ(caller.failed, 0);
}

}  // namespace
}  // namespace llmgw::process
