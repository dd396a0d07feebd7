// Which of a request's tools are sent and what is said about calling them, for targets in the manner of Anthropic and
// Bedrock; and what has to be said in words where the target takes less. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "chat/request.h"
#include "chat/target.h"
#include "chat/turns.h"
#include "dialects/codec.h"

namespace llmgw::dialects {

struct ToolPlan {
  chat::List<const chat::Tool*> tools = {};         // the client's, those it allows
  chat::List<std::string_view> history_names = {};  // declared only because the conversation calls them
  bool native_schema = false;                       // the answer's JSON schema goes as such
  std::string_view format_tool = {};                // what stands in for a JSON schema; empty: nothing
  chat::ToolChoiceMode choice = chat::ToolChoiceMode::unset;
  std::string_view choice_name = {};
  bool one_call = false;              // no parallel calls
  std::string_view instruction = {};  // for the system prompt: what could not be said otherwise

  bool any() const { return !tools.empty() || !history_names.empty() || !format_tool.empty(); }
};

struct ToolRules {
  chat::Dialect own = chat::Dialect::anthropic;  // whose server tools are sent as they are
  size_t name_bytes_max = 64;                    // of [A-Za-z0-9_-]
  bool thinks = false;                           // the model will reason in this call
  bool forcing_impossible = false;               // and cannot be forced to call a tool because of that
};

// True if the request wants a tool called, whatever the model would rather do.
bool forces_tool(const chat::Request& request);

// Whether the tool's schema is sent as strict. Claude's strict tools take what its answers by a schema take: one that
// asks for more stays as it is, not strict. Says so where the client wanted it strict.
bool goes_strict(const chat::Request& request, const chat::Tool& tool, const chat::Target& target,
                 WriteContext& context);

Outcome<ToolPlan> plan_tools(const chat::Request& request, const chat::Target& target,
                             const chat::Conversation& conversation, const ToolRules& rules, WriteContext& context);

// What the tool that stands for a JSON answer says of itself.
inline constexpr std::string_view kFormatToolDescription =
    "Call this with the answer. Its arguments are the whole answer.";

}  // namespace llmgw::dialects
