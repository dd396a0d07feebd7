// What the tests of this folder share: a directory of their own, child processes, TCP sockets. Tests only.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>

#include "app/process/control_server.h"
#include "app/process/file_descriptor.h"
#include "base/temporary_directory.h"

namespace llmgw::process {

// Long enough for a loaded machine under a sanitizer; only a broken test waits for it.
inline constexpr base::Duration kPatience = std::chrono::seconds(30);

using base::TemporaryDirectory;

inline std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Runs `body` in a child, whose exit status is what it returns.
inline pid_t start_child(const std::function<int()>& body) {
  pid_t child = fork();
  if (child == 0) _exit(body());
  return child;
}

inline int exit_status_of(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

struct Pipe {
  Pipe() {
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
    read_end = FileDescriptor(ends[0]);
    write_end = FileDescriptor(ends[1]);
  }
  // Waits until all write ends are closed or a byte came.
  void wait() const {
    char byte = 0;
    [[maybe_unused]] ssize_t count = read(read_end.get(), &byte, 1);
  }
  void tell() const { [[maybe_unused]] ssize_t count = write(write_end.get(), "x", 1); }
  FileDescriptor read_end;
  FileDescriptor write_end;
};

inline FileDescriptor listen_on_loopback() {
  FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  void* raw = &address;
  EXPECT_EQ(bind(socket.get(), static_cast<sockaddr*>(raw), sizeof address), 0);
  EXPECT_EQ(listen(socket.get(), 128), 0);
  return socket;
}

// A control server with a thread of its own, which runs until this dies.
class ServerThread {
 public:
  explicit ServerThread(std::unique_ptr<ControlServer> server)
      : server_(std::move(server)), thread_([this] { run(); }) {}
  ~ServerThread() {
    stop_.write_end.close();
    thread_.join();
  }

 private:
  void run() {
    pollfd waited[2] = {{server_->fd(), POLLIN, 0}, {stop_.read_end.get(), POLLIN, 0}};
    while (poll(waited, 2, -1) > 0 && waited[1].revents == 0) server_->on_ready();
  }
  std::unique_ptr<ControlServer> server_;
  Pipe stop_;
  std::thread thread_;
};

}  // namespace llmgw::process
