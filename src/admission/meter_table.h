// The meters of the process, by the identity of their scope. They stay when a configuration goes, so that what has been
// used is not forgotten by a reload. Control thread only; the meters themselves any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "admission/meter.h"

namespace llmgw::admission {

class MeterTable {
 public:
  // Far above any configuration (kKeysMax and kAssignmentsMax together); 128 MiB of meters.
  static constexpr size_t kMetersMax = 2u << 20;

  // The meter of a scope, made where there is none. Never null.
  std::shared_ptr<Meter> get(uint64_t identity);
  size_t size() const { return meters_.size(); }

 private:
  void drop_unused();

  std::unordered_map<uint64_t, std::shared_ptr<Meter>> meters_;
};

}  // namespace llmgw::admission
