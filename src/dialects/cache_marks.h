// Marks of the prompt cache in a body that goes to its provider as it came: what the writers of converted requests do
// for a connection with `auto_cache_system` and `auto_cache_tools`. Pure; any thread with its own parser.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "chat/target.h"
#include "json/reader.h"

namespace llmgw::dialects {

// The body, or one in the arena with the system prompt and the last tool marked as the target's settings ask. `api`:
// whose body it is; others than Anthropic's messages and Bedrock's Converse have no marks. A body in which the client
// marks anything itself stays as it is, and so does one that is no JSON object: its provider says so.
std::string_view add_cache_marks(std::string_view body, chat::Dialect api, const chat::Target& target,
                                 json::Parser& parser, base::Arena& arena);

}  // namespace llmgw::dialects
