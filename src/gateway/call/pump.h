// Two connections joined: what comes from one goes to the other, both ways, until either ends. One thread.
#pragma once

#include <string_view>

#include "base/time.h"
#include "net/stream.h"
#include "net/task.h"

namespace llmgw::gateway {

struct PumpEnd {
  net::Stream& stream;
  std::string_view early_bytes;  // read from `stream` before the pump took over; must live as long as the pump
};

// Ends when one side closes or breaks, when nothing moved for `idle_timeout`, or when cancelled. The caller
// closes the streams.
net::Task<void> pump_both_ways(PumpEnd a, PumpEnd b, base::Duration idle_timeout, net::Cancellation& cancellation);

}  // namespace llmgw::gateway
