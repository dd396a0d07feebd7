#include "app/process/successor.h"

#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

namespace llmgw::process {
namespace {

constexpr std::array<std::string_view, 5> kOwnVariables{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID",
                                                        kPredecessorVariable};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

class SpawnAttributes {
 public:
  SpawnAttributes() {
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  ~SpawnAttributes() { posix_spawnattr_destroy(&attributes_); }
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

}  // namespace

base::Result<std::string> executable_path() {
  std::array<char, PATH_MAX> path;
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  if (length < 0) return base::fail(base::os_error(errno, "find this program's path"));
  return std::string(path.data(), static_cast<size_t>(length));
}

std::vector<std::string> successor_environment(const std::vector<std::string>& environment, pid_t own_pid) {
  std::vector<std::string> result;
  for (const std::string& entry : environment) {
    const std::string_view name = std::string_view(entry).substr(0, entry.find('='));
    if (std::ranges::find(kOwnVariables, name) == kOwnVariables.end()) result.push_back(entry);
  }
  result.push_back(std::string(kPredecessorVariable) + "=" + std::to_string(own_pid));
  return result;
}

base::Result<ProcessHandle> start_successor(const std::string& path, const std::vector<std::string>& arguments) {
  std::vector<std::string> current;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) current.emplace_back(*entry);
  std::vector<std::string> variables = successor_environment(current, getpid());
  std::vector<std::string> copies = arguments;
  const SpawnAttributes attributes;
  pid_t child = 0;
  const int failure =
      posix_spawn(&child, path.c_str(), nullptr, attributes.get(), pointers(copies).data(), pointers(variables).data());
  if (failure != 0) return base::fail(base::os_error(failure, "start the new program"));
  return ProcessHandle::open(child);
}

std::string reap_successor(const ProcessHandle& successor) {
  int status = 0;
  pid_t reaped = -1;
  do {
    reaped = waitpid(successor.pid(), &status, 0);
  } while (reaped < 0 && errno == EINTR);
  if (reaped < 0) return "ended";
  if (WIFSIGNALED(status)) return "was killed by signal " + std::to_string(WTERMSIG(status));
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace llmgw::process
