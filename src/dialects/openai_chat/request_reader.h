// Parts of the request reader. Internal to the folder.
#pragma once

#include "chat/request.h"
#include "dialects/codec.h"
#include "json/tree.h"

namespace llmgw::dialects::openai_chat {

// `messages`, into request.messages.
Outcome<void> read_messages(json::Value messages, const ReadContext& context, chat::Request& request);
// `tools`, `functions`, `tool_choice`, `function_call`, `response_format`.
Outcome<void> read_tools(json::Value tools, const ReadContext& context, chat::Request& request);
Outcome<void> read_functions(json::Value functions, const ReadContext& context, chat::Request& request);
Outcome<void> read_tool_choice(json::Value choice, const ReadContext& context, chat::Request& request);
Outcome<void> read_function_choice(json::Value choice, const ReadContext& context, chat::Request& request);
Outcome<void> read_response_format(json::Value format, const ReadContext& context, chat::Request& request);

}  // namespace llmgw::dialects::openai_chat
