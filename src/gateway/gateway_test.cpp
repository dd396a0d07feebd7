#include "gateway/gateway.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/temporary_directory.h"
#include "control/config_loader.h"
#include "control/reload.h"
#include "http/server.h"
#include "net/io.h"
#include "net/tls_test_certificates.h"
#include "telemetry/request_id.h"

namespace llmgw::gateway {
namespace {

using namespace std::chrono_literals;

constexpr int kPatienceMs = 60'000;  // only a broken test waits so long

// A blocking socket of a test.
class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  static Socket connected(const net::Address& address) {
    Socket socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(socket.fd_, address.data(), address.size()) != 0) return Socket();
    return socket;
  }
  bool valid() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  bool send(std::string_view text) const {
    return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  // What comes next; empty at the end or after kPatienceMs.
  std::string receive() const {
    pollfd waited{fd_, POLLIN, 0};
    if (poll(&waited, 1, kPatienceMs) <= 0) return {};
    std::string text(16 * 1024, '\0');
    const ssize_t count = recv(fd_, text.data(), text.size(), 0);
    text.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return text;
  }
  std::string receive_until(std::string_view mark) const {
    std::string text;
    while (text.find(mark) == std::string::npos) {
      const std::string piece = receive();
      if (piece.empty()) break;
      text += piece;
    }
    return text;
  }
  std::string receive_all() const { return receive_until(std::string_view("\0never", 6)); }

 private:
  int fd_;
};

// An OpenAI-like upstream: a thread a connection. A body with "stream" gets an event, and the rest when released.
class CannedUpstream {
 public:
  CannedUpstream() {
    listener_ = Socket(*net::open_listening_socket(*net::Address::from_ip("127.0.0.1", 0), {}));
    port_ = net::Address::local_of(listener_.fd())->port();
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~CannedUpstream() {
    stopping_ = true;
    release();
    shutdown(listener_.fd(), SHUT_RDWR);
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
  }
  uint16_t port() const { return port_; }
  void release() {
    std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  int requests() const { return requests_; }

 private:
  void accept_all() {
    while (!stopping_) {
      pollfd waited{listener_.fd(), POLLIN, 0};
      poll(&waited, 1, 50);
      const int fd = accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) threads_.emplace_back([this, fd] { serve(Socket(fd)); });
    }
  }
  void serve(const Socket& socket) {
    std::string received;
    while (!stopping_) {
      pollfd waited{socket.fd(), POLLIN, 0};
      if (poll(&waited, 1, 50) == 0) continue;
      const std::string piece = socket.receive();
      if (piece.empty()) return;
      received += piece;
      const size_t end = received.find("\r\n\r\n");
      const size_t length = received.find("content-length: ");
      if (end == std::string::npos || length == std::string::npos) continue;
      const size_t body = std::stoul(received.substr(length + 16));
      if (received.size() < end + 4 + body) continue;
      ++requests_;
      answer(socket, received.substr(end + 4, body));
      received.clear();
    }
  }
  void answer(const Socket& socket, const std::string& body) {
    if (body.find("\"stream\":true") == std::string::npos) {
      const std::string text = R"({"object":"chat.completion","choices":[]})";
      socket.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " +
                  std::to_string(text.size()) + "\r\n\r\n" + text);
      return;
    }
    socket.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    socket.send("f\r\ndata: {\"n\":1}\n\n\r\n");
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return released_; });
    socket.send("f\r\ndata: {\"n\":2}\n\n\r\n0\r\n\r\n");
  }

  Socket listener_;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> requests_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool released_ = false;
  std::vector<std::thread> threads_;  // the acceptor's, until it has ended
  std::thread acceptor_;
};

class GatewayTest : public ::testing::Test {
 protected:
  ~GatewayTest() override { gateway_.reset(); }

