#include "dialects/tool_plan.h"

#include <algorithm>
#include <string>

#include "chat/schema.h"
#include "dialects/losses.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects {

using chat::FormatKind;
using chat::Tool;
using chat::ToolChoiceMode;
using chat::ToolKind;

namespace {

bool is_tool_name(std::string_view name, size_t bytes_max) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= bytes_max && std::ranges::all_of(name, allowed);
}

class Planner {
 public:
  Planner(const chat::Request& request, const chat::Target& target, const ToolRules& rules, WriteContext& context)
      : request_(request), target_(target), rules_(rules), context_(context), arena_(context.arena) {}

  Outcome<ToolPlan> run(const chat::Conversation& conversation) {
    TRY_VOID(tools());
    choice();
    TRY_VOID(known_choice());
    format();
    if (!plan_.any() && conversation.has_tool_parts && target_.tools_needed_by_history) history(conversation);
    if (!plan_.any()) plan_.choice = ToolChoiceMode::unset;
    plan_.one_call = plan_.one_call || (request_.parallel_tool_calls == false && plan_.any());
    if (plan_.one_call && !target_.parallel_tool_calls) {
      if (request_.parallel_tool_calls == false) {
        context_.warnings.dropped("parallel_tool_calls", "this model cannot be kept to one tool call");
      }
      plan_.one_call = false;
    }
    return plan_;
  }

 private:
  bool allowed(const Tool& tool) const {
    const auto& names = request_.tool_choice.allowed;
    return names.empty() || std::ranges::find(names, tool.name) != names.end();
  }

  Outcome<void> tools() {
    if (!target_.tools && !request_.tools.empty()) {
      return invalid(arena_, "tools", "This model does not call tools.");
    }
    for (size_t i = 0; i < request_.tools.size(); ++i) {
      const Tool& tool = request_.tools[i];
      if (!allowed(tool)) continue;
      if (tool.kind == ToolKind::opaque) {
        if (tool.origin != rules_.own) {
          context_.warnings.dropped(tool_path(tool, i, arena_), "a tool that only the client's own API runs");
          continue;
        }
      } else if (!is_tool_name(tool.name, rules_.name_bytes_max)) {
        const std::string limit = std::to_string(rules_.name_bytes_max);
        return invalid(
            arena_, tool_name_path(request_, tool, i, arena_),
            "This model takes names of tools of 1 to " + limit + " of the characters a-z, A-Z, 0-9, _ and -.");
      }
      if (tool.kind == ToolKind::custom) {
        context_.warnings.emulated(tool_path(tool, i, arena_), "a free-text tool became a function of one string");
      }
      plan_.tools.push(arena_, &tool);
    }
    if (!request_.tool_choice.allowed.empty()) {
      context_.warnings.emulated("tool_choice", "only the allowed tools were sent");
    }
    return {};
  }

  void choice() {
    const chat::ToolChoice& asked = request_.tool_choice;
    plan_.choice = asked.mode;
    plan_.choice_name = asked.name;
    if (asked.mode == ToolChoiceMode::named && !target_.tool_choice_named && target_.tool_choice_required) {
      plan_.choice = ToolChoiceMode::required;
    }
    const bool forced = plan_.choice == ToolChoiceMode::required || plan_.choice == ToolChoiceMode::named;
    if (forced && (rules_.forcing_impossible || !target_.tool_choice_required || !target_.tool_choice)) {
      plan_.choice = ToolChoiceMode::automatic;
    }
    if (plan_.choice == asked.mode || asked.mode == ToolChoiceMode::unset) return;
    context_.warnings.emulated("tool_choice", "this model cannot be forced to call a tool: it is told to");
    say(asked.mode == ToolChoiceMode::named ? "You must answer by calling the tool \"" + std::string(asked.name) + "\"."
                                            : std::string("You must answer by calling one of the tools."));
  }

  Outcome<void> known_choice() {
    if (plan_.choice != ToolChoiceMode::named) return {};
    for (const Tool* tool : plan_.tools) {
      if (tool->name == plan_.choice_name) return {};
    }
    return invalid(arena_, "tool_choice", "The tool that is to be called is not among the tools.");
  }

