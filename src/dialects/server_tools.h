// Tools that a provider runs itself. Each API has its own; a search of the web is the one that several have, so it goes
// over in the target's words. Pure.
#pragma once

#include <optional>

#include "chat/request.h"
#include "chat/target.h"
#include "dialects/codec.h"

namespace llmgw::dialects {

// The request with the target's own tools in the place of another provider's, and with what else only the client's API
// understands in everybody's words (dialects/foreign_items.h): `request` itself if there is nothing to do, else a copy
// in `storage` or the arena. Warns of what the target has no place for. Errors: a tool that is not there has to be
// called.
Outcome<const chat::Request*> with_own_server_tools(const chat::Request& request, const chat::Target& target,
                                                    WriteContext& context, std::optional<chat::Request>& storage);

// Chat Completions have no tool for a search but a member of the request: what with_own_server_tools() makes of one
// there is to be written as that, by the tool's name.
bool is_request_member(const chat::Request& request, const chat::Tool& tool);

}  // namespace llmgw::dialects
