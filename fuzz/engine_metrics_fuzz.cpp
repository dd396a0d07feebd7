// links: routing
// Whatever an engine says, the numbers read are finite, not negative, and shares are shares.
#include <cmath>
#include <cstdlib>

#include "routing/engine/engine_metrics.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto metrics = llmgw::routing::read_engine_metrics({reinterpret_cast<const char*>(data), size});
  for (const auto& value : {metrics.waiting, metrics.running, metrics.cache_use}) {
    if (value && !(*value >= 0)) std::abort();
  }
  if (metrics.cache_use && *metrics.cache_use > 1) std::abort();
  return 0;
}
