// A converted answer on its way through a Transcoder, whichever upstream sends it. One call at a time.
#pragma once

#include <cstdint>
#include <memory>

#include "base/time.h"
#include "gateway/call/call.h"
#include "gateway/failover/hold_back.h"
#include "http/client.h"
#include "http/content_coding.h"

namespace llmgw::gateway {

struct Call::Relay {
  Transcoder& transcoder;
  std::unique_ptr<http::ClientExchange>& upstream;     // the one that sends now
  std::unique_ptr<http::ContentDecoder> decoder = {};  // null: no coding
  HoldWindow window = {};
  base::Instant window_ends = base::kNever;
  base::Instant last_piece = {};
  uint32_t pieces = 0;
  uint64_t said_before = 0;  // tokens of the answer that came from upstreams before this one
  bool document = false;
  bool watched = false;  // another model is asked should a filter withhold it: nothing goes out before it is known
  bool begun = false;
  bool upstream_done = false;
};

}  // namespace llmgw::gateway
