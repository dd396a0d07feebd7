#include "app/process/listening_sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/text.h"

namespace llmgw::process {
namespace {

std::string port_text(in_port_t port) {
  return std::to_string(ntohs(port));
}

bool prepare(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

}  // namespace

std::vector<std::string> read_socket_names(std::string_view names, size_t count) {
  std::vector<std::string> result;
  while (result.size() < count) {
    const size_t colon = names.find(':');
    const std::string_view name = names.substr(0, colon);
    result.emplace_back(name.empty() ? "unknown" : name);
    names = colon == names.npos ? std::string_view() : names.substr(colon + 1);
  }
  return result;
}

base::Result<std::vector<InheritedListener>> take_activated_sockets() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    std::string copy = value == nullptr ? "" : value;
    unsetenv(name);
    return copy;
  };
  const std::string count_text = variable("LISTEN_FDS");
  const std::string pid_text = variable("LISTEN_PID");
  const std::string names = variable("LISTEN_FDNAMES");
  std::vector<InheritedListener> listeners;
  if (count_text.empty() || base::parse_decimal(pid_text) != static_cast<uint64_t>(getpid())) return listeners;
  const std::optional<uint64_t> count = base::parse_decimal(count_text);
  if (!count || *count > kActivatedSocketsMax) return base::fail(base::ErrorCode::invalid_argument, "LISTEN_FDS");
  int fd = kFirstActivatedDescriptor;
  for (std::string& name : read_socket_names(names, *count)) {
    FileDescriptor socket(fd++);
    if (!is_listening(socket.get()) || !prepare(socket.get())) {
      return base::fail(base::ErrorCode::invalid_argument, "LISTEN_FDS names a descriptor that does not listen");
    }
    listeners.push_back({std::move(name), std::move(socket)});
  }
  return listeners;
}

base::Result<std::string> bound_address(int socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  void* raw = &storage;
  if (getsockname(socket, static_cast<sockaddr*>(raw), &length) != 0) {
    return base::fail(base::os_error(errno, "ask for a socket's address"));
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_INET) {
    const auto* address = static_cast<const sockaddr_in*>(raw);
    inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size());
    return std::string(text.data()) + ":" + port_text(address->sin_port);
  }
  if (storage.ss_family == AF_INET6) {
    const auto* address = static_cast<const sockaddr_in6*>(raw);
    inet_ntop(AF_INET6, &address->sin6_addr, text.data(), text.size());
    return "[" + std::string(text.data()) + "]:" + port_text(address->sin6_port);
  }
  if (storage.ss_family == AF_UNIX) {
    const auto* address = static_cast<const sockaddr_un*>(raw);
    const size_t bytes = length - offsetof(sockaddr_un, sun_path);
    if (bytes == 0 || address->sun_path[0] == '\0') {
      return base::fail(base::ErrorCode::unsupported, "a unix socket without a path");
    }
    return "unix:" + std::string(address->sun_path, strnlen(address->sun_path, bytes));
  }
  return base::fail(base::ErrorCode::unsupported, "a socket of another address family");
}

bool is_listening(int descriptor) {
  int listening = 0;
  socklen_t length = sizeof listening;
  return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening != 0;
}

}  // namespace llmgw::process
