// When a call did what, as far as metrics and what is learnt of instances need it. One call at a time.
#pragma once

#include "base/time.h"

namespace llmgw::gateway {

struct CallTimes {
  base::Duration before{0};     // gateway time until the request was written to the upstream
  base::Duration queued{0};     // waited for an instance
  base::Duration discarded{0};  // attempts that were given up, and the pauses behind them
  base::Duration after{-1};     // gateway time from the upstream's first byte to ours; -1: none has gone out
  base::Duration first_token{-1};

  // Of the attempt at hand.
  base::Instant asked_at{};  // since when it waits for its upstream
  base::Instant sent_at{};
  // From sending to the first bytes of an answer that is no stream, and so was there as a whole; -1: none came.
  base::Duration whole_after{-1};
};

}  // namespace llmgw::gateway
