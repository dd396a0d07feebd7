// What an inference engine says of itself in the Prometheus text format: requests waiting and running, use and size of
// its key-value cache. Knows the names of vLLM (docs.vllm.ai, "Production Metrics", v0 and v1), SGLang (docs.sglang.ai,
// "Production Metrics") and llama.cpp (tools/server/README.md, "/metrics"), old and new, with ':' or '_' behind the
// engine's name. What is not there stays unknown. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace llmgw::routing {

// Metrics of engines are some tens of kilobytes.
inline constexpr size_t kEngineMetricsBytesMax = 4 << 20;

struct EngineMetrics {
  std::optional<double> waiting;       // requests; of all its models together
  std::optional<double> running;       // the same
  std::optional<double> cache_use;     // 0..1; of the fullest
  std::optional<double> cache_tokens;  // that its cache holds
  bool any() const { return waiting || running || cache_use || cache_tokens; }
};

EngineMetrics read_engine_metrics(std::string_view text);

}  // namespace llmgw::routing
