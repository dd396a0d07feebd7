// Errors of OpenAI and of all who say they speak its formats. Seen in the wild: {"error":{"message","type","param",
// "code"}} with any of them missing or a number for a code (OpenAI, Azure, Groq, OpenRouter), {"error":"text","code"}
// (xAI), the members at the top (Mistral, Azure's API management), {"detail":"text"} or a list of field errors
// (FastAPI), {"errors":[...]} (Cloudflare), a list with one error (Google), HTML, plain text, nothing. Pure; any
// thread.
#pragma once

#include <string_view>

#include "dialects/codec.h"
#include "json/tree.h"

namespace llmgw::dialects::openai {

// The body of an answer with an error status. Texts are in the arena.
chat::ClientError read_error(int status, std::string_view body, std::string_view error_type,
                             const ReadContext& context);

// What stands at a member "error" (an object or a text), inside an event or a body of status 200. `around` is the
// object that holds it. `status` stays unset where the error does not say one.
chat::ClientError read_error_value(json::Value error, json::Value around, base::Arena& arena);

// True if the value is an error: an object with members, or a text.
bool is_error_value(json::Value value);

// What an event or a body of status 200 has as its error, for read_error_value(): its member "error", or all of it
// where it says that it is one, as older vLLMs do ({"object":"error","message","type":"BadRequestError","code":400}).
// Absent: it is none.
json::Value error_in(json::Value object);

}  // namespace llmgw::dialects::openai
