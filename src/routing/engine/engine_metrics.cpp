#include "routing/engine/engine_metrics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace llmgw::routing {
namespace {

enum class Meaning : uint8_t { waiting, running, cache_use, cache_tokens, cache_config };

struct Name {
  std::string_view text;  // '_' stands for ':' too
  Meaning meaning;
};

constexpr std::array kNames{
    Name{"vllm_num_requests_waiting", Meaning::waiting},
    Name{"vllm_num_requests_running", Meaning::running},
    Name{"vllm_kv_cache_usage_perc", Meaning::cache_use},
    Name{"vllm_gpu_cache_usage_perc", Meaning::cache_use},
    Name{"vllm_cache_config_info", Meaning::cache_config},
    Name{"sglang_num_queue_reqs", Meaning::waiting},
    Name{"sglang_num_running_reqs", Meaning::running},
    Name{"sglang_token_usage", Meaning::cache_use},
    Name{"sglang_max_total_num_tokens", Meaning::cache_tokens},
    Name{"llamacpp_requests_deferred", Meaning::waiting},
    Name{"llamacpp_requests_processing", Meaning::running},
    Name{"llamacpp_kv_cache_usage_ratio", Meaning::cache_use},
};

const Name* find_name(std::string_view text) {
  const auto* const found = std::ranges::find_if(kNames, [text](const Name& name) {
    return std::ranges::equal(name.text, text, [](char a, char b) { return a == b || (a == '_' && b == ':'); });
  });
  return found == kNames.end() ? nullptr : found;
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || !std::isfinite(value) || value < 0) return std::nullopt;
  return value;
}

std::optional<double> label(std::string_view labels, std::string_view name) {
  const size_t at = labels.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view value = labels.substr(at + name.size());
  return value.starts_with("=\"") ? number(value.substr(2)) : std::nullopt;
}

void add(std::optional<double>& to, double value) {
  to = to.value_or(0) + value;
}

void read_line(std::string_view line, EngineMetrics& metrics) {
  const size_t end = line.find_first_of("{ \t");
  if (end == std::string_view::npos || line.starts_with('#')) return;
  const Name* const name = find_name(line.substr(0, end));
  if (name == nullptr) return;
  std::string_view labels;
  std::string_view rest = line.substr(end);
  if (rest.front() == '{') {
    // A label's value may hold a brace; numbers do not.
    const size_t close = rest.rfind('}');
    if (close == std::string_view::npos) return;
    labels = rest.substr(1, close - 1);
    rest = rest.substr(close + 1);
  }
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  const auto value = number(rest);
  if (!value) return;
  switch (name->meaning) {
    case Meaning::waiting: add(metrics.waiting, *value); break;
    case Meaning::running: add(metrics.running, *value); break;
    case Meaning::cache_use: metrics.cache_use = std::max(metrics.cache_use.value_or(0), std::min(*value, 1.0)); break;
    case Meaning::cache_tokens: add(metrics.cache_tokens, *value); break;
    case Meaning::cache_config: {
      const auto blocks = label(labels, "num_gpu_blocks");
      const auto tokens = label(labels, "block_size");
      if (blocks && tokens) add(metrics.cache_tokens, *blocks * *tokens);
      break;
    }
  }
}

}  // namespace

EngineMetrics read_engine_metrics(std::string_view text) {
  EngineMetrics metrics;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    read_line(text.substr(0, end), metrics);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return metrics;
}

}  // namespace llmgw::routing
