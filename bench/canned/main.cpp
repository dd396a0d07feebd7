// bench-canned: the upstream of the benchmark. Answers every request the same, cheaply.
#include <sched.h>
#include <sys/signalfd.h>

#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "bench/canned/options.h"
#include "bench/canned/server.h"
#include "bench/support/process.h"

namespace {

using llmgw::bench::CannedOptions;

constexpr const char* kUsage =
    "usage: bench-canned [--cpu N] [--certificate FILE --key FILE] LISTENER...\n"
    "  LISTENER  PORT[,tls][,name=value...]   on 127.0.0.1; port 0 lets the kernel pick, the port is printed\n"
    "  names     chunks interval_us interval_ms delay_us delay_ms bytes status cut_after\n";

bool parse_listener(std::string_view text, CannedOptions& options) {
  llmgw::bench::ListenerOptions listener;
  const size_t comma = text.find(',');
  const auto port = llmgw::base::parse_decimal(text.substr(0, comma));
  if (!port || *port > 65'535) return false;
  listener.port = static_cast<uint16_t>(*port);
  text = comma == std::string_view::npos ? "" : text.substr(comma + 1);
  if (text == "tls" || text.starts_with("tls,")) {
    listener.tls = true;
    text.remove_prefix(text == "tls" ? 3 : 4);
  }
  if (!llmgw::bench::apply_options(text, listener.answer)) return false;
  options.listeners.push_back(listener);
  return true;
}

std::optional<CannedOptions> parse_arguments(int count, char** values) {
  CannedOptions options;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = values[i];
    const bool has_value = i + 1 < count;
    if (argument == "--cpu" && has_value) {
      const auto cpu = llmgw::base::parse_decimal(values[++i]);
      if (!cpu || *cpu >= CPU_SETSIZE) return std::nullopt;
      options.cpu = static_cast<int>(*cpu);
    } else if (argument == "--certificate" && has_value) {
      options.certificate_file = values[++i];
    } else if (argument == "--key" && has_value) {
      options.key_file = values[++i];
    } else if (!parse_listener(argument, options)) {
      return std::nullopt;
    }
  }
  if (options.listeners.empty()) return std::nullopt;
  return options;
}

}  // namespace

int main(int count, char** values) {
  auto options = parse_arguments(count, values);
  if (!options) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (!llmgw::bench::prepare_process(options->cpu)) return 1;

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const int stop = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);

  llmgw::bench::CannedServer server(std::move(*options));
  if (!server.open()) return 1;
  server.run(stop);
  const auto& stats = server.stats();
  std::printf(
      "{\"connections\":%llu,\"requests\":%llu,\"streams\":%llu,\"requests_bad\":%llu,\"answering_peak\":%llu,"
      "\"event_late_us_max\":%.1f}\n",
      static_cast<unsigned long long>(stats.connections), static_cast<unsigned long long>(stats.requests),
      static_cast<unsigned long long>(stats.streams), static_cast<unsigned long long>(stats.requests_bad),
      static_cast<unsigned long long>(stats.answering_peak), static_cast<double>(stats.event_late_ns_max) / 1e3);
  return 0;
}
