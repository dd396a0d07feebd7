#include "telemetry/histogram.h"

#include <cassert>
#include <cmath>
#include <numeric>

namespace llmgw::telemetry {

uint64_t HistogramData::count() const {
  return std::accumulate(buckets.begin(), buckets.end(), uint64_t{0});
}

double HistogramData::sum_seconds() const {
  return static_cast<double>(sum_ns) / 1e9;
}

void HistogramData::record(base::Duration duration) {
  const auto ns = static_cast<uint64_t>(std::max<int64_t>(duration.count(), 0));
  ++buckets[layout->index(ns)];
  sum_ns += ns;
}

void HistogramData::add(const HistogramData& other) {
  assert(!layout || !other.layout || layout == other.layout);
  if (!layout) layout = other.layout;
  for (size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
  sum_ns += other.sum_ns;
}

std::optional<base::Duration> HistogramData::quantile(double quantile) const {
  const uint64_t total = count();
  if (!layout || total == 0) return std::nullopt;
  const double rank = std::clamp(quantile, 0.0, 1.0) * static_cast<double>(total);
  const uint32_t last_finite = layout->bound_count() - 1;
  double below = 0;
  for (uint32_t i = 0; i <= last_finite; ++i) {
    const auto inside = static_cast<double>(buckets[i]);
    if (inside > 0 && below + inside >= rank) {
      const double lower = i == 0 ? 0.0 : static_cast<double>(layout->bound_ns(i - 1));
      const double upper = static_cast<double>(layout->bound_ns(i));
      return base::Duration(std::llround(lower + (upper - lower) * std::max(rank - below, 0.0) / inside));
    }
    below += inside;
  }
  return base::Duration(static_cast<int64_t>(layout->bound_ns(last_finite)));
}

}  // namespace llmgw::telemetry
