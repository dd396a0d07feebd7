// Messages of requests. Internal to the folder.
#pragma once

#include <string>

#include "chat/target.h"
#include "chat/turns.h"
#include "dialects/codec.h"
#include "json/writer.h"

namespace llmgw::dialects::cohere {

// The list of messages, with `instruction` as one more system message where there is one. Documents to be cited are not
// messages here: they are returned, as elements of `documents`.
Outcome<std::string> write_turns(json::Writer& w, const chat::Request& request, const chat::Target& target,
                                 const chat::Conversation& conversation, std::string_view instruction,
                                 WriteContext& context);

}  // namespace llmgw::dialects::cohere
