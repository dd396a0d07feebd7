// The HTTP/2 server against other people's clients: curl, nghttp and h2load, where they are installed.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "http/h2_test_world.h"
#include "net/tls.h"
#include "net/tls_test_certificates.h"

namespace llmgw::http {
namespace {

using namespace std::chrono_literals;
using net::Task;

bool installed(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::stringstream directories(path != nullptr ? path : "");
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (access((directory + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

struct ProgramRun {
  int status = -1;
  std::string output = {};  // standard output and error
};

// Runs a program while the loop goes on.
Task<ProgramRun> run_program(TestWorld& world, std::vector<std::string> words) {
  std::array<char, 32> file{"/tmp/llmgw-h2-interop-XXXXXX"};
  const int output = mkstemp(file.data());
  EXPECT_GE(output, 0);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  // Until its exec the child holds our sockets too, and epoll would report those that we close meanwhile.
  EXPECT_TRUE(co_await world.until([&] { return world.server->counters().open == 0; }));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  pid_t child = -1;
  EXPECT_EQ(posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  close(output);
  ProgramRun run;
  int status = 0;
  const base::Instant limit = world.loop.now() + TestWorld::kPatience / 2;
  while (world.loop.now() < limit) {
    if (waitpid(child, &status, WNOHANG) == child) {
      run.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      break;
    }
    co_await world.pause(5ms);
  }
  if (run.status < 0) {
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
  }
  std::ifstream in(file.data());
  std::stringstream text;
  text << in.rdbuf();
  run.output = text.str();
  unlink(file.data());
  co_return run;
}

#define NEEDS(program) \
  if (!installed(program)) GTEST_SKIP() << program << " is not installed"

std::string url(const net::Address& address, std::string_view scheme, std::string_view path) {
  return std::string(scheme) + "://localhost:" + std::to_string(address.port()) + std::string(path);
}

constexpr size_t kBigBytes = 3'000'000;

Task<void> serve_test_paths(ServerExchange& exchange) {
  const std::string_view path = exchange.head().path;
  if (path == "/big") {
    co_await respond(exchange, 200, std::string(kBigBytes, 'b'));
  } else if (path == "/count") {
    auto body = co_await exchange.read_body(64 << 20);
    co_await respond(exchange, 200, body ? std::to_string(body->size()) : "error");
  } else if (path == "/stream") {
    EXPECT_TRUE(exchange.start({.framing = Framing::until_close}).has_value());
    for (int i = 0; i < 5; ++i) {
      const std::string event = "data: " + std::to_string(i) + "\n\n";
      const iovec buffer = net::buffer_of(event);
      if (!co_await exchange.write({&buffer, 1}, i == 4)) co_return;
      (void)co_await net::sleep_for(exchange.loop(), 2ms);
    }
  } else if (path == "/early") {
    co_await respond(exchange, 413, "no");
  } else {
    co_await echo(exchange);
  }
}

TEST(H2Interop, Curl) {
  NEEDS("curl");
  TestWorld world(Backend::sockets, serve_test_paths);
  const std::string upload = "/tmp/llmgw-h2-upload-" + std::to_string(getpid());
  std::ofstream(upload) << std::string(kBigBytes, 'u');
  const auto curl = [&](std::string_view path, std::vector<std::string> options) -> Task<ProgramRun> {
    std::vector<std::string> words{"curl", "-sS", "--http2-prior-knowledge", "--max-time", "50"};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back(url(world.address, "http", path));
    co_return co_await run_program(world, words);
  };
  world.run([&]() -> Task<void> {
    auto run = co_await curl("/hello?x=1", {"-d", "body", "-w", " %{http_version} %{http_code}"});
    EXPECT_EQ(run.output, "POST /hello?x=1 body 2 200");
    run = co_await curl("/big", {"-o", "/dev/null", "-w", "%{size_download}"});
    EXPECT_EQ(run.output, std::to_string(kBigBytes));
    run = co_await curl("/count", {"--data-binary", "@" + upload});
    EXPECT_EQ(run.output, std::to_string(kBigBytes));
    run = co_await curl("/count", {"-T", upload, "-H", "Expect: 100-continue"});
    EXPECT_EQ(run.output, std::to_string(kBigBytes));
    run = co_await curl("/stream", {"-N"});
    EXPECT_EQ(run.output, "data: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n");
    run = co_await curl("/head", {"-I", "-w", "%{http_code}", "-o", "/dev/null"});
    EXPECT_EQ(run.output, "200");
    run = co_await curl("/early", {"--data-binary", "@" + upload, "-w", " %{http_code}"});
    EXPECT_EQ(run.output, "no 413");
  });
  unlink(upload.c_str());
}

TEST(H2Interop, CurlOverTls) {
  NEEDS("curl");
  net::TestAuthority authority;
  net::TlsServerOptions options;
  options.certificates = {authority.issue({.names = {"localhost"}})};
  options.alpn = {"h2", "http/1.1"};
  auto context = net::TlsServerContext::create(options);
  TestWorld world(Backend::sockets, serve_test_paths);
  auto listener = std::move(*world.network.listen(*net::Address::parse("127.0.0.1:0"), {}));
  const net::Address address = listener->address();
  world.server->listen(std::move(listener), [&] { return &*context; });
  world.run([&]() -> Task<void> {
    for (const char* version : {"--http2", "--http1.1"}) {
      auto run = co_await run_program(world, {"curl", "-sS", version, "--cacert", authority.certificate_file(), "-w",
                                              " %{http_version}", url(address, "https", "/hello")});
      EXPECT_EQ(run.output, std::string_view(version) == "--http2" ? "GET /hello  2" : "GET /hello  1.1");
      run = co_await run_program(world, {"curl", "-sS", version, "--cacert", authority.certificate_file(), "-o",
                                         "/dev/null", "-w", "%{size_download}", url(address, "https", "/big")});
      EXPECT_EQ(run.output, std::to_string(kBigBytes));
    }
  });
}

TEST(H2Interop, Nghttp) {
  NEEDS("nghttp");
  TestWorld world(Backend::sockets, serve_test_paths);
  world.run([&]() -> Task<void> {
    // Ten times the same, with padding, small windows and priorities.
    auto run = co_await run_program(world, {"nghttp", "-n", "-s", "-m", "10", "-w", "12", "-W", "12", "-b", "40",
                                            url(world.address, "http", "/big")});
    EXPECT_EQ(run.status, 0) << run.output;
    run = co_await run_program(world, {"nghttp", "-H", "x-test: 1", url(world.address, "http", "/hello")});
    EXPECT_EQ(run.output, "GET /hello ");
  });
  EXPECT_EQ(world.server->counters().requests, 11u);
}

TEST(H2Interop, H2load) {
  NEEDS("h2load");
  TestWorld world(Backend::sockets, serve_test_paths);
  world.run([&]() -> Task<void> {
    auto run = co_await run_program(
        world, {"h2load", "-n", "3000", "-c", "10", "-m", "50", url(world.address, "http", "/hello")});
    EXPECT_EQ(run.status, 0);
    EXPECT_NE(run.output.find("3000 succeeded, 0 failed, 0 errored, 0 timeout"), std::string::npos) << run.output;
    run =
        co_await run_program(world, {"h2load", "-n", "50", "-c", "2", "-m", "10", url(world.address, "http", "/big")});
    EXPECT_NE(run.output.find("50 succeeded, 0 failed"), std::string::npos) << run.output;
  });
  EXPECT_EQ(world.server->counters().requests, 3050u);
}

}  // namespace
}  // namespace llmgw::http
