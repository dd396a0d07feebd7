// Tools and tool_choice as Anthropic takes them, and what has to be said in words where the target takes less. One
// thread.
#pragma once

#include <string_view>

#include "chat/request.h"
#include "chat/target.h"
#include "chat/turns.h"
#include "dialects/anthropic/block_writer.h"
#include "dialects/claude_reasoning.h"
#include "dialects/codec.h"
#include "json/writer.h"

namespace llmgw::dialects::anthropic {

struct ToolPlan {
  chat::List<const chat::Tool*> tools = {};         // the client's, those it allows
  chat::List<std::string_view> history_names = {};  // declared only because the conversation calls them
  bool format_tool = false;                         // json_answer stands in for a JSON schema
  chat::ToolChoiceMode choice = chat::ToolChoiceMode::unset;
  std::string_view choice_name = {};
  bool one_call = false;              // disable_parallel_tool_use
  std::string_view instruction = {};  // for the system prompt: what could not be said otherwise

  bool any() const { return !tools.empty() || !history_names.empty() || format_tool; }
};

// True if the request wants a tool called, whatever the model would rather do.
bool forces_tool(const chat::Request& request);

Outcome<ToolPlan> plan_tools(const chat::Request& request, const chat::Target& target,
                             const chat::Conversation& conversation, const ClaudeReasoning& reasoning,
                             WriteContext& context);

// The members tools and tool_choice, if any. `last_mark` goes on the last tool.
void write_tools(json::Writer& writer, const chat::Request& request, const chat::Target& target, const ToolPlan& plan,
                 CacheMarks& marks, chat::CacheMark last_mark, WriteContext& context);

}  // namespace llmgw::dialects::anthropic
