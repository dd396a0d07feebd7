// Tools and tool_choice as Anthropic takes them. One thread.
#pragma once

#include "chat/request.h"
#include "chat/target.h"
#include "dialects/anthropic/block_writer.h"
#include "dialects/codec.h"
#include "dialects/tool_plan.h"
#include "json/writer.h"

namespace llmgw::dialects::anthropic {

// Anthropic's bound on the name of a tool.
inline constexpr size_t kToolNameBytesMax = 128;

// The members tools and tool_choice, if any. `last_mark` goes on the last tool.
void write_tools(json::Writer& writer, const chat::Request& request, const chat::Target& target, const ToolPlan& plan,
                 CacheMarks& marks, chat::CacheMark last_mark, WriteContext& context);

}  // namespace llmgw::dialects::anthropic
