// What stands in a conversation and only the client's own API understands: summaries of what was said before, calls of
// the provider's tools which the client ran, tools that join or leave on the way. Pure.
#pragma once

#include "chat/request.h"
#include "chat/target.h"
#include "dialects/codec.h"

namespace llmgw::dialects {

// The request as the target's writer is to see it: `request` itself if there is nothing to do, else a copy in the
// arena. For a target of another dialect such items become texts, calls and results that all have, and tools join those
// of the request; items that have no such form stay, for the writer to warn of. For a target of the same dialect, where
// the items go as they stand, the tools that are in them are none of the request's. Errors: what stands for a
// conversation, and only its provider can read; what nobody can (dialects/unknown_content.h).
Outcome<const chat::Request*> carry_foreign_items(const chat::Request& request, const chat::Target& target,
                                                  WriteContext& context);

// A tool that the client declared among the messages.
bool is_in_conversation(const chat::Tool& tool);

}  // namespace llmgw::dialects
