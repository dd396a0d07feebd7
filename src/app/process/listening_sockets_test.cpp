#include "app/process/listening_sockets.h"

#include <fcntl.h>
#include <sys/un.h>

#include <cstring>

#include "app/process/test_support.h"

namespace llmgw::process {
namespace {

// Runs `body` in a child whose descriptors 3 and up are what systemd would have passed.
int run_activated(const std::vector<int>& sockets, const std::string& pid, const std::function<int()>& body) {
  return exit_status_of(start_child([&] {
    std::vector<int> copies;
    for (const int socket : sockets) copies.push_back(fcntl(socket, F_DUPFD, 100));
    int place = kFirstActivatedDescriptor;
    for (const int copy : copies) dup2(copy, place++);
    setenv("LISTEN_FDS", std::to_string(sockets.size()).c_str(), 1);
    setenv("LISTEN_PID", pid.empty() ? std::to_string(getpid()).c_str() : pid.c_str(), 1);
    setenv("LISTEN_FDNAMES", "public:admin", 1);
    return body();
  }));
}

TEST(SocketActivation, TakesTheSocketsAndTheVariables) {
  const FileDescriptor first = listen_on_loopback();
  const FileDescriptor second = listen_on_loopback();
  const std::string address = bound_address(second.get()).value();
  const int status = run_activated({first.get(), second.get()}, "", [&] {
    auto taken = take_activated_sockets();
    if (!taken || taken->size() != 2) return 1;
    if ((*taken)[0].name != "public" || (*taken)[1].name != "admin") return 2;
    if (bound_address((*taken)[1].socket.get()) != address) return 3;
    if ((fcntl((*taken)[0].socket.get(), F_GETFD) & FD_CLOEXEC) == 0) return 4;
    if ((fcntl((*taken)[0].socket.get(), F_GETFL) & O_NONBLOCK) == 0) return 5;
    if (getenv("LISTEN_FDS") || getenv("LISTEN_PID") || getenv("LISTEN_FDNAMES")) return 6;
    auto again = take_activated_sockets();
    return again && again->empty() ? 0 : 7;
  });
  EXPECT_EQ(status, 0);
}

TEST(SocketActivation, ForAnotherProcessIsLeftAloneButForgotten) {
  const FileDescriptor socket = listen_on_loopback();
  const int status = run_activated({socket.get()}, "1", [] {
    auto taken = take_activated_sockets();
    if (!taken || !taken->empty()) return 1;
    return is_listening(kFirstActivatedDescriptor) && getenv("LISTEN_FDS") == nullptr ? 0 : 2;
  });
  EXPECT_EQ(status, 0);
}

TEST(SocketActivation, RefusesWhatDoesNotListen) {
  const FileDescriptor file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int status = run_activated({file.get()}, "", [] {
    auto taken = take_activated_sockets();
    return !taken && taken.error().code == base::ErrorCode::invalid_argument ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

TEST(SocketActivation, RefusesACountThatIsNone) {
  const int status = exit_status_of(start_child([] {
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    for (const char* count : {"-1", "x", "1000000"}) {
      setenv("LISTEN_FDS", count, 1);
      setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
      if (take_activated_sockets()) return 1;
    }
    return 0;
  }));
  EXPECT_EQ(status, 0);
}

TEST(SocketNames, MissingOnesAreUnknown) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(read_socket_names("a:b", 2), (Names{"a", "b"}));
  EXPECT_EQ(read_socket_names("a::c", 3), (Names{"a", "unknown", "c"}));
  EXPECT_EQ(read_socket_names("", 2), (Names{"unknown", "unknown"}));
  EXPECT_EQ(read_socket_names("a:b:c", 1), (Names{"a"}));
}

TEST(BoundAddress, NamesEachFamily) {
  TemporaryDirectory directory;
  EXPECT_TRUE(bound_address(listen_on_loopback().get())->starts_with("127.0.0.1:"));
  FileDescriptor six(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (six.valid()) EXPECT_EQ(bound_address(six.get()), "[::]:0");
  FileDescriptor local(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(bound_address(local.get()).error().code, base::ErrorCode::unsupported);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, directory.file("s").c_str(), sizeof address.sun_path - 1);
  void* raw = &address;
  ASSERT_EQ(bind(local.get(), static_cast<sockaddr*>(raw), sizeof address), 0);
  EXPECT_EQ(bound_address(local.get()), "unix:" + directory.file("s"));
  EXPECT_FALSE(is_listening(local.get()));
  EXPECT_FALSE(bound_address(-1));
}

}  // namespace
}  // namespace llmgw::process