  // A snapshot of one model name on the canned upstream; `server` are lines of [server] and sections below.
  std::shared_ptr<const control::Snapshot> snapshot(std::string_view model, std::string_view server = "") {
    const std::string text = "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 2\nallow_anonymous = true\n" +
                             std::string(server) + "\n[log]\noutput = \"" + log_file() +
                             "\"\n[[connections]]\nname = \"canned\"\nprovider = \"openai-compatible\"\nendpoint = "
                             "\"http://127.0.0.1:" +
                             std::to_string(upstream_.port()) + "/v1\"\n[[models]]\nname = \"" + std::string(model) +
                             "\"\nconnection = \"canned\"\n";
    auto config = control::load_config(text, control::real_environment(directory_ + "/test.toml"));
    EXPECT_TRUE(config) << control::format_errors(config.error(), "test.toml");
    auto built = control::build_snapshot(*config, {.version = ++version_, .hash_key = {}, .created_default = 0});
    EXPECT_TRUE(built);
    return *built;
  }
  std::string log_file() const { return directory_ + "/log"; }

  void start(std::shared_ptr<const control::Snapshot> snapshot) {
    auto started = Gateway::start({.snapshot = std::move(snapshot)});
    ASSERT_TRUE(started) << started.error();
    gateway_ = std::move(*started);
  }
  net::Address address() const { return *net::Address::parse(gateway_->addresses().front()); }

  static std::string request(std::string_view model, bool stream = false, std::string_view more = "") {
    const std::string body =
        "{\"model\":\"" + std::string(model) + "\"" + (stream ? ",\"stream\":true" : "") + ",\"messages\":[]}";
    return "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n" + std::string(more) +
           "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  std::string call(std::string_view model) const {
    const Socket client = Socket::connected(address());
    client.send(request(model, false, "connection: close\r\n"));
    return client.receive_all();
  }
  std::string get(std::string_view path) const {
    const Socket client = Socket::connected(address());
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n");
    return client.receive_all();
  }
  // Begins a stream and waits for its first event.
  Socket begin_stream(std::string_view model) const {
    Socket client = Socket::connected(address());
    client.send(request(model, true));
    EXPECT_NE(client.receive_until("data: {\"n\":1}\n\n").find("200 OK"), std::string::npos);
    return client;
  }
  bool wait_drained() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(kPatienceMs), [this] { return drained_; });
  }
  void drain(base::Duration limit) {
    gateway_->drain(limit, [this] {
      std::lock_guard lock(mutex_);
      drained_ = true;
      changed_.notify_all();
    });
  }
  bool drained() {
    std::lock_guard lock(mutex_);
    return drained_;
  }

  CannedUpstream upstream_;
  base::TemporaryDirectory temporary_;
  const std::string directory_ = temporary_.path();
  uint64_t version_ = 0;
  std::unique_ptr<Gateway> gateway_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool drained_ = false;
};

TEST_F(GatewayTest, ProxiesAndCounts) {
  start(snapshot("m"));
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(call("m").starts_with("HTTP/1.1 200 OK")) << i;
  EXPECT_NE(get("/ready").find("200 OK"), std::string::npos);
  // A client has its answer a moment before its call is counted.
  const telemetry::Reader reader(gateway_->registry());
  const auto counted = [&] { return reader.histogram_total(telemetry::FamilyId::added_time).count(); };
  const base::Instant limit = base::real_now() + std::chrono::milliseconds(kPatienceMs);
  while (counted() < 8 && base::real_now() < limit) std::this_thread::sleep_for(1ms);
  const WorkerCounts counts = gateway_->counts();
  EXPECT_GE(counts.requests, 8U);
  EXPECT_GE(counts.upstream_connections, 1U);
  EXPECT_EQ(counts.snapshot_version, 1U);
  EXPECT_EQ(upstream_.requests(), 8);
  EXPECT_EQ(counted(), 8U);
}

TEST_F(GatewayTest, KeepsConnectionsAliveByDefault) {
  start(snapshot("m"));
  const Socket client = Socket::connected(address());
  for (int i = 0; i < 3; ++i) {
    client.send(request("m"));
    EXPECT_NE(client.receive_until("\"choices\":[]}").find("200 OK"), std::string::npos) << i;
  }
}

