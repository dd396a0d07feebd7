// Two connections joined: what comes from one goes to the other, both ways, until either ends. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "net/stream.h"
#include "net/task.h"

namespace llmgw::gateway {

struct PumpEnd {
  net::Stream& stream;
  std::string_view early_bytes;  // read from `stream` before the pump took over; must live as long as the pump
};

struct PumpResult {
  uint64_t bytes_from_a = 0;  // that have gone to the other one
  uint64_t bytes_from_b = 0;
  std::optional<base::Error> b_broke;  // what broke the connection to `b`, if that was the end
};

// Ends when one side closes or breaks, when nothing moved for `idle_timeout`, or when cancelled. The caller
// closes the streams.
net::Task<PumpResult> pump_both_ways(PumpEnd a, PumpEnd b, base::Duration idle_timeout,
                                     net::Cancellation& cancellation);

}  // namespace llmgw::gateway
