#include "admin/engines/health_api.h"

#include "gateway/instance_identity.h"
#include "json/writer.h"
#include "routing/engine/engine_gauges.h"
#include "routing/health/health.h"
#include "routing/load/pause.h"
#include "routing/policy/peak_ewma.h"
#include "routing/policy/policy.h"

namespace llmgw::admin {
namespace {

using routing::InstanceState;

class HealthWriter {
 public:
  HealthWriter(const control::Snapshot& snapshot, gateway::RoutingState& routing, base::Instant now)
      : snapshot_(snapshot), routing_(routing), now_(now) {}

  std::string write() {
    w_.begin_object().member("object", "list").key("data").begin_array();
    for (uint32_t i = 0; i < snapshot_.connections.size(); ++i) connection(i);
    w_.end_array().end_object();
    return std::move(out_);
  }

 private:
  static int64_t number(const auto& cell) { return static_cast<int64_t>(cell.load(std::memory_order_relaxed)); }

  std::string_view health(const InstanceState& state, const control::Route& route) const {
    return to_string(routing::health_state(state.health, now_, route.settings.health));
  }
  void gauge(std::string_view name, const std::atomic<uint16_t>& cell) {
    const uint16_t value = cell.load(std::memory_order_relaxed);
    if (value == routing::kUnknownGauge || routing::is_silent(value)) {
      w_.null_member(name);
    } else {
      w_.member(name, value);
    }
  }
  void connection(uint32_t index);
  void load(const InstanceState& state, const routing::GateState& gate, const routing::GateLimits& limits);
  void models(uint32_t connection);

  const control::Snapshot& snapshot_;
  gateway::RoutingState& routing_;
  base::Instant now_;
  std::string out_;
  json::Writer w_{out_};
};

void HealthWriter::connection(uint32_t index) {
  const control::Connection& connection = snapshot_.connections[index];
  // For as long as it is looked at: the one the workers have.
  const auto handle = routing_.instances.acquire(gateway::instance_identity(connection));
  if (!handle.valid()) return;
  const InstanceState& state = routing_.instances.state(handle.slot());
  const control::Route& route = snapshot_.routes.back();
  w_.begin_object().member("connection", connection.name);
  w_.member("provider", connection.upstream.provider->name).member("state", health(state, route));
  w_.member("paused_seconds", std::chrono::duration<double>(routing::pause_left(state, now_)).count());
  load(state, routing_.instances.gate(handle.slot()), route.limits(connection.max_in_flight, connection.is_engine));
  models(index);
  w_.end_object();
}

void HealthWriter::load(const InstanceState& state, const routing::GateState& gate, const routing::GateLimits& limits) {
  const int64_t waiting = number(gate.waiting_requests);
  w_.key("load").begin_object();
  w_.member("requests_in_flight", number(state.requests_in_flight));
  w_.member("prompt_tokens_in_flight", number(state.tokens_in_flight) - number(gate.waiting_tokens));
  if (const uint32_t most = routing::requests_limit(gate, limits); most != 0) {
    w_.member("requests_limit", most).member("limit_is_learnt", limits.requests_max == 0);
  } else {
    w_.null_member("requests_limit");
  }
  w_.member("first_token_seconds", routing::PeakEwma::read(state.latency));
  w_.member("prompt_tokens_per_second", routing::learnt_speed(state, gate)).end_object();
  w_.key("queue").begin_object().member("waiting", waiting);
  w_.member("prompt_tokens_waiting", number(gate.waiting_tokens)).end_object();
  w_.key("engine").begin_object();
  gauge("waiting", state.waiting);
  gauge("running", state.running);
  gauge("cache_use_permille", state.kv_permille);
  w_.member("cache_blocks", number(state.cache_blocks)).end_object();
}

void HealthWriter::models(uint32_t connection) {
  w_.key("models").begin_array();
  for (const control::Model& model : snapshot_.models) {
    if (model.connection != connection) continue;
    const auto handle = routing_.instances.acquire(gateway::model_identity(snapshot_, model));
    if (!handle.valid()) continue;
    const InstanceState& state = routing_.instances.state(handle.slot());
    w_.begin_object().member("model", model.name).member("state", health(state, snapshot_.routes[model.route]));
    w_.member("paused_seconds", std::chrono::duration<double>(routing::pause_left(state, now_)).count()).end_object();
  }
  w_.end_array();
}

}  // namespace

ApiAnswer answer_health(const control::Snapshot& snapshot, gateway::RoutingState& routing, base::Instant now) {
  return {.status = 200, .body = HealthWriter(snapshot, routing, now).write()};
}

}  // namespace llmgw::admin
