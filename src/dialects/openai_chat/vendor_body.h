// A Chat Completions body that goes to another vendor's copy of the API as it came, but for what that vendor is known
// to refuse: the newer name of max_tokens, another name of the seed, stream_options, the table's refused_members, ids
// of tool calls in another form than its own. What converting does by the same table (chat::Target), this does where
// nothing is converted. Pure; any thread with its own parser.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "chat/target.h"
#include "chat/warning.h"
#include "json/reader.h"

namespace llmgw::dialects::openai_chat {

// Whether the body may hold any of it: a look at its text, for the many that do not.
bool may_need_fitting(std::string_view body, const chat::Target& target);

// The body, or one in the arena; what it lost of its meaning is warned of. A body that is no JSON object stays as it
// is: its provider says so.
std::string_view fit_vendor_body(std::string_view body, const chat::Target& target, json::Parser& parser,
                                 base::Arena& arena, chat::Warnings& warnings);

}  // namespace llmgw::dialects::openai_chat
