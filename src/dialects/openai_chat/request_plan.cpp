#include <algorithm>
#include <string>

#include "chat/schema.h"
#include "dialects/losses.h"
#include "dialects/openai_chat/message_reader.h"
#include "dialects/openai_chat/request_writer.h"
#include "dialects/openai_chat/words.h"
#include "dialects/request_gates.h"
#include "dialects/server_tools.h"

namespace llmgw::dialects::openai_chat {
namespace {

using chat::FormatKind;
using chat::Tool;
using chat::ToolChoiceMode;
using chat::ToolKind;

bool will_reason(const chat::Request& request, const chat::Target& target) {
  const chat::Reasoning& reasoning = request.reasoning;
  if (target.reasoning == chat::ReasoningStyle::none) return target.reasons_by_default;
  const bool off = reasoning.mode == chat::ReasoningMode::off || reasoning.effort == chat::Effort::none;
  if (off) return !target.reasoning_can_be_off;
  const bool asked = reasoning.mode != chat::ReasoningMode::unset || reasoning.effort != chat::Effort::unset ||
                     reasoning.budget_tokens.value_or(0) != 0;
  return asked || target.reasons_by_default;
}

bool mentions_json(const chat::Request& request) {
  for (const chat::Message& message : request.messages) {
    for (const chat::Part& part : message.parts) {
      for (size_t i = part.text.find_first_of("jJ"); i != std::string_view::npos;
           i = part.text.find_first_of("jJ", i + 1)) {
        const std::string_view at = part.text.substr(i, 4);
        if (at == "json" || at == "JSON" || at == "Json") return true;
      }
    }
  }
  return false;
}

class Planner {
 public:
  Planner(const chat::Request& request, const chat::Target& target, WriteContext& context)
      : request_(request), target_(target), context_(context), arena_(context.arena) {}

  Outcome<Plan> run() {
    plan_.reasoning = will_reason(request_, target_);
    plan_.same_dialect = is_own_dialect(request_.from);
    TRY_VOID(tools());
    TRY_VOID(choice());
    format();
    history();
    if (plan_.tools.empty()) plan_.choice = {};
    return plan_;
  }

 private:
  Outcome<void> tools() {
    const auto mode = request_.tool_choice.mode;
    if (!target_.tools) {
      if (request_.tools.empty() || mode == ToolChoiceMode::none) return {};
      return invalid("this model does not call tools", "tools");
    }
    size_t index = 0;
    for (const Tool& tool : request_.tools) add(tool, index++);
    return {};
  }

  void add(Tool tool, size_t index) {
    const std::string_view field = tool_path(tool, index, arena_);
    if (tool.kind == ToolKind::opaque) {
      if (is_request_member(request_, tool)) return;
      if (plan_.same_dialect && is_own_dialect(tool.origin)) {
        plan_.tools.push(arena_, tool);
      } else {
        context_.warnings.dropped(field, "this provider's API has no such tool");
      }
      return;
    }
    if (tool.kind == ToolKind::custom && !target_.custom_tools) {
      context_.warnings.emulated(field, "sent as a function with one text parameter");
      tool.kind = ToolKind::function;
      tool.schema = custom_tool_schema();
      tool.strict = std::nullopt;
    }
    if (!target_.strict_tools) {
      warn_not_strict(request_, tool, index, "this provider has no strict tools", context_);
      tool.strict = std::nullopt;
    }
    plan_.tools.push(arena_, tool);
  }

  void keep_only(const chat::List<std::string_view>& names) {
    chat::List<Tool> kept;
    for (const Tool& tool : plan_.tools) {
      if (std::ranges::find(names, tool.name) != names.end()) kept.push(arena_, tool);
    }
    plan_.tools = kept;
  }

  Outcome<void> choice() {
    chat::ToolChoice& choice = plan_.choice;
    choice = request_.tool_choice;
    if (!choice.allowed.empty() && !target_.allowed_tools) {
      keep_only(choice.allowed);
      choice.allowed = {};
    }
    if (choice.mode == ToolChoiceMode::none && !target_.tool_choice) {
      plan_.tools = {};
      choice = {};
    }
    const bool forced = choice.mode == ToolChoiceMode::required || choice.mode == ToolChoiceMode::named;
    if (!forced) {
      if (!target_.tool_choice) choice = {};
      return {};
    }
    if (plan_.tools.empty()) return invalid("a tool must be called, but there is none that can be", "tool_choice");
    return force(choice);
  }

