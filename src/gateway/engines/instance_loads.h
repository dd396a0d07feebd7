// What is in flight at each instance, for whoever reads the metrics: the account that all workers share is looked up at
// that moment, so that it is nobody's opinion of a second ago. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "control/snapshot.h"
#include "routing/load/instance_table.h"
#include "telemetry/metrics.h"

namespace llmgw::gateway {

class InstanceLoads {
 public:
  // `instances` must outlive it.
  explicit InstanceLoads(routing::InstanceTable& instances) : instances_(instances) {}

  // From now on those of this snapshot are shown.
  void adopt(std::shared_ptr<const control::Snapshot> snapshot);
  // A telemetry::Collector.
  void collect(std::vector<telemetry::CollectedSample>& samples) const;

 private:
  routing::InstanceTable& instances_;
  mutable std::mutex mutex_;  // guards what follows; nobody holds it for a request
  std::shared_ptr<const control::Snapshot> snapshot_;
  std::vector<routing::InstanceHandle> handles_;  // by connection index; invalid where the table is full
};

}  // namespace llmgw::gateway
