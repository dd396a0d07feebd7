#include "bench/loadgen/cpu_meter.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include "bench/support/clock.h"

namespace llmgw::bench {
namespace {

std::string read_small_file(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return {};
  char text[1'024];
  const ssize_t size = read(descriptor, text, sizeof text);
  close(descriptor);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : std::string();
}

int64_t number_at(std::string_view text, int field) {
  for (; field > 0; --field) {
    const size_t space = text.find(' ');
    if (space == std::string_view::npos) return 0;
    text.remove_prefix(space + 1);
  }
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

int64_t scheduler_sum(const std::string& root) {
  DIR* tasks = opendir((root + "/task").c_str());
  if (tasks == nullptr) return 0;
  int64_t sum = 0;
  while (const dirent* entry = readdir(tasks)) {
    if (entry->d_name[0] == '.') continue;
    sum += number_at(read_small_file(root + "/task/" + entry->d_name + "/schedstat"), 0);
  }
  closedir(tasks);
  return sum;
}

// proc(5): utime and stime are fields 14 and 15; the name, field 2, may hold spaces but ends at the last ')'.
int64_t stat_sum(const std::string& root) {
  const std::string stat = read_small_file(root + "/stat");
  const size_t name_end = stat.rfind(") ");
  if (name_end == std::string::npos) return 0;
  const std::string_view rest = std::string_view(stat).substr(name_end + 2);
  return (number_at(rest, 11) + number_at(rest, 12)) * (kNanosPerSecond / sysconf(_SC_CLK_TCK));
}

}  // namespace

int64_t CpuMeter::read() const {
  int64_t sum = 0;
  for (const int process : processes_) {
    const std::string root = "/proc/" + std::to_string(process);
    sum += std::max(scheduler_sum(root), stat_sum(root));
  }
  return sum;
}

bool CpuMeter::all_alive() const {
  return std::ranges::all_of(
      processes_, [](int process) { return access(("/proc/" + std::to_string(process)).c_str(), F_OK) == 0; });
}

}  // namespace llmgw::bench
