// Metrics as text: the Prometheus format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats, read 2024) and
// OpenMetrics 1.0 (github.com/prometheus/OpenMetrics, specification of 2020-11). Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "telemetry/metrics.h"

namespace llmgw::telemetry {

enum class ExpositionFormat : uint8_t { prometheus, open_metrics };
std::string_view content_type(ExpositionFormat format);
// By the scraper's Accept header: OpenMetrics only where it is named.
ExpositionFormat choose_format(std::string_view accept);

// Appends families to `out`. A family's samples follow its head; an empty family has no head.
class ExpositionWriter {
 public:
  ExpositionWriter(std::string& out, ExpositionFormat format) : out_(out), format_(format) {}

  void head(const Family& family);
  void sample(const Family& family, std::span<const std::string> values, uint64_t value);
  void sample(const Family& family, std::span<const std::string> values, int64_t value);
  void sample(const Family& family, std::span<const std::string> values, double value);
  void histogram(const Family& family, std::span<const std::string> values, const HistogramData& data);
  void finish();

 private:
  void begin(const Family& family, std::string_view suffix, std::span<const std::string> values, std::string_view le);
  std::string& out_;
  ExpositionFormat format_;
};

// Everything the registry and its collectors know.
std::string render_metrics(const Registry& registry, ExpositionFormat format);

}  // namespace llmgw::telemetry
