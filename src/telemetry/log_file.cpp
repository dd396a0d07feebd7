#include "telemetry/log_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace llmgw::telemetry {
namespace {

constexpr mode_t kFileMode = 0640;

// A pipe that nobody reads would be waited for: ENXIO instead. For a regular file O_NONBLOCK means nothing.
int open_path(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, kFileMode);
}

// The first `limit` bytes of two parts.
std::array<iovec, 2> vectors(std::array<std::string_view, 2> parts, size_t limit) {
  std::array<iovec, 2> list{};
  for (size_t i = 0; i < 2; ++i) {
    const size_t count = std::min(parts[i].size(), limit);
    list[i] = {const_cast<char*>(parts[i].data()), count};
    limit -= count;
  }
  return list;
}

void remove_prefix(std::array<std::string_view, 2>& parts, size_t count) {
  const size_t first = std::min(count, parts[0].size());
  parts[0].remove_prefix(first);
  parts[1].remove_prefix(count - first);
}

}  // namespace

LogDestination parse_log_destination(std::string_view text) {
  using Kind = LogDestination::Kind;
  if (text == "off") return {Kind::none, {}};
  if (text == "stdout") return {Kind::standard_output, {}};
  if (text == "stderr") return {Kind::standard_error, {}};
  return {Kind::file, std::string(text)};
}

LogFile::~LogFile() {
  if (destination_.kind == LogDestination::Kind::file && descriptor_ >= 0) close(descriptor_);
}

void LogFile::adopt(int descriptor) {
  descriptor_ = descriptor;
  struct stat status{};
  const bool is_known = fstat(descriptor, &status) == 0;
  is_regular_ = is_known && S_ISREG(status.st_mode);
  is_socket_ = is_known && S_ISSOCK(status.st_mode);
}

base::Result<void> LogFile::open() {
  switch (destination_.kind) {
    case LogDestination::Kind::none: return {};
    case LogDestination::Kind::standard_output: adopt(STDOUT_FILENO); return {};
    case LogDestination::Kind::standard_error: adopt(STDERR_FILENO); return {};
    case LogDestination::Kind::file: break;
  }
  const int descriptor = open_path(destination_.path);
  if (descriptor < 0) return base::fail(base::os_error(errno, "opening a log file"));
  adopt(descriptor);
  return {};
}

base::Result<void> LogFile::reopen() {
  if (destination_.kind != LogDestination::Kind::file) return {};
  const int old = descriptor_;
  TRY_VOID(open());
  close(old);
  return {};
}

int LogFile::wait_writable() const {
  pollfd entry{.fd = descriptor_, .events = POLLOUT, .revents = 0};
  const auto limit_ms = std::chrono::duration_cast<std::chrono::milliseconds>(kStallLimit).count();
  const int ready = poll(&entry, 1, static_cast<int>(limit_ms));
  if (ready < 0) return errno == EINTR ? 0 : errno;
  return ready == 0 ? ETIMEDOUT : 0;
}

LogFile::Outcome LogFile::write(std::array<std::string_view, 2> parts) {
  Outcome outcome;
  const size_t total = parts[0].size() + parts[1].size();
  if (destination_.kind == LogDestination::Kind::none) return {total, 0};
  while (outcome.written < total) {
    const size_t left = total - outcome.written;
    if (!is_regular_) {
      const int error = wait_writable();
      if (error == ETIMEDOUT) return outcome;
      if (error) return {outcome.written, error};
    }
    auto list = vectors(parts, is_regular_ || is_socket_ ? left : std::min(left, kPipeWriteBytes));
    msghdr message{};
    message.msg_iov = list.data();
    message.msg_iovlen = list.size();
    const ssize_t count = is_socket_ ? sendmsg(descriptor_, &message, MSG_DONTWAIT | MSG_NOSIGNAL)
                                     : writev(descriptor_, list.data(), static_cast<int>(list.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return outcome;
    if (count <= 0) return {outcome.written, count < 0 ? errno : EIO};
    outcome.written += static_cast<size_t>(count);
    remove_prefix(parts, static_cast<size_t>(count));
  }
  return outcome;
}

}  // namespace llmgw::telemetry
