#include "gateway/engines/engine_watch.h"

#include "net/io.h"
#include "routing/engine/engine_gauges.h"
#include "routing/prefix/block_hash.h"
#include "routing/queue/told_concurrency.h"

namespace llmgw::gateway {
namespace {

using base::ErrorCode;
using base::Result;
using net::Task;

// Queues move within a second; more often would be load of its own.
constexpr base::Duration kInterval = std::chrono::seconds(1);
// An engine that takes longer to say how it is, is not well.
constexpr base::Duration kPatience = std::chrono::seconds(2);
// Tokens of one of our blocks of a prompt: see call_route.cpp.
constexpr double kBlockTokens = double(routing::kBlockBytes) / 4;

uint16_t gauge(const std::optional<double>& value, double times = 1) {
  if (!value) return routing::kUnknownGauge;
  return static_cast<uint16_t>(std::clamp(*value * times, 0.0, double{routing::kGaugeMax}));
}

}  // namespace

Task<void> EngineWatch::run() {
  for (;;) {
    const auto& connections = worker_.snapshot().connections;
    busy_.resize(std::max(busy_.size(), connections.size()), false);
    for (uint32_t i = 0; i < connections.size(); ++i) {
      if ((connections[i].metrics_path.empty() && connections[i].probe_path.empty()) || busy_[i]) continue;
      busy_[i] = true;
      looks_.spawn(look(i));
    }
    co_await net::sleep_for(worker_.loop(), kInterval);
  }
}

Task<void> EngineWatch::look(uint32_t index) {
  const GenerationRef generation(worker_.current());
  const control::Snapshot& snapshot = generation.snapshot();
  const control::Connection& connection = snapshot.connections[index];
  const routing::InstanceHandle& handle = generation.instance(index);
  if (handle.valid()) {
    routing::InstanceState& state = worker_.shared().routing.instances.state(handle.slot());
    if (!connection.probe_path.empty()) {
      const auto& health = snapshot.routes.back().settings.health;
      const base::Instant now = worker_.loop().now();
      // While calls get through there is no news in a success. What is out by what its calls came to stays so for its
      // time, however well it looks; one that looked unwell itself is tried as soon as it does not any more.
      auto well = co_await fetch(generation, index, connection.probe_path);
      const bool due = routing::admission(state.health, now, health, 1) == routing::Admission::probe;
      // What this machine lacks says nothing of the engine.
      const bool unknown = !well && well.error().code == ErrorCode::exhausted;
      unwell_.resize(std::max<size_t>(unwell_.size(), handle.slot() + 1), false);
      if (!well && !unknown) {
        routing::note_failure(state.health, worker_.loop().now(), health);
        unwell_[handle.slot()] = true;
      } else if (well && due) {
        routing::note_success(state.health, worker_.loop().now(), health);
      }
      if (well && unwell_[handle.slot()]) {
        unwell_[handle.slot()] = false;
        end_out(generation, index);
      }
    }
    if (!connection.metrics_path.empty()) {
      auto text = co_await fetch(generation, index, connection.metrics_path);
      note_metrics(text ? routing::read_engine_metrics(*text) : routing::EngineMetrics{}, handle.slot());
    }
  }
  busy_[index] = false;
}

void EngineWatch::note_metrics(const routing::EngineMetrics& metrics, routing::Slot slot) const {
  const routing::InstanceTable& table = worker_.shared().routing.instances;
  routing::InstanceState& state = table.state(slot);
  const uint16_t before = state.waiting.load(std::memory_order_relaxed);
  state.waiting.store(metrics.waiting ? gauge(metrics.waiting) : routing::silent_gauge(before),
                      std::memory_order_relaxed);
  state.running.store(gauge(metrics.running), std::memory_order_relaxed);
  routing::learn_concurrency_from_metrics(
      table.gate(slot), {.waits = metrics.waiting.value_or(0) >= 1 && metrics.running.value_or(0) >= 1,
                         .again = before != 0 && before <= routing::kGaugeMax,
                         .running = static_cast<uint32_t>(std::min(metrics.running.value_or(0), 1e6)),
                         .in_flight = state.requests_in_flight.load(std::memory_order_relaxed)});
  state.kv_permille.store(gauge(metrics.cache_use, 1000), std::memory_order_relaxed);
  if (metrics.cache_tokens) {
    const double blocks = std::clamp(*metrics.cache_tokens / kBlockTokens, 1.0, 1e9);
    state.cache_blocks.store(static_cast<uint32_t>(blocks), std::memory_order_relaxed);
  }
}

// The calls that failed while it was unwell put its models out, too.
void EngineWatch::end_out(const GenerationRef& generation, uint32_t connection) const {
  const routing::InstanceTable& table = worker_.shared().routing.instances;
  const base::Instant now = worker_.loop().now();
  routing::end_out(table.state(generation.instance(connection).slot()).health, now);
  const auto& models = generation.snapshot().models;
  for (uint32_t i = 0; i < models.size(); ++i) {
    const routing::InstanceHandle& handle = generation.model_instance(i);
    if (models[i].connection == connection && handle.valid()) routing::end_out(table.state(handle.slot()).health, now);
  }
}

Task<Result<std::string>> EngineWatch::fetch(const GenerationRef& generation, uint32_t index, std::string_view path) {
  const net::Wait wait{worker_.loop().now() + kPatience, nullptr};
  const providers::Endpoint& endpoint = generation.snapshot().connections[index].upstream.endpoint;
  CO_TRY(upstream, co_await generation.pool(index).acquire(false, wait));
  const http::Headers headers;
  const std::string target = generation.plain_proxy(index).origin + std::string(path);
  const http::RequestStart request{.method = "GET",
                                   .target = target,
                                   .scheme = endpoint.tls ? "https" : "http",
                                   .authority = endpoint.authority,
                                   .headers = &headers,
                                   .body = {},
                                   .upgrade = {}};
  CO_TRY_VOID(co_await upstream->send(request, wait));
  CO_TRY(head, co_await upstream->read_head(wait));
  if (head->status >= 300) co_return base::fail(ErrorCode::protocol, "the engine is not well");
  std::string answer;
  for (bool done = false; !done;) {
    CO_TRY(bytes, co_await upstream->read_body(wait));
    if (answer.size() + bytes.data.size() > routing::kEngineMetricsBytesMax) {
      co_return base::fail(ErrorCode::too_large, "the engine's answer is too large");
    }
    answer.append(bytes.data.data(), bytes.data.size());
    done = bytes.done;
  }
  co_return answer;
}

}  // namespace llmgw::gateway