  Outcome<void> force(chat::ToolChoice& choice) {
    if (plan_.reasoning && !target_.forced_tool_while_reasoning) {
      context_.warnings.changed("tool_choice", "this model cannot be made to call a tool while it reasons");
      if (choice.mode == ToolChoiceMode::named) only_named(choice.name);
      choice = {.mode = ToolChoiceMode::automatic};
      return {};
    }
    if (choice.mode == ToolChoiceMode::named && !(target_.tool_choice && target_.tool_choice_named)) {
      // The same is meant by: one must be called, and there is only this one.
      only_named(choice.name);
      choice = {.mode = ToolChoiceMode::required};
    }
    if (choice.mode == ToolChoiceMode::required && !(target_.tool_choice && target_.tool_choice_required)) {
      if (target_.tool_choice && target_.tool_choice_named && plan_.tools.size() == 1) {
        choice = {.mode = ToolChoiceMode::named, .name = plan_.tools.front().name};
      } else {
        return invalid("this model cannot be made to call a tool", "tool_choice");
      }
    }
    return {};
  }

  void only_named(std::string_view name) {
    chat::List<std::string_view> names;
    names.push(arena_, name);
    keep_only(names);
  }

  void format() {
    const chat::ResponseFormat& format = request_.format;
    if (format.kind == FormatKind::json_object) return json_object();
    if (format.kind != FormatKind::json_schema) return;
    if (format.schema.empty()) return json_object();
    const bool native = target_.json_schema == chat::JsonSchemaSupport::native;
    if (native && (plan_.same_dialect || takes_answer_schema(request_, target_, context_))) {
      plan_.format = FormatPlan::json_schema;
      return;
    }
    context_.warnings.emulated("response_format", native
                                                      ? "this model takes schemas of objects only: it is told this one"
                                                      : "this model takes no JSON schema for its answer");
    const bool object = chat::is_object_schema(format.schema, context_.parser, arena_) && !wants_bare_value(request_);
    const bool can_force = target_.tools && target_.tool_choice && target_.tool_choice_named &&
                           (!plan_.reasoning || target_.forced_tool_while_reasoning);
    if (!target_.json_object && can_force && object && plan_.tools.empty()) {
      plan_.format = FormatPlan::tool;
      const std::string_view name = name_format_tool(request_, context_);
      plan_.tools.push(
          arena_, {.name = name, .description = "Gives the answer. Call it exactly once.", .schema = format.schema});
      plan_.choice = {.mode = ToolChoiceMode::named, .name = name};
      return;
    }
    // JSON mode gives objects only.
    plan_.format = target_.json_object && object ? FormatPlan::json_object : FormatPlan::none;
    plan_.instruction = arena_.copy(schema_instruction(
        request_, "Answer with one JSON value that fits this JSON schema, and with nothing else:\n"));
  }

  void json_object() {
    constexpr std::string_view kInstruction = "Answer with one JSON object and with nothing else.";
    if (target_.json_object) {
      plan_.format = FormatPlan::json_object;
      // OpenAI refuses the mode where no message speaks of JSON.
      if (!plan_.same_dialect && !mentions_json(request_)) plan_.instruction = kInstruction;
      return;
    }
    context_.warnings.emulated("response_format", "this model has no JSON mode: it is told to answer in JSON");
    plan_.instruction = kInstruction;
  }

  // Some hosts refuse a history with calls of tools that are not declared.
  void history() {
    if (!target_.tools_needed_by_history || !plan_.tools.empty()) return;
    for (const chat::Message& message : request_.messages) {
      for (const chat::Part& part : message.parts) {
        if (part.kind != chat::PartKind::tool_call || declared(part.name)) continue;
        plan_.tools.push(arena_, {.name = part.name, .description = "A tool of earlier turns."});
      }
    }
    if (!plan_.tools.empty() && target_.tool_choice) plan_.choice = {.mode = ToolChoiceMode::none};
  }

  bool declared(std::string_view name) const {
    return std::ranges::any_of(plan_.tools, [&](const Tool& tool) { return tool.name == name; });
  }

  const chat::Request& request_;
  const chat::Target& target_;
  WriteContext& context_;
  base::Arena& arena_;
  Plan plan_;
};

}  // namespace

bool is_own_dialect(chat::Dialect dialect) {
  return dialect == chat::Dialect::openai_chat || dialect == chat::Dialect::azure;
}

Outcome<Plan> make_plan(const chat::Request& request, const chat::Target& target, WriteContext& context) {
  return Planner(request, target, context).run();
}

}  // namespace llmgw::dialects::openai_chat
