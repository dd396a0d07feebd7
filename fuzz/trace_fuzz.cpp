// links: routing
// A trace is read or refused with a line's number; what is read is in order and can be simulated with nothing left.
#include <algorithm>
#include <cstdlib>

#include "routing/simulation/simulation.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace llmgw::routing;
  const auto trace = read_trace({reinterpret_cast<const char*>(data), size});
  if (!trace) {
    if (!trace.error().starts_with("line ")) std::abort();
    return 0;
  }
  if (!std::ranges::is_sorted(*trace, {}, &TraceCall::at_s)) std::abort();
  if (!trace->empty() && trace->back().at_s > 1e6) return 0;  // a fortnight is enough
  const auto result = simulate(*trace, {.instances = 2, .blocks = 8});
  if (result.left_in_flight != 0) std::abort();
  return 0;
}
