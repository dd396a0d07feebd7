#include "net/sim/faults.h"

namespace llmgw::net::sim {

base::Duration uniform_duration(base::Rng& rng, base::Duration low, base::Duration high) {
  if (high <= low) return low;
  return low + base::Duration(static_cast<int64_t>(rng.below(static_cast<uint64_t>((high - low).count()) + 1)));
}

NetworkFaults random_faults(base::Rng& rng) {
  using std::chrono::microseconds;
  const auto direction = [&] {
    DirectionFaults faults;
    faults.delay_min = microseconds(rng.below(200));
    faults.delay_max = faults.delay_min + microseconds(rng.below(uint64_t{1} << rng.below(18)));
    faults.split = rng.uniform();
    faults.capacity_bytes = 1 + rng.below(uint64_t{1} << (4 + rng.below(14)));
    faults.cut = rng.chance(0.3) ? rng.uniform() * 0.3 : 0;
    faults.stall = rng.chance(0.2) ? rng.uniform() * 0.2 : 0;
    faults.stall_time = std::chrono::milliseconds(rng.below(60'000));
    faults.break_within_bytes = 1 + rng.below(uint64_t{1} << (4 + rng.below(14)));
    return faults;
  };
  NetworkFaults faults;
  faults.to_server = direction();
  faults.to_client = direction();
  faults.connect_delay_max = microseconds(rng.below(uint64_t{1} << rng.below(21)));
  faults.refuse = rng.chance(0.2) ? rng.uniform() * 0.3 : 0;
  faults.connect_hang = rng.chance(0.1) ? rng.uniform() * 0.2 : 0;
  return faults;
}

}  // namespace llmgw::net::sim
