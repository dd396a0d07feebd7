// Two connections joined: what comes from one goes to the other, both ways, until either ends. One thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "http/websocket_watch.h"
#include "net/stream.h"
#include "net/task.h"

namespace llmgw::gateway {

struct PumpEnd {
  net::Stream& stream;
  std::string_view early_bytes = {};  // read from `stream` before the pump took over; must live as long as the pump
  // Longest time to take nothing of what waits for this end.
  base::Duration write_timeout = base::Duration::max();
  http::WebSocketWatch* watch = nullptr;  // sees what comes from this end; may be null
  std::string_view good_bye = {};         // sent to this end at the end of a drain, where a frame may begin
};

struct PumpResult {
  enum class End : uint8_t {
    cancelled,
    idle,     // nothing moved for `idle_timeout`
    a_ended,  // in order, as far as the connection tells
    b_ended,
    a_broke,
    b_broke,
    a_stuck,  // it took nothing for its write_timeout
    b_stuck,
  };
  uint64_t bytes_from_a = 0;  // that have gone to the other one
  uint64_t bytes_from_b = 0;
  End end = End::cancelled;
  base::Error error{};  // of a connection that broke
};

// Ends when one side closes or breaks, when nothing moved for `idle_timeout`, or when cancelled. The caller
// closes the streams; one that is stuck is then reset. Ends them in order, as TLS knows it, only where a watch has seen
// the end, or `good_bye` was said: what was cut looks cut to the other side, too.
net::Task<PumpResult> pump_both_ways(PumpEnd a, PumpEnd b, base::Duration idle_timeout,
                                     net::Cancellation& cancellation);

}  // namespace llmgw::gateway
