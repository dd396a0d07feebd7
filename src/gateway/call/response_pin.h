// The Responses API's requests that go on from a response name it instead of repeating what was said before: where
// sessions are conversations, the response is pinned to the instance that made it, and they come to the same. One
// thread's call; the table is everybody's.
#pragma once

#include <string_view>

#include "control/snapshot.h"
#include "gateway/entrance/conversation.h"
#include "gateway/entrance/endpoints.h"
#include "routing/prefix/block_hash.h"
#include "routing/session/session_table.h"

namespace llmgw::gateway {

inline bool pins_responses(Operation operation, const control::Route& route) {
  return operation == Operation::responses_create && route.session == control::SessionKind::conversation;
}

// `model` is that of the plan; without an id nothing is pinned.
inline void pin_response(routing::SessionTable& sessions, const routing::InstanceHandle& instance,
                         std::string_view model, std::string_view id, base::Instant now) {
  if (id.empty() || !instance.valid()) return;
  sessions.pin(conversation_after(id, routing::hash_text(model)), instance.slot(), now);
}

}  // namespace llmgw::gateway
