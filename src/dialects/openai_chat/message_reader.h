// What a message holds, the same in requests and answers: content, reasoning, tool calls. Pure; one thread.
#pragma once

#include <string_view>

#include "chat/message.h"
#include "dialects/codec.h"
#include "json/tree.h"

namespace llmgw::dialects::openai_chat {

// Reasoning of a message: `reasoning_content` or `reasoning` is its text; `reasoning_details` (OpenRouter's shape,
// which this gateway writes too) has signatures with the text they sign; `thinking_blocks` is LiteLLM's shape of it.
struct Reasoning {
  chat::List<chat::Part> parts = {};                 // thinking
  const chat::Signature* on_text = nullptr;          // signs the message's text, not reasoning
  chat::List<const chat::Signature*> on_empty = {};  // each on an empty text part behind the text
};
Reasoning read_reasoning(json::Value message, const ReadContext& context);

// A signature as it stands in an entry of `reasoning_details`, or in Google's extra_content; null if there is none.
const chat::Signature* read_signature(json::Value text, std::string_view id, const ReadContext& context,
                                      chat::Minter native);
// extra_content.google.thought_signature of a tool call or a message.
const chat::Signature* read_thought_signature(json::Value holder, const ReadContext& context);

// `content`: a text, null, or a list of parts, appended to `parts`. `field` is its path, for errors.
Outcome<void> read_content(json::Value content, std::string_view field, const ReadContext& context,
                           chat::List<chat::Part>& parts);

// One element of tool_calls. Nothing (false) for the zero-filled structs some vendors send.
bool read_tool_call(json::Value call, const ReadContext& context, chat::Part& part);
// The text of `arguments`: a text, or what some vendors send instead, the object itself.
std::string_view read_arguments(json::Value arguments, base::Arena& arena);

chat::CacheMark read_cache_mark(json::Value holder);

std::unexpected<chat::ClientError> invalid(std::string_view message, std::string_view param);

}  // namespace llmgw::dialects::openai_chat
