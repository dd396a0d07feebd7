#include "admission/meter_table.h"

namespace llmgw::admission {

std::shared_ptr<Meter> MeterTable::get(uint64_t identity) {
  if (meters_.size() >= kMetersMax) drop_unused();
  auto& meter = meters_[identity];
  if (meter == nullptr) meter = std::make_shared<Meter>();
  return meter;
}

// Those that no snapshot names. What they knew of this period's money is in the ledger.
void MeterTable::drop_unused() {
  std::erase_if(meters_, [](const auto& entry) { return entry.second.use_count() == 1; });
}

}  // namespace llmgw::admission
