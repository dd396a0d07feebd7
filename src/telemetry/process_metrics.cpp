#include "telemetry/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>

namespace llmgw::telemetry {
namespace {

constexpr size_t kStatmBytesMax = 256;  // seven numbers

struct CloseFile {
  void operator()(FILE* file) const { std::fclose(file); }
};

std::optional<double> cpu_seconds() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return std::nullopt;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The second number of /proc/self/statm is the resident set in pages (proc(5)).
std::optional<double> resident_bytes() {
  const std::unique_ptr<FILE, CloseFile> file(std::fopen("/proc/self/statm", "re"));
  if (!file) return std::nullopt;
  std::array<char, kStatmBytesMax> text{};
  const std::string_view line(text.data(), std::fread(text.data(), 1, text.size(), file.get()));
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  uint64_t pages = 0;
  if (std::from_chars(line.data() + space + 1, line.data() + line.size(), pages).ec != std::errc{}) return std::nullopt;
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::optional<double> open_descriptors() {
  DIR* directory = opendir("/proc/self/fd");
  if (!directory) return std::nullopt;
  int count = 0;
  while (const dirent* entry = readdir(directory))
    if (entry->d_name[0] != '.') ++count;
  closedir(directory);
  return count - 1;  // the directory's own
}

std::optional<double> descriptors_max() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return static_cast<double>(limit.rlim_cur);
}

double unix_seconds(base::WallTime time) {
  return static_cast<double>(time.time_since_epoch().count()) / 1e9;
}

}  // namespace

void add_process_metrics(Registry& registry, std::string_view version, base::WallTime started) {
  registry.add_collector([version = std::string(version), started](std::vector<CollectedSample>& samples) {
    const auto add = [&](FamilyId family, std::optional<double> value) {
      if (value) samples.push_back({family, {}, *value});
    };
    samples.push_back({FamilyId::gateway_info, {version}, 1});
    add(FamilyId::process_cpu, cpu_seconds());
    add(FamilyId::process_resident_memory, resident_bytes());
    add(FamilyId::process_open_fds, open_descriptors());
    add(FamilyId::process_max_fds, descriptors_max());
    add(FamilyId::process_start_time, unix_seconds(started));
  });
}

ReloadMetrics::ReloadMetrics(Registry& registry) {
  Shard& shard = registry.add_shard();
  success_ = registry.counter(shard, FamilyId::config_reloads, "success");
  failure_ = registry.counter(shard, FamilyId::config_reloads, "failure");
  last_reload_ = registry.gauge(shard, FamilyId::config_last_reload);
  certificate_expiry_ = registry.gauge(shard, FamilyId::certificate_expiry);
  store_trouble_ = registry.gauge(shard, FamilyId::store_trouble);
}

void ReloadMetrics::loaded(base::WallTime now) {
  last_reload_.set(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
}

void ReloadMetrics::certificate_expires(base::WallTime when) {
  certificate_expiry_.set(std::chrono::duration_cast<std::chrono::seconds>(when.time_since_epoch()).count());
}

void ReloadMetrics::store_trouble(bool any) {
  store_trouble_.set(any ? 1 : 0);
}

void ReloadMetrics::reload_succeeded(base::WallTime now) {
  success_.add();
  loaded(now);
}

void ReloadMetrics::reload_failed() {
  failure_.add();
}

}  // namespace llmgw::telemetry