TEST_F(GatewayTest, PublishSwapsTheModelsOfEveryWorkerAndKeepsConnections) {
  start(snapshot("before"));
  const Socket kept = Socket::connected(address());
  kept.send(request("before"));
  EXPECT_NE(kept.receive_until("\"choices\":[]}").find("200 OK"), std::string::npos);
  ASSERT_TRUE(gateway_->publish(snapshot("after")));
  EXPECT_EQ(gateway_->counts().snapshot_version, 2U);
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(call("after").starts_with("HTTP/1.1 200 OK"));
    EXPECT_TRUE(call("before").starts_with("HTTP/1.1 404"));
  }
  kept.send(request("after"));
  EXPECT_NE(kept.receive_until("\"choices\":[]}").find("200 OK"), std::string::npos);
}

TEST_F(GatewayTest, AStreamThatRunsKeepsItsSnapshot) {
  start(snapshot("before"));
  const Socket client = begin_stream("before");
  ASSERT_TRUE(gateway_->publish(snapshot("after")));
  upstream_.release();
  EXPECT_NE(client.receive_until("0\r\n\r\n").find("data: {\"n\":2}"), std::string::npos);
}

TEST_F(GatewayTest, DrainWaitsForARunningStream) {
  start(snapshot("m"));
  const net::Address where = address();
  const Socket client = begin_stream("m");
  drain(60s);
  EXPECT_FALSE(Socket::connected(where).valid()) << "accepts while draining";
  EXPECT_FALSE(drained());
  EXPECT_FALSE(gateway_->publish(snapshot("late")));
  upstream_.release();
  EXPECT_NE(client.receive_until("0\r\n\r\n").find("data: {\"n\":2}"), std::string::npos);
  EXPECT_TRUE(wait_drained());
}

TEST_F(GatewayTest, DrainAnswersARequestThatIsOnItsWay) {
  // Unless whoever sends it was held up for longer than connections are kept for it.
  bool in_time = false;
  for (int i = 0; i < 20 && !in_time; ++i) {
    start(snapshot("m"));
    const Socket idle = Socket::connected(address());
    idle.send("GET /ready HTTP/1.1\r\nhost: g\r\n\r\n");
    EXPECT_NE(idle.receive_until("ready").find("200 OK"), std::string::npos);
    const base::Instant began = base::real_now();
    drain(60s);
    idle.send("GET /ready HTTP/1.1\r\nhost: g\r\n\r\n");
    const std::string answer = idle.receive_all();
    in_time = base::real_now() - began < http::kDrainGrace;
    EXPECT_TRUE(wait_drained());
    drained_ = false;
    gateway_.reset();
    if (!in_time && answer.empty()) continue;
    EXPECT_NE(answer.find("HTTP/1.1 503"), std::string::npos) << answer;
    EXPECT_NE(answer.find("connection: close"), std::string::npos) << answer;
  }
  EXPECT_TRUE(in_time);
}

TEST_F(GatewayTest, DrainClosesIdleConnections) {
  start(snapshot("m"));
  const Socket idle = Socket::connected(address());
  idle.send("GET /ready HTTP/1.1\r\nhost: g\r\n\r\n");
  EXPECT_FALSE(idle.receive_until("ready").empty());
  drain(60s);
  EXPECT_TRUE(wait_drained());
  EXPECT_EQ(idle.receive(), "");
}

TEST_F(GatewayTest, DrainCutsOffWhatOutlivesItsLimit) {
  start(snapshot("m"));
  const Socket client = begin_stream("m");
  drain(100ms);
  const std::string rest = client.receive_all();
  EXPECT_EQ(rest.find("data: {\"n\":2}"), std::string::npos);
  EXPECT_EQ(rest.find("0\r\n\r\n"), std::string::npos) << "a cut stream must not look whole";
  EXPECT_TRUE(wait_drained());
}

TEST_F(GatewayTest, CancelRestEndsADrainEarly) {
  start(snapshot("m"));
  const Socket client = begin_stream("m");
  drain(1h);
  gateway_->cancel_rest();
  EXPECT_TRUE(wait_drained());
}

