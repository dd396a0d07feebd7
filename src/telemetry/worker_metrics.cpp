#include "telemetry/worker_metrics.h"

#include <cassert>

namespace llmgw::telemetry {
namespace {

std::string_view or_none(std::string_view value) {
  return value.empty() ? kNone : value;
}

}  // namespace

std::string_view to_string(FailoverEvent event) {
  static constexpr std::array<std::string_view, kFailoverEventCount> kNames{
      "retry", "fallback", "hedge", "hedge_won", "continuation", "mirror", "budget_spent"};
  return kNames[static_cast<size_t>(event)];
}

std::string_view to_string(InstanceOutcome outcome) {
  switch (outcome) {
    case InstanceOutcome::success: return "success";
    case InstanceOutcome::failure: return "failure";
    case InstanceOutcome::business_error: return "business_error";
  }
  return kOther;
}

RequestSeries::RequestSeries(Registry& registry, Shard& shard, const Series& labels)
    : registry_(&registry), shard_(&shard), labels_(&labels), requests_(registry.counter(shard, labels)) {}

Counter RequestSeries::resolve_counter(FamilyId family) {
  const auto& values = labels_->values;
  return registry_->counter(*shard_, family, values[0], values[1], values[2], values[3]);
}

Counter RequestSeries::resolve_tokens(TokenType type) {
  const auto& values = labels_->values;
  return registry_->counter(*shard_, FamilyId::tokens, values[0], values[1], values[2], values[3], to_string(type));
}

void RequestSeries::count_error(uint8_t error_id, std::string_view error_type) {
  assert(error_id < kErrorTypesMax);
  if (!errors_) errors_ = std::make_unique<std::array<Counter, kErrorTypesMax>>();
  Counter& counter = (*errors_)[error_id];
  if (!counter) {
    const auto& values = labels_->values;
    counter = registry_->counter(*shard_, FamilyId::errors, values[0], values[1], values[2], values[3], error_type);
  }
  counter.add();
}

Histogram RequestSeries::resolve_histogram(FamilyId family) {
  const std::string& provider = labels_->values[1];
  const std::string& model = labels_->values[2];
  const std::string& endpoint = labels_->values[3];
  if (family == FamilyId::added_time) return registry_->histogram(*shard_, family, endpoint);
  if (family == FamilyId::request_duration) return registry_->histogram(*shard_, family, provider, model, endpoint);
  return registry_->histogram(*shard_, family, provider, model);
}

InstanceSeries::InstanceSeries(Registry& registry, Shard& shard, const Series& labels)
    : registry_(&registry), shard_(&shard), labels_(&labels), health_(registry.gauge(shard, labels)) {}

Counter InstanceSeries::resolve(InstanceOutcome outcome) {
  const auto& values = labels_->values;
  return registry_->counter(*shard_, FamilyId::instance_requests, values[0], values[1], to_string(outcome));
}

void InstanceSeries::set_health(bool healthy) {
  health_.set(healthy ? 1 : 0);
}

void InstanceSeries::count_queued(uint32_t position) {
  const auto& values = labels_->values;
  if (!queued_) {
    queued_ = registry_->counter(*shard_, FamilyId::queued, values[0], values[1]);
    positions_ = registry_->counter(*shard_, FamilyId::queue_positions, values[0], values[1]);
  }
  queued_.add();
  positions_.add(position);
}

void InstanceSeries::record_queue_wait(base::Duration time) {
  if (!wait_) {
    wait_ = registry_->histogram(*shard_, FamilyId::queue_wait, labels_->values[0], labels_->values[1]);
  }
  wait_.record(time);
}

WorkerMetrics::WorkerMetrics(Registry& registry) : registry_(&registry), shard_(&registry.add_shard()) {
  client_connections = registry.gauge(*shard_, FamilyId::connections_open, "client");
  upstream_connections = registry.gauge(*shard_, FamilyId::connections_open, "upstream");
  client_connections_max = registry.gauge(*shard_, FamilyId::connections_max);
  idle_connections_ended = registry.counter(*shard_, FamilyId::idle_connections_ended);
  accept_failures = registry.counter(*shard_, FamilyId::accept_failures);
  requests_in_flight = registry.gauge(*shard_, FamilyId::requests_in_flight);
  for (const Gauge& gauge : {client_connections, upstream_connections, requests_in_flight}) gauge.set(0);
}

RequestSeries& WorkerMetrics::add_request(const RequestIds& ids, const RequestLabels& labels) {
  const std::array<std::string_view, 4> values{or_none(labels.api_key), or_none(labels.provider), or_none(labels.model),
                                               or_none(labels.endpoint)};
  const Series& series = registry_->series(FamilyId::requests, values);
  auto& place = request_series_[&series];
  if (!place) place.reset(new RequestSeries(*registry_, *shard_, series));
  requests_.insert(ids, place.get());
  return *place;
}

InstanceSeries& WorkerMetrics::add_instance(const InstanceIds& ids, std::string_view provider, std::string_view name) {
  const std::array<std::string_view, 2> values{or_none(provider), or_none(name)};
  const Series& series = registry_->series(FamilyId::instance_health, values);
  auto& place = instance_series_[&series];
  if (!place) place.reset(new InstanceSeries(*registry_, *shard_, series));
  instances_.insert(ids, place.get());
  return *place;
}

void WorkerMetrics::forget_instance_health() {
  for (auto& [series, instance] : instance_series_) instance->health_.clear();
}

Counter WorkerMetrics::resolve(FailoverEvent event) {
  return registry_->counter(*shard_, FamilyId::failover, to_string(event));
}

Gauge WorkerMetrics::model_health(std::string_view provider, std::string_view instance, std::string_view model) {
  return registry_->gauge(*shard_, FamilyId::model_health, or_none(provider), or_none(instance), or_none(model));
}

Gauge WorkerMetrics::sessions(std::string_view provider) {
  return registry_->gauge(*shard_, FamilyId::sessions, or_none(provider));
}

Counter WorkerMetrics::warning(std::string_view code) {
  return registry_->counter(*shard_, FamilyId::warnings, or_none(code));
}

Counter WorkerMetrics::queue_refusal(std::string_view reason) {
  return registry_->counter(*shard_, FamilyId::queue_refusals, reason);
}

Counter WorkerMetrics::retry_budget_spent(std::string_view model) {
  return registry_->counter(*shard_, FamilyId::retry_budget_spent, or_none(model));
}

Counter WorkerMetrics::connection_fault(std::string_view fault) {
  return registry_->counter(*shard_, FamilyId::connection_faults, fault);
}

Counter WorkerMetrics::limit_refusal(std::string_view scope, std::string_view limit) {
  return registry_->counter(*shard_, FamilyId::limit_refusals, scope, limit);
}

}  // namespace llmgw::telemetry