  void format() {
    const chat::ResponseFormat& format = request_.format;
    if (format.kind == FormatKind::json_object) {
      context_.warnings.emulated("response_format", "this model has no JSON mode: it is told to answer in JSON");
      say("Answer with one JSON object and nothing else: no code fence, no words around it.");
    }
    if (format.kind != FormatKind::json_schema) return;
    const std::string_view reason = why_not_native();
    plan_.native_schema = reason.empty();
    if (plan_.native_schema) return;
    const bool thinks = rules_.thinks && !target_.forced_tool_while_reasoning;
    const bool by_tool = target_.tools && target_.tool_choice && target_.tool_choice_required && !thinks &&
                         plan_.choice != ToolChoiceMode::named && plan_.choice != ToolChoiceMode::none &&
                         chat::is_object_schema(format.schema, context_.parser, arena_) && !wants_bare_value(request_);
    if (!by_tool) {
      context_.warnings.emulated("response_format", arena_.concat(reason, ": it is told the schema"));
      say(schema_instruction(request_,
                             "Answer with one JSON value and nothing else: no code fence, no words around it. It must "
                             "match this JSON schema: "));
      return;
    }
    context_.warnings.emulated("response_format", arena_.concat(reason, ": it calls a tool instead"));
    plan_.format_tool = name_format_tool(request_, context_);
    plan_.choice = plan_.tools.empty() ? ToolChoiceMode::named : ToolChoiceMode::required;
    plan_.choice_name = plan_.format_tool;
    plan_.one_call = plan_.one_call || plan_.tools.empty();
  }

  // Empty: the schema can go as it is meant.
  std::string_view why_not_native() {
    if (target_.json_schema != chat::JsonSchemaSupport::native) return "this model takes no schema for answers";
    if (wants_bare_value(request_)) return "this model's answers by a schema are JSON";
    const std::string_view part =
        chat::unsayable_part(request_.format.schema, chat::SchemaSubset::anthropic, context_.parser, arena_);
    if (part.empty()) return {};
    const std::string reason =
        "this model's answers by a schema have no maps, free objects or recursion (at " + std::string(part) + ")";
    return arena_.copy(reason);
  }

  // Calls in the conversation need their tools declared, even where none is to be called any more.
  void history(const chat::Conversation& conversation) {
    for (const chat::Turn& turn : conversation.turns) {
      for (const chat::Part& part : turn.parts) {
        if (part.kind != chat::PartKind::tool_call || !is_tool_name(part.name, rules_.name_bytes_max)) continue;
        if (std::ranges::find(plan_.history_names, part.name) != plan_.history_names.end()) continue;
        plan_.history_names.push(arena_, part.name);
      }
    }
    plan_.choice = ToolChoiceMode::none;
  }

  void say(const std::string& sentence) {
    const std::string joined = plan_.instruction.empty() ? sentence : std::string(plan_.instruction) + "\n" + sentence;
    plan_.instruction = arena_.copy(joined);
  }

  const chat::Request& request_;
  const chat::Target& target_;
  const ToolRules& rules_;
  WriteContext& context_;
  base::Arena& arena_;
  ToolPlan plan_;
};

}  // namespace

bool forces_tool(const chat::Request& request) {
  return request.tool_choice.mode == ToolChoiceMode::required || request.tool_choice.mode == ToolChoiceMode::named;
}

bool goes_strict(const chat::Request& request, const chat::Tool& tool, const chat::Target& target,
                 WriteContext& context) {
  const size_t index = static_cast<size_t>(&tool - request.tools.begin());
  if (tool.strict != true || !target.strict_tools || tool.kind != ToolKind::function) {
    warn_not_strict(request, tool, index, "this model has no strict tools", context);
    return false;
  }
  const std::string_view part =
      chat::unsayable_part(tool.schema, chat::SchemaSubset::anthropic, context.parser, context.arena);
  if (part.empty()) return true;
  const std::string reason =
      "this model's strict tools have no maps, free objects or recursion (at " + std::string(part) + ")";
  warn_not_strict(request, tool, index, reason, context);
  return false;
}

Outcome<ToolPlan> plan_tools(const chat::Request& request, const chat::Target& target,
                             const chat::Conversation& conversation, const ToolRules& rules, WriteContext& context) {
  return Planner(request, target, rules, context).run(conversation);
}

}  // namespace llmgw::dialects
