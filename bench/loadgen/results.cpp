#include "bench/loadgen/results.h"

#include <array>
#include <cstdio>
#include <numeric>
#include <string>
#include <string_view>

namespace llmgw::bench {
namespace {

void append_number(std::string& out, std::string_view name, double value) {
  char text[64];
  const int size = std::snprintf(text, sizeof text, "%.3f", value);
  out += out.back() == '{' ? "\"" : ",\"";
  out += name;
  out += "\":";
  out.append(text, static_cast<size_t>(size));
}

void append_count(std::string& out, std::string_view name, uint64_t value) {
  out += out.back() == '{' ? "\"" : ",\"";
  out += name;
  out += "\":" + std::to_string(value);
}

void append_text(std::string& out, std::string_view name, std::string_view value) {
  out += out.back() == '{' ? "\"" : ",\"";
  out += name;
  out += "\":\"";
  for (const char c : value) {
    const bool plain = c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
    if (plain) {
      out.push_back(c);
      continue;
    }
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\u%04x", unsigned{static_cast<unsigned char>(c)});
    out += escaped;
  }
  out += "\"";
}

void append_histogram(std::string& out, std::string_view name, const Histogram& histogram) {
  constexpr double kNanosPerMicroReal = 1e3;
  const auto at = [&](double fraction) {
    return static_cast<double>(histogram.percentile(fraction)) / kNanosPerMicroReal;
  };
  out += ",\"";
  out += name;
  out += "\":{";
  append_count(out, "count", histogram.count());
  append_number(out, "mean", histogram.mean() / kNanosPerMicroReal);
  append_number(out, "p50", at(0.5));
  append_number(out, "p90", at(0.9));
  append_number(out, "p99", at(0.99));
  append_number(out, "p999", at(0.999));
  append_number(out, "max", static_cast<double>(histogram.max()) / kNanosPerMicroReal);
  out += "}";
}

}  // namespace

std::string_view to_string(Failure failure) {
  constexpr std::array<std::string_view, kFailureCount> kNames{"connect", "closed",   "status",  "framing",
                                                               "content", "sequence", "unended", "stalled"};
  return kNames[static_cast<size_t>(failure)];
}

uint64_t Results::failures_total() const {
  return std::accumulate(failures.begin(), failures.end(), uint64_t{0});
}

std::string to_json(const Results& results) {
  const double seconds = static_cast<double>(results.elapsed_ns) / 1e9;
  const auto requests = static_cast<double>(results.requests);
  std::string out = "{";
  append_count(out, "requests", results.requests);
  append_count(out, "errors", results.failures_total());
  out += ",\"errors_by_kind\":{";
  for (size_t i = 0; i < kFailureCount; ++i) append_count(out, to_string(static_cast<Failure>(i)), results.failures[i]);
  out += "}";
  append_text(out, "first_error", results.first_failure);
  append_number(out, "seconds", seconds);
  append_number(out, "rps", seconds > 0 ? requests / seconds : 0);
  append_count(out, "connects", results.connects);
  append_count(out, "reconnects", results.reconnects);
  append_count(out, "bytes_received", results.bytes_received);
  append_count(out, "in_flight_peak", results.in_flight_peak);
  append_count(out, "sent_at_first_answer", results.sent_at_first_answer);
  append_count(out, "events", results.events);
  append_number(out, "cpu_us", static_cast<double>(results.cpu_ns) / 1e3);
  append_number(out, "cpu_us_per_request", requests > 0 ? static_cast<double>(results.cpu_ns) / 1e3 / requests : 0);
  append_number(out, "cpu_busy", seconds > 0 ? static_cast<double>(results.cpu_ns) / 1e9 / seconds : 0);
  out += results.processes_alive ? ",\"processes_alive\":true" : ",\"processes_alive\":false";
  append_histogram(out, "latency_us", results.latency);
  append_histogram(out, "service_us", results.service);
  append_histogram(out, "first_byte_us", results.first_byte);
  append_histogram(out, "event_gap_us", results.event_gap);
  append_histogram(out, "event_delay_us", results.event_delay);
  append_histogram(out, "first_event_delay_us", results.first_event_delay);
  append_histogram(out, "first_event_added_us", results.first_event_added);
  out += "}\n";
  return out;
}

}  // namespace llmgw::bench
