#include "gateway/engines/instance_loads.h"

#include <utility>

#include "gateway/instance_identity.h"

namespace llmgw::gateway {

void InstanceLoads::adopt(std::shared_ptr<const control::Snapshot> snapshot) {
  std::vector<routing::InstanceHandle> handles;
  handles.reserve(snapshot->connections.size());
  for (const control::Connection& connection : snapshot->connections) {
    handles.push_back(instances_.acquire(instance_identity(connection)));
  }
  const std::scoped_lock lock(mutex_);
  snapshot_ = std::move(snapshot);
  handles_ = std::move(handles);
}

void InstanceLoads::collect(std::vector<telemetry::CollectedSample>& samples) const {
  using telemetry::FamilyId;
  const std::scoped_lock lock(mutex_);
  for (size_t i = 0; i < handles_.size(); ++i) {
    if (!handles_[i].valid()) continue;
    const control::Connection& connection = snapshot_->connections[i];
    const routing::InstanceState& state = instances_.state(handles_[i].slot());
    const int64_t waiting = instances_.gate(handles_[i].slot()).waiting_requests.load(std::memory_order_relaxed);
    const int64_t sent = state.requests_in_flight.load(std::memory_order_relaxed);
    const std::vector<std::string> labels{std::string(connection.upstream.provider->name), connection.name};
    samples.push_back({FamilyId::instance_in_flight, labels, static_cast<double>(sent + waiting)});
    samples.push_back({FamilyId::queue_waiting, labels, static_cast<double>(waiting)});
    samples.push_back({FamilyId::instance_tokens, labels,
                       static_cast<double>(state.tokens_in_flight.load(std::memory_order_relaxed))});
  }
}

}  // namespace llmgw::gateway