TEST_F(GatewayTest, LogsAreCompleteAtTheEnd) {
  start(snapshot("m"));
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(call("m").empty());
  drain(10s);
  EXPECT_TRUE(wait_drained());
  gateway_.reset();
  std::ifstream log(log_file());
  int requests = 0;
  for (std::string line; std::getline(log, line);) requests += line.find("\"msg\":\"request\"") != std::string::npos;
  EXPECT_EQ(requests, 20);
}

TEST_F(GatewayTest, SharedAcceptorSpreadsConnections) {
  start(snapshot("m", "acceptor = \"shared\"\n"));
  std::vector<Socket> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(Socket::connected(address()));
    clients.back().send(request("m"));
    EXPECT_FALSE(clients.back().receive_until("\"choices\":[]}").empty());
  }
  EXPECT_EQ(gateway_->counts().connections, 10U);
  drain(10s);
  EXPECT_FALSE(Socket::connected(address()).valid());
  EXPECT_TRUE(wait_drained());
}

TEST_F(GatewayTest, ServesUnixSocketsFromEveryWorker) {
  const std::string path = directory_ + "/api.sock";
  auto with_unix = snapshot("m", "");
  auto started = Gateway::start(
      {.snapshot = with_unix, .listen = {control::ListenAddress{.host = {}, .port = 0, .unix_path = path}}});
  ASSERT_TRUE(started) << started.error();
  gateway_ = std::move(*started);
  EXPECT_EQ(gateway_->addresses(), (std::vector<std::string>{"unix:" + path}));
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(call("m").starts_with("HTTP/1.1 200 OK"));
}

TEST_F(GatewayTest, OneInheritedSocketServesAllWorkersAndOutlivesADrain) {
  const int fd = *net::open_listening_socket(*net::Address::from_ip("127.0.0.1", 0), {});
  const Socket successor(dup(fd));
  std::vector<ListeningSocket> inherited;
  inherited.emplace_back("127.0.0.1:0", fd);
  auto started = Gateway::start({.snapshot = snapshot("m"), .inherited = std::move(inherited)});
  ASSERT_TRUE(started) << started.error();
  gateway_ = std::move(*started);
  ASSERT_EQ(gateway_->listeners().size(), 1U);
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(call("m").starts_with("HTTP/1.1 200 OK"));
  const net::Address where = address();
  drain(10s);
  // The queue lives on in the successor, and nobody here takes from it.
  const Socket waiting = Socket::connected(where);
  EXPECT_TRUE(waiting.valid());
  EXPECT_TRUE(wait_drained());
  EXPECT_GE(accept(successor.fd(), nullptr, nullptr), 0);
}

TEST_F(GatewayTest, KnowsWhenAWorkerShowsNoSignOfLife) {
  start(snapshot("m"));
  EXPECT_EQ(gateway_->trouble(base::real_now()), "");
  EXPECT_NE(gateway_->trouble(base::real_now() + 60s).find("has not answered"), std::string::npos);
  drain(10s);
  EXPECT_TRUE(wait_drained());
  EXPECT_EQ(gateway_->trouble(base::real_now() + 60s), "") << "ended workers are not missed";
}

// Stops one thread of this process until it is let go: a worker that hangs.
class HungThread {
 public:
  explicit HungThread(std::string_view name) {
    struct sigaction action{};
    action.sa_handler = [](int) {
      while (hanging_) poll(nullptr, 0, 10);
    };
    sigaction(SIGUSR1, &action, nullptr);
    hanging_ = true;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string comm;
      std::getline(std::ifstream(task.path() / "comm"), comm);
      if (comm == name) found_ = syscall(SYS_tgkill, getpid(), std::stoi(task.path().filename()), SIGUSR1) == 0;
    }
  }
  ~HungThread() { release(); }
  bool found() const { return found_; }
  void release() { hanging_ = false; }

 private:
  static inline std::atomic<bool> hanging_ = false;
  bool found_ = false;
};

