// Marks of the prompt cache in a body that goes to its provider as it came: what the writers of converted requests do
// for a connection with `auto_cache_system` and `auto_cache_tools`, and with a client's own marks where the model takes
// none. Pure; any thread with its own parser.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "chat/target.h"
#include "chat/warning.h"
#include "json/reader.h"

namespace llmgw::dialects {

// The body, or one in the arena with the system prompt and the last tool marked as the target's settings ask. `api`:
// whose body it is; others than Anthropic's messages and Bedrock's Converse have no marks. A body in which the client
// marks anything itself stays as it is, and so does one that is no JSON object: its provider says so.
std::string_view add_cache_marks(std::string_view body, chat::Dialect api, const chat::Target& target,
                                 json::Parser& parser, base::Arena& arena);

// Why a mark is left out of a request to a model that takes others: every way says so in these words.
inline constexpr std::string_view kNoMarksThere = "this model's API has no cache marks there";

// Whether the client marks anything itself, told by the body's bytes alone.
bool may_have_cache_marks(std::string_view body, chat::Dialect api);

// The body, or one in the arena without the client's marks that the model answers with an error: Nova those among the
// tools. Warns of them.
std::string_view drop_cache_marks(std::string_view body, chat::Dialect api, const chat::Target& target,
                                  json::Parser& parser, base::Arena& arena, chat::Warnings& warnings);

}  // namespace llmgw::dialects
