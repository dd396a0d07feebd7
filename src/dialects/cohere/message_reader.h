// Messages of requests. Internal to the folder.
#pragma once

#include <string_view>

#include "chat/request.h"
#include "dialects/codec.h"
#include "json/tree.h"

namespace llmgw::dialects::cohere {

// `cited`: the client wants to know what was taken from documents.
Outcome<void> read_messages(json::Value messages, bool cited, const ReadContext& context, chat::Request& request);

// The request's `documents`, put in front of what the user said last: where other dialects have documents.
void read_documents(json::Value documents, bool cited, const ReadContext& context, chat::Request& request);

// One tool call of a message or an answer; false if it has no name.
bool read_tool_call(json::Value call, const ReadContext& context, chat::Part& part);
// The parts of an assistant's message: content, plan, citations, calls. All that can be understood, and the first error
// of what cannot. `field` is the message's path.
Outcome<void> read_assistant(json::Value message, std::string_view field, const ReadContext& context,
                             chat::List<chat::Part>& parts);

std::unexpected<chat::ClientError> wrong(std::string_view message, std::string_view param);

}  // namespace llmgw::dialects::cohere
