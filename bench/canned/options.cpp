#include "bench/canned/options.h"

#include "base/text.h"

namespace llmgw::bench {
namespace {

// Limits that keep a typing error from asking for the impossible.
constexpr uint64_t kChunksMax = 1'000'000;
constexpr uint64_t kBytesMax = 64 << 20;
constexpr uint64_t kMicrosMax = 3'600'000'000;  // an hour

bool apply_one(std::string_view name, uint64_t value, AnswerOptions& options) {
  const auto micros = [&](uint64_t scale, int64_t& target) {
    if (value > kMicrosMax / scale) return false;
    target = static_cast<int64_t>(value * scale) * 1'000;
    return true;
  };
  if (name == "interval_us") return micros(1, options.interval_ns);
  if (name == "interval_ms") return micros(1'000, options.interval_ns);
  if (name == "delay_us") return micros(1, options.delay_ns);
  if (name == "delay_ms") return micros(1'000, options.delay_ns);
  if (name == "chunks" && value >= 1 && value <= kChunksMax) {
    options.chunks = static_cast<uint32_t>(value);
    return true;
  }
  if (name == "cut_after" && value <= kChunksMax) {
    options.cut_after = static_cast<uint32_t>(value);
    return true;
  }
  if (name == "bytes" && value <= kBytesMax) {
    options.bytes = value;
    return true;
  }
  if (name == "status" && value >= 200 && value <= 599) {
    options.status = static_cast<uint32_t>(value);
    return true;
  }
  return false;
}

}  // namespace

bool apply_options(std::string_view text, AnswerOptions& options) {
  while (!text.empty()) {
    const size_t end = text.find_first_of(",&");
    const std::string_view pair = text.substr(0, end);
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return false;
    const auto value = base::parse_decimal(pair.substr(equals + 1));
    if (!value || !apply_one(pair.substr(0, equals), *value, options)) return false;
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return true;
}

}  // namespace llmgw::bench
