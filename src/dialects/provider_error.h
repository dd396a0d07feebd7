// What readers of providers' errors share. Pure; any thread.
#pragma once

#include <cstdint>
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

// What the request itself is at fault for: every instance would say the same of it, and none is sick for having said
// so.
bool is_callers_fault(chat::ErrorKind kind);

// What can be shown of a body that is no JSON: its beginning, or a sentence about it. A view of the body or static.
std::string_view plain_message(std::string_view body);

// What of a refusal is the model's own, so that another one may take the same request.
enum class Unfit : uint8_t {
  no,
  too_long,  // the prompt does not fit into its context
  filtered,  // a filter of the provider's refused the prompt
};

// The codes with which an error says so, whoever it came from.
inline constexpr std::string_view kContextLengthExceeded = "context_length_exceeded";
inline constexpr std::string_view kContentFilter = "content_filter";

// Whether the message says that the prompt is too long, in the words of any provider or engine: few have a code for it.
bool says_prompt_too_long(std::string_view message);

// What every reader of errors ends with: gives the error its code by what its message says. `type` is the error's, in
// dialects whose errors have one. A code of the provider's own that says the same as clearly stays.
void name_unfit(chat::ClientError& error, std::string_view type = {});

// Of an error that a reader has read.
Unfit unfit(const chat::ClientError& error);

}  // namespace llmgw::dialects
