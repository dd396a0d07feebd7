#include "app/process/daemonize.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "app/process/deadline.h"
#include "base/text.h"

namespace llmgw::process {
namespace {

constexpr size_t kReportBytesMax = 4096;  // a configuration error names file, line and remedy; far below this
constexpr mode_t kLogMode = 0640;

// Only its async-signal-safe part runs between the forks. True: standard streams point where they should.
bool redirect_standard_streams(int log) {
  FileDescriptor nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
  int output = log >= 0 ? log : nothing.get();
  return nothing.valid() && dup2(nothing.get(), STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
         dup2(output, STDERR_FILENO) >= 0;
}

StartupOutcome await_report(int channel, base::Duration timeout) {
  std::string report;
  std::array<char, 512> chunk{};
  const base::Instant deadline = base::real_now() + timeout;
  while (report.size() < kReportBytesMax) {
    if (!wait_until(channel, POLLIN, deadline)) {
      return {1, 0, "the daemon is not ready yet; it goes on starting, see its log"};
    }
    ssize_t count = recv(channel, chunk.data(), chunk.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    report.append(chunk.data(), static_cast<size_t>(count));
  }
  return read_startup_report(report);
}

}  // namespace

// Reports are "ready <pid>\n" or "failed <status>\n<message>", ended by the end of the stream.
StartupOutcome read_startup_report(std::string_view report) {
  const size_t line_end = report.find('\n');
  const std::string_view line = report.substr(0, line_end);
  const size_t space = line.find(' ');
  if (line_end != report.npos && space != line.npos) {
    const std::string_view verb = line.substr(0, space);
    const std::optional<uint64_t> number = base::parse_decimal(line.substr(space + 1));
    if (verb == "ready" && number) return {0, static_cast<pid_t>(*number), ""};
    if (verb == "failed" && number && *number >= 1 && *number <= 255) {
      return {static_cast<int>(*number), 0, std::string(report.substr(line_end + 1))};
    }
  }
  return {1, 0, "the daemon ended before it was ready; see its log"};
}

void StartupReporter::ready() {
  send("ready " + std::to_string(getpid()) + "\n");
}

void StartupReporter::failed(int exit_status, std::string_view message) {
  std::string report = "failed " + std::to_string(std::clamp(exit_status, 1, 255)) + "\n";
  report.append(message.substr(0, kReportBytesMax - report.size()));
  send(report);
}

void StartupReporter::send(std::string_view report) {
  // The command may have been interrupted: then nobody listens, and the daemon lives on.
  if (channel_.valid()) ::send(channel_.get(), report.data(), report.size(), MSG_NOSIGNAL);
  channel_.close();
}

base::Result<Daemonized> daemonize(const DaemonOptions& options) {
  FileDescriptor log;
  if (!options.log_path.empty()) {
    log = FileDescriptor(open(options.log_path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, kLogMode));
    if (!log.valid()) return base::fail(base::os_error(errno, "open the daemon's log"));
  }
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return base::fail(base::os_error(errno, "make the start-up channel"));
  }
  FileDescriptor command_end(ends[0]);
  FileDescriptor daemon_end(ends[1]);

  std::fflush(nullptr);  // or both processes would write what is buffered
  const pid_t middle = fork();
  if (middle < 0) return base::fail(base::os_error(errno, "fork the daemon"));
  if (middle > 0) {
    daemon_end.close();
    while (waitpid(middle, nullptr, 0) < 0 && errno == EINTR) {
    }
    return Daemonized{false, StartupReporter(), await_report(command_end.get(), options.ready_timeout)};
  }

  command_end.close();
  StartupReporter reporter(std::move(daemon_end));
  // Forked once more, the daemon leads no session and can never gain a terminal.
  const pid_t daemon = setsid() < 0 ? -1 : fork();
  if (daemon > 0) _exit(0);
  if (daemon < 0 || !redirect_standard_streams(log.get())) {
    reporter.failed(1, "the operating system refused to start a daemon");
    _exit(1);
  }
  return Daemonized{true, std::move(reporter), {}};
}

}  // namespace llmgw::process
