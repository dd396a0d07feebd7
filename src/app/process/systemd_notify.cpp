#include "app/process/systemd_notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/text.h"

namespace llmgw::process {
namespace {

constexpr size_t kStatusBytesMax = 1024;  // systemd shows one line
// Above this the period would overflow; nobody watches a service once in ten years.
constexpr uint64_t kWatchdogUsecMax = 10ull * 365 * 24 * 3600 * 1'000'000;

}  // namespace

std::optional<base::Duration> read_watchdog_period(const char* usec, const char* pid, pid_t own_pid) {
  if (usec == nullptr) return std::nullopt;
  if (pid != nullptr && base::parse_decimal(pid) != static_cast<uint64_t>(own_pid)) return std::nullopt;
  const std::optional<uint64_t> limit = base::parse_decimal(usec);
  if (!limit || *limit == 0 || *limit > kWatchdogUsecMax) return std::nullopt;
  return std::chrono::microseconds(*limit) / 2;
}

base::Result<SystemdNotifier> SystemdNotifier::from_environment() {
  const char* address = std::getenv("NOTIFY_SOCKET");
  TRY(notifier, connect_to(address == nullptr ? "" : address));
  notifier.watchdog_period_ = read_watchdog_period(std::getenv("WATCHDOG_USEC"), std::getenv("WATCHDOG_PID"), getpid());
  return notifier;
}

base::Result<SystemdNotifier> SystemdNotifier::connect_to(std::string_view address) {
  SystemdNotifier notifier;
  if (address.empty()) return notifier;
  sockaddr_un target{};
  target.sun_family = AF_UNIX;
  if (address.front() != '/' && address.front() != '@') {
    return base::fail(base::ErrorCode::unsupported, "NOTIFY_SOCKET is neither a path nor an abstract name");
  }
  if (address.size() >= sizeof target.sun_path) return base::fail(base::ErrorCode::too_large, "NOTIFY_SOCKET");
  std::memcpy(target.sun_path, address.data(), address.size());
  // An abstract name starts with a zero byte and is as long as the address says; a path ends with a zero byte.
  const bool abstract = address.front() == '@';
  if (abstract) target.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size() + (abstract ? 0 : 1));
  notifier.socket_ = FileDescriptor(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!notifier.socket_.valid()) return base::fail(base::os_error(errno, "open the notify socket"));
  const void* raw = &target;
  if (connect(notifier.socket_.get(), static_cast<const sockaddr*>(raw), length) != 0) {
    return base::fail(base::os_error(errno, "connect to NOTIFY_SOCKET"));
  }
  return notifier;
}

base::Result<void> SystemdNotifier::ready(std::string_view status) {
  std::string state = "READY=1\nSTATUS=";
  state.append(status.substr(0, kStatusBytesMax));
  std::replace(state.begin() + sizeof("READY=1\n") - 1, state.end(), '\n', ' ');
  return send(state);
}

base::Result<void> SystemdNotifier::reloading(base::Instant now) {
  const auto usec = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  return send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(usec));
}

base::Result<void> SystemdNotifier::stopping() {
  return send("STOPPING=1");
}

base::Result<void> SystemdNotifier::status(std::string_view text) {
  std::string state = "STATUS=";
  state.append(text.substr(0, kStatusBytesMax));
  std::replace(state.begin(), state.end(), '\n', ' ');
  return send(state);
}

base::Result<void> SystemdNotifier::main_process(pid_t successor) {
  return send("MAINPID=" + std::to_string(successor));
}

base::Result<void> SystemdNotifier::watchdog() {
  return send("WATCHDOG=1");
}

base::Result<void> SystemdNotifier::send(std::string_view state) {
  if (!active()) return {};
  if (::send(socket_.get(), state.data(), state.size(), MSG_NOSIGNAL) < 0) {
    return base::fail(base::os_error(errno, "notify systemd"));
  }
  return {};
}

}  // namespace llmgw::process
