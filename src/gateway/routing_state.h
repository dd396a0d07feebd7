// What the workers of one gateway know together of their upstreams. All of it is thread-safe without a lock.
#pragma once

#include <atomic>

#include "routing/load/instance_table.h"
#include "routing/prefix/prefix_index.h"
#include "routing/queue/fair_shares.h"
#include "routing/queue/line_heads.h"
#include "routing/retry/retry_budget.h"
#include "routing/session/session_table.h"

namespace llmgw::gateway {

struct RoutingState {
  routing::InstanceTable instances;
  routing::PrefixIndex index{instances};
  routing::SessionTable sessions;
  routing::RetryBudgets retries;
  routing::LineHeads heads{routing::InstanceTable::kInstancesMax};
  routing::FairShares shares;
  std::atomic<bool> watched = false;  // a worker looks after the engines
};

}  // namespace llmgw::gateway
