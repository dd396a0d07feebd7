#include "app/process/drain_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace llmgw::process {
namespace {

constexpr const char* kPrefix = "draining-";
constexpr const char* kSuffix = ".pid";

// Of the PID namespace (namespaces(7)); 0 where nobody says.
std::string namespace_number() {
  struct stat found{};
  return std::to_string(stat("/proc/self/ns/pid", &found) == 0 ? found.st_ino : 0);
}

// The paths of the files whose names end so.
std::vector<std::string> files_ending(const std::string& data_dir, const std::string& ending) {
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(data_dir, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(kPrefix) && name.ends_with(ending)) paths.push_back(entry->path().string());
  }
  return paths;
}

}  // namespace

base::Result<PidFile> hold_drain_file(const std::string& data_dir) {
  return PidFile::acquire(data_dir + "/" + kPrefix + std::to_string(getpid()) + "-" + namespace_number() + kSuffix);
}

std::vector<pid_t> draining_processes(const std::string& data_dir) {
  std::vector<pid_t> processes;
  for (const std::string& path : files_ending(data_dir, "-" + namespace_number() + kSuffix)) {
    if (const auto holder = PidFile::holder(path); holder && *holder > 0) processes.push_back(*holder);
  }
  std::ranges::sort(processes);
  return processes;
}

void remove_stale_drain_files(const std::string& data_dir) {
  for (const std::string& path : files_ending(data_dir, kSuffix)) {
    const auto holder = PidFile::holder(path);
    if (!holder && holder.error().code == base::ErrorCode::not_found) unlink(path.c_str());
  }
}

}  // namespace llmgw::process
