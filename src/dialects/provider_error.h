// What readers of providers' errors share. Pure; any thread.
#pragma once

#include <string_view>

#include "chat/error.h"

namespace llmgw::dialects {

// What a status says where the body says nothing.
chat::ErrorKind kind_of_status(int status);

// What a refusal is, by its status and what its body was read as: 529 means overload at whoever sends it, though the
// dialect of the body has only a general word for it (Google's UNKNOWN, OpenAI's server_error).
chat::ErrorKind firm_kind(int status, chat::ErrorKind read);

// Whether a client may see the provider's status for that kind: another one would mean something else to its SDK (400
// for a model that does not exist, as the Responses API has it).
bool status_says(int status, chat::ErrorKind kind);

// What can be shown of a body that is no JSON: its beginning, or a sentence about it. A view of the body or static.
std::string_view plain_message(std::string_view body);

// "prompt is too long: 3333404 tokens > 200000 maximum", and how other hosts of the same models say it.
bool says_prompt_too_long(std::string_view message);

}  // namespace llmgw::dialects
