// GET /admin/v1/health: what the router knows of every instance, and of every model there. Any thread.
#pragma once

#include "admin/api/object_api.h"
#include "control/snapshot.h"
#include "gateway/routing_state.h"

namespace llmgw::admin {

ApiAnswer answer_health(const control::Snapshot& snapshot, gateway::RoutingState& routing, base::Instant now);

}  // namespace llmgw::admin
