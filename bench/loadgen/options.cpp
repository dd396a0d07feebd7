#include "bench/loadgen/options.h"

#include <charconv>
#include <cstdio>
#include <functional>
#include <map>
#include <string_view>

#include "base/text.h"

namespace llmgw::bench {
namespace {

constexpr const char* kUsage = R"(usage: bench-loadgen --port N [option...]
 what is sent
  --path PATH            default /v1/chat/completions
  --model NAME           the "model" of the body, default canned
  --body-bytes N         of the request, default 1024
  --stream               ask for a stream and expect one
  --authorization VALUE  e.g. "Bearer sk-..."
  --header "NAME: VALUE" may be given several times
  --get                  GET without a body
 how
  --connections N        default 1
  --rate R               open loop: R requests a second; latency counts from the intended time
  --ramp-ms N            closed loop: connections begin at random times within N ms
  --seconds S            length of the measured phase
  --requests N           length of the measured phase, as a number of requests
  --warmup-seconds S, --warmup-requests N   the same for the phase before, which is not counted
  --cpu N                pin to a CPU
  --cpu-of PID           report the CPU time of this process in the measured phase; may be given several times
 what is demanded of an answer
  --expect-status N      default 200
  --expect-bytes N       of a JSON answer, default 1024
  --expect-chunks N      events of a stream, default 100
  --expect-any           not from bench-canned: only status and framing are checked
  --stall-ms N           no byte for so long is an error, default 30000
)";

using Setter = std::function<bool(std::string_view)>;

template <class T>
Setter integer(T& target, uint64_t max, T scale = 1) {
  return [&target, max, scale](std::string_view text) {
    const auto value = base::parse_decimal(text);
    if (!value || *value > max) return false;
    target = static_cast<T>(*value) * scale;
    return true;
  };
}

template <class T>
Setter real(T& target, double max, double scale = 1) {
  return [&target, max, scale](std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0 || value > max) return false;
    target = static_cast<T>(value * scale);
    return true;
  };
}

std::map<std::string_view, Setter> setters_with_value(LoadOptions& options) {
  constexpr uint64_t kCountMax = 1'000'000'000;
  constexpr uint64_t kConnectionsMax = 60'000;  // one client address has no more ports
  constexpr uint64_t kBytesMax = 64 << 20;
  constexpr double kSecondsMax = 3'600;
  constexpr double kRateMax = 1e6;
  std::map<std::string_view, Setter> setters;
  setters["--port"] = integer(options.port, 65'535);
  setters["--path"] = [&](std::string_view text) { return !(options.path = text).empty(); };
  setters["--model"] = [&](std::string_view text) { return !(options.model = text).empty(); };
  setters["--body-bytes"] = integer(options.body_bytes, kBytesMax);
  setters["--authorization"] = [&](std::string_view text) {
    options.headers.push_back("Authorization: " + std::string(text));
    return true;
  };
  setters["--header"] = [&](std::string_view text) {
    options.headers.emplace_back(text);
    return text.find(": ") != std::string_view::npos;
  };
  setters["--connections"] = integer(options.connections, kConnectionsMax);
  setters["--rate"] = real(options.rate, kRateMax);
  setters["--ramp-ms"] = integer(options.ramp_ns, kCountMax, int64_t{1'000'000});
  setters["--seconds"] = real(options.measured.duration_ns, kSecondsMax, 1e9);
  setters["--requests"] = integer(options.measured.requests, kCountMax);
  setters["--warmup-seconds"] = real(options.warmup.duration_ns, kSecondsMax, 1e9);
  setters["--warmup-requests"] = integer(options.warmup.requests, kCountMax);
  setters["--cpu"] = integer(options.cpu, 1'023);
  setters["--cpu-of"] = [&](std::string_view text) {
    options.cpu_of.push_back(0);
    return integer(options.cpu_of.back(), kCountMax)(text);
  };
  setters["--expect-status"] = integer(options.expect_status, 599);
  setters["--expect-bytes"] = integer(options.expect_bytes, kBytesMax);
  setters["--expect-chunks"] = integer(options.expect_chunks, kCountMax);
  setters["--stall-ms"] = integer(options.stall_ns, kCountMax, int64_t{1'000'000});
  return setters;
}

}  // namespace

std::optional<LoadOptions> parse_load_options(int count, char** values) {
  LoadOptions options;
  const auto setters = setters_with_value(options);
  for (int i = 1; i < count; ++i) {
    const std::string_view name = values[i];
    if (name == "--stream") {
      options.stream = true;
    } else if (name == "--get") {
      options.method = "GET";
      options.body_bytes = 0;
    } else if (name == "--expect-any") {
      options.expect_canned = false;
    } else {
      const auto setter = setters.find(name);
      if (setter == setters.end() || i + 1 >= count || !setter->second(values[i + 1])) {
        std::fprintf(stderr, "bench-loadgen: bad argument: %s\n%s", values[i], kUsage);
        return std::nullopt;
      }
      ++i;
    }
  }
  if (options.port == 0 || options.connections == 0 || options.measured.empty()) {
    std::fprintf(stderr, "bench-loadgen: --port, --connections and --seconds or --requests are needed\n%s", kUsage);
    return std::nullopt;
  }
  return options;
}

}  // namespace llmgw::bench
