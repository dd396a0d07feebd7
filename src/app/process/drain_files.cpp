#include "app/process/drain_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/text.h"

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

std::optional<DrainNote> read_note(std::string_view line) {
  std::array<uint64_t, 3> numbers{};
  for (size_t i = 0; i < numbers.size(); ++i) {
    const size_t end = i + 1 < numbers.size() ? line.find(' ') : line.size();
    if (end == line.npos) return std::nullopt;
    const auto number = base::parse_decimal(line.substr(0, end));
    if (!number) return std::nullopt;
    numbers[i] = *number;
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return DrainNote{.since = numbers[0], .until = numbers[1], .in_flight = numbers[2]};
}

}  // namespace

base::Result<PidFile> hold_drain_file(const std::string& data_dir) {
  return PidFile::acquire(data_dir + "/" + kPrefix + std::to_string(getpid()) + "-" + namespace_number() + kSuffix);
}

base::Result<void> write_drain_note(PidFile& file, const DrainNote& note) {
  return file.write_note(std::to_string(note.since) + " " + std::to_string(note.until) + " " +
                         std::to_string(note.in_flight));
}

std::vector<DrainingProcess> draining_processes(const std::string& data_dir) {
  std::vector<DrainingProcess> processes;
  for (const std::string& path : files_ending(data_dir, "-" + namespace_number() + kSuffix)) {
    const auto file = PidFile::read(path);
    if (file && file->pid > 0) processes.push_back({.pid = file->pid, .note = read_note(file->note)});
  }
  std::ranges::sort(processes, {}, &DrainingProcess::pid);
  return processes;
}

void remove_stale_drain_files(const std::string& data_dir) {
  for (const std::string& path : files_ending(data_dir, kSuffix)) {
    const auto holder = PidFile::holder(path);
    if (!holder && holder.error().code == base::ErrorCode::not_found) unlink(path.c_str());
  }
}

}  // namespace llmgw::process