// Takes kHangLimit and the kernel's clock: nothing shorter is a hang.
TEST_F(GatewayTest, HealthTellsOfAWorkerThatHangs) {
  start(snapshot("m"));
  // A connection to each worker, so that both the hanging and the other one are asked.
  EXPECT_NE(get("/health").find("{\"status\":\"ok\"}"), std::string::npos);
  HungThread hung("worker-1");
  ASSERT_TRUE(hung.found());
  const base::Instant limit = base::real_now() + kHangLimit + 60s;
  while (gateway_->trouble(base::real_now()).empty() && base::real_now() < limit) std::this_thread::sleep_for(50ms);
  EXPECT_TRUE(gateway_->trouble(base::real_now()).starts_with("worker 1 has not answered for "));
  // The kernel gives some connections to the worker that hangs; one of several gets through to the other.
  std::vector<Socket> clients;
  std::vector<pollfd> waited;
  for (int i = 0; i < 32; ++i) {
    clients.push_back(Socket::connected(address()));
    clients.back().send("GET /health HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n");
    waited.push_back({clients.back().fd(), POLLIN, 0});
  }
  ASSERT_GT(poll(waited.data(), waited.size(), kPatienceMs), 0);
  for (size_t i = 0; i < clients.size(); ++i) {
    if ((waited[i].revents & POLLIN) == 0) continue;
    const std::string answer = clients[i].receive_all();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
    EXPECT_NE(answer.find(R"({"status":"failing","reason":"worker 1 has not answered for )"), std::string::npos);
  }
  hung.release();
  while (!gateway_->trouble(base::real_now()).empty() && base::real_now() < limit) std::this_thread::sleep_for(10ms);
  EXPECT_NE(get("/health").find("{\"status\":\"ok\"}"), std::string::npos);
}

TEST_F(GatewayTest, MetricsAreOnTheAdministrationsAddressOnly) {
  start(snapshot("m"));
  EXPECT_TRUE(get("/metrics").starts_with("HTTP/1.1 200 "));
  gateway_.reset();
  start(snapshot("m", "admin_listen = \"127.0.0.1:0\"\n"));
  EXPECT_TRUE(get("/metrics").starts_with("HTTP/1.1 404 "));
  EXPECT_NE(get("/metrics").find("server.admin_listen"), std::string::npos);
  EXPECT_TRUE(get("/health").starts_with("HTTP/1.1 200 "));
  // A reload cannot open the address, so it does not take them off the other one either.
  gateway_.reset();
  start(snapshot("m"));
  ASSERT_TRUE(gateway_->publish(snapshot("m", "admin_listen = \"127.0.0.1:0\"\n")));
  EXPECT_TRUE(get("/metrics").starts_with("HTTP/1.1 200 "));
}

TEST_F(GatewayTest, MalformedHeadsAreSettledLikeRequests) {
  start(snapshot("m"));
  const Socket client = Socket::connected(address());
  client.send("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\nauthorization: Bearer a-secret-key\r\n\r\n");
  const std::string answer = client.receive_all();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  const size_t at = answer.find("x-request-id: ");
  ASSERT_NE(at, std::string::npos) << answer;
  const std::string id = answer.substr(at + 14, answer.find("\r\n", at) - at - 14);
  EXPECT_EQ(id.size(), telemetry::RequestId::kMintedBytes);
  drain(10s);
  EXPECT_TRUE(wait_drained());
  gateway_.reset();
  std::ifstream log(log_file());
  int lines = 0;
  for (std::string line; std::getline(log, line);) {
    EXPECT_EQ(line.find("a-secret-key"), std::string::npos);
    if (line.find("\"msg\":\"request\"") == std::string::npos) continue;
    ++lines;
    for (const char* part : {"\"status\":400", "\"error_type\":\"invalid_request\"", "\"client\":\"127.0.0.1\""}) {
      EXPECT_NE(line.find(part), std::string::npos) << line;
    }
    EXPECT_NE(line.find("\"request_id\":\"" + id + "\""), std::string::npos) << line;
  }
  EXPECT_EQ(lines, 1);
}

// A connection by TLS that lives on a loop of the test's own thread.
class TlsClient {
 public:
  TlsClient(const net::Address& address, const net::TestAuthority& authority)
      : loop_(net::make_epoll_poller()), network_(net::make_socket_network(loop_)) {
    auto context = net::TlsClientContext::create({.ca_file = authority.certificate_file(), .alpn = {"http/1.1"}});
    run([](TlsClient& self, net::Address to, net::TlsClientContext& with) -> net::Task<void> {
      auto plain = co_await self.network_->connect(to, self.patience());
      if (!plain) co_return;
      auto secured = co_await net::tls_connect(std::move(*plain), with, "localhost", self.patience());
      if (secured) self.stream_ = std::move(*secured);
    }(*this, address, *context));
  }
  bool connected() const { return stream_ != nullptr; }
  std::string exchange(const std::string& request, std::string_view mark) {
    std::string received;
    run([](TlsClient& self, const std::string& text, std::string_view end, std::string& out) -> net::Task<void> {
      if (!co_await net::write_all(*self.stream_, text, self.patience())) co_return;
      while (out.find(end) == std::string::npos) {
        auto bytes = co_await net::read_scratch(*self.stream_, self.patience());
        if (!bytes || bytes->empty()) co_return;
        out.append(bytes->data(), bytes->size());
      }
    }(*this, request, mark, received));
    return received;
  }

 private:
  net::Wait patience() const { return {.deadline = loop_.now() + std::chrono::milliseconds(kPatienceMs)}; }
  void run(net::Task<void> task) {
    net::TaskGroup tasks;
    tasks.spawn(std::move(task));
    loop_.run_until([&] { return tasks.active() == 0; });
  }
  net::Loop loop_;
  std::unique_ptr<net::Network> network_;
  std::unique_ptr<net::Stream> stream_;
};

TEST_F(GatewayTest, NewCertificatesComeIntoForceWithoutDroppingConnections) {
  net::TestAuthority authority;
  net::TestAuthority renewed;
  const net::TestCertificate localhost{.names = {"localhost"}};
  const auto files = authority.issue(localhost);
  const std::string tls =
      "[server.tls]\ncertificate = \"" + files.chain_file + "\"\nkey = \"" + files.key_file + "\"\n";
  start(snapshot("m", tls));
  EXPECT_TRUE(gateway_->tls());
  TlsClient before(address(), authority);
  ASSERT_TRUE(before.connected());
  EXPECT_NE(before.exchange(request("m"), "\"choices\":[]}").find("200 OK"), std::string::npos);

  renewed.issue_into(files, localhost);
  ASSERT_TRUE(gateway_->publish(snapshot("m", tls)));
  EXPECT_NE(before.exchange(request("m"), "\"choices\":[]}").find("200 OK"), std::string::npos);
  EXPECT_FALSE(TlsClient(address(), authority).connected());
  for (int i = 0; i < 4; ++i) {
    TlsClient after(address(), renewed);
    ASSERT_TRUE(after.connected());
    EXPECT_NE(after.exchange(request("m"), "\"choices\":[]}").find("200 OK"), std::string::npos);
  }
}

TEST_F(GatewayTest, RefusesCertificatesThatCannotBeRead) {
  std::ofstream(directory_ + "/cert.pem") << "not a certificate\n";
  std::ofstream(directory_ + "/key.pem") << "not a key\n";
  const auto bad = snapshot(
      "m", "[server.tls]\ncertificate = \"" + directory_ + "/cert.pem\"\nkey = \"" + directory_ + "/key.pem\"\n");
  const auto checked = Gateway::check(*bad);
  ASSERT_FALSE(checked);
  EXPECT_TRUE(checked.error().starts_with("server.tls: ")) << checked.error();
  EXPECT_FALSE(Gateway::start({.snapshot = bad}));
}

}  // namespace
}  // namespace llmgw::gateway
