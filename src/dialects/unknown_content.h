// What a client says in a way that its own API does not have: a part of an unknown type, or of none, in what the user,
// the system or a tool said. Left out, the model would answer another question. Pure.
#pragma once

#include "chat/request.h"
#include "dialects/codec.h"

namespace llmgw::dialects {

// Refuses the first such part, by its path in the client's request. For targets of another dialect, behind
// carry_foreign_items(); one of the same dialect gets the part as it stood, and its provider says what it thinks of it.
// What models and their providers wrote, and the client only sends back, is none: the writer leaves that out and warns.
Outcome<void> refuse_unknown_content(const chat::Request& request, WriteContext& context);

}  // namespace llmgw::dialects
