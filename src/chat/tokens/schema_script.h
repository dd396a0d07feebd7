// Tools and schemas as OpenAI's models see them: functions as TypeScript types, a format as bare JSON. The shape is
// gpt-oss' ("OpenAI harmony response format", Function Calling and Structured output); with OpenAI's own vocabulary it
// gives exactly the tokens that its newer models reported for recorded requests. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "chat/list.h"
#include "chat/request.h"

namespace llmgw::chat {

// All that are functions.
std::string tools_script(const List<Tool>& tools);
std::string format_script(std::string_view name, std::string_view schema);

}  // namespace llmgw::chat
