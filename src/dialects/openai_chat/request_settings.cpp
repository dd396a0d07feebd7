#include <algorithm>

#include "chat/schema.h"
#include "dialects/losses.h"
#include "dialects/openai_chat/request_writer.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::openai_chat {
namespace {

using chat::Effort;
using chat::ReasoningMode;
using chat::SchemaSubset;
using chat::Tool;
using chat::ToolChoiceMode;
using chat::ToolKind;

constexpr size_t kNameBytesMax = 64;

// response_format.json_schema.name: [A-Za-z0-9_-]{1,64}.
std::string_view format_name(std::string_view name, base::Arena& arena) {
  if (name.empty()) return "response";
  std::string text(name.substr(0, kNameBytesMax));
  for (char& c : text) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!fits) c = c == '-' ? '-' : '_';
  }
  return arena.copy(text);
}

void write_function(json::Writer& w, const Tool& tool, const chat::Target& target, bool same_dialect,
                    std::string_view field, WriteContext& context) {
  std::string_view schema = tool.schema;
  std::optional<bool> strict = tool.strict;
  if (!schema.empty() || !same_dialect) schema = object_schema(schema, context.parser, context.arena);
  const bool subset_always =
      target.tool_schema != SchemaSubset::any && target.tool_schema != SchemaSubset::openai_strict;
  if (!schema.empty() && subset_always) {
    schema = chat::convert_schema(schema, target.tool_schema, field, context.parser, context.arena, context.warnings);
  } else if (!schema.empty() && strict == true && !same_dialect) {
    strict = chat::fit_strict(schema, field, context.parser, context.arena, context.warnings);
  }
  w.begin_object().member("type", "function").key("function").begin_object().member("name", tool.name);
  if (!tool.description.empty()) w.member("description", tool.description);
  if (!schema.empty()) w.raw_member("parameters", schema);
  if (strict) w.member("strict", *strict);
  w.end_object();
  if (target.cache_marks && tool.cache != chat::CacheMark::none) {
    w.key("cache_control").begin_object().member("type", "ephemeral").end_object();
  }
  w.end_object();
}

void write_custom(json::Writer& w, const Tool& tool) {
  w.begin_object().member("type", "custom").key("custom").begin_object().member("name", tool.name);
  if (!tool.description.empty()) w.member("description", tool.description);
  if (!tool.schema.empty()) w.raw_member("format", tool.schema);
  w.end_object().end_object();
}

ToolKind kind_of(const Plan& plan, std::string_view name) {
  for (const Tool& tool : plan.tools) {
    if (tool.name == name) return tool.kind;
  }
  return ToolKind::function;
}

void write_tool_name(json::Writer& w, const Plan& plan, std::string_view name) {
  const std::string_view kind = kind_of(plan, name) == ToolKind::custom ? "custom" : "function";
  w.begin_object().member("type", kind).key(kind).begin_object().member("name", name).end_object().end_object();
}

std::string_view mode_word(ToolChoiceMode mode) {
  if (mode == ToolChoiceMode::none) return "none";
  return mode == ToolChoiceMode::required ? "required" : "auto";
}

void write_choice(json::Writer& w, const Plan& plan) {
  const chat::ToolChoice& choice = plan.choice;
  if (choice.mode == ToolChoiceMode::unset) return;
  w.key("tool_choice");
  if (choice.mode == ToolChoiceMode::named) {
    write_tool_name(w, plan, choice.name);
  } else if (choice.allowed.empty()) {
    w.value(mode_word(choice.mode));
  } else {
    w.begin_object().member("type", "allowed_tools").key("allowed_tools").begin_object();
    w.member("mode", mode_word(choice.mode)).key("tools").begin_array();
    for (const std::string_view name : choice.allowed) write_tool_name(w, plan, name);
    w.end_array().end_object().end_object();
  }
}

void write_effort(json::Writer& w, const chat::Request& request, const chat::Target& target, WriteContext& context) {
  const chat::Reasoning& reasoning = request.reasoning;
  Effort effort = reasoning.effort;
  if (reasoning.mode == ReasoningMode::off || effort == Effort::none) {
    if (target.effort_none) {
      w.member("reasoning_effort", "none");
    } else if (target.reasons_by_default) {
      context.warnings.changed("reasoning_effort", "this model always reasons: sent with the least effort");
      w.member("reasoning_effort", to_string(target.effort_min));
    }
    return;
  }
  effort = asked_effort(request, context);
  const bool asked = reasoning.mode != ReasoningMode::unset;
  if (effort == Effort::unset && asked && !target.reasons_by_default) effort = Effort::medium;
  if (effort == Effort::unset) return;
  const Effort sent = std::clamp(effort, target.effort_min, std::max(target.effort_min, target.effort_max));
  if (sent != effort) context.warnings.changed("reasoning_effort", "this model knows no such effort: sent the nearest");
  w.member("reasoning_effort", to_string(sent));
}

bool has_extra(const chat::Request& request, std::string_view name) {
  return std::ranges::any_of(request.extras, [&](const chat::Extra& extra) { return extra.name == name; });
}

}  // namespace

void write_tools(json::Writer& w, const chat::Request& request, const chat::Target& target, const Plan& plan,
                 WriteContext& context) {
  if (plan.tools.empty()) return;
  w.key("tools").begin_array();
  size_t index = 0;
  for (const Tool& tool : plan.tools) {
    const std::string_view schema = schema_path(request, tool, index++, context.arena);
    if (tool.kind == ToolKind::opaque) {
      w.raw(tool.raw);
    } else if (tool.kind == ToolKind::custom) {
      write_custom(w, tool);
    } else {
      write_function(w, tool, target, plan.same_dialect, schema, context);
    }
  }
  w.end_array();
  write_choice(w, plan);
  if (!request.parallel_tool_calls) return;
  if (target.parallel_tool_calls) {
    w.member("parallel_tool_calls", *request.parallel_tool_calls);
  } else if (!*request.parallel_tool_calls) {
    context.warnings.dropped("parallel_tool_calls", "this model cannot be kept to one tool call");
  }
}

void write_format(json::Writer& w, const chat::Request& request, const chat::Target& target, const Plan& plan,
                  WriteContext& context) {
  const chat::ResponseFormat& format = request.format;
  if (plan.format == FormatPlan::json_object) {
    w.key("response_format").begin_object().member("type", "json_object").end_object();
    return;
  }
  if (plan.format != FormatPlan::json_schema) {
    if (format.kind == chat::FormatKind::text && plan.same_dialect) {
      w.key("response_format").begin_object().member("type", "text").end_object();
    }
    return;
  }
  std::string_view schema = format.schema;
  std::optional<bool> strict = format.strict;
  // Other dialects promise a fitting answer without asking for it.
  const bool may_ask = is_own_dialect(request.from) || request.from == chat::Dialect::openai_responses;
  if (!strict && !may_ask) strict = true;
  if (strict == true && target.output_schema == SchemaSubset::openai_strict && !plan.same_dialect) {
    strict = chat::fit_strict(schema, "response_format", context.parser, context.arena, context.warnings);
  } else if (strict == true && target.output_schema != SchemaSubset::any &&
             target.output_schema != SchemaSubset::openai_strict) {
    schema = chat::convert_schema(schema, target.output_schema, "response_format", context.parser, context.arena,
                                  context.warnings);
  }
  w.key("response_format").begin_object().member("type", "json_schema").key("json_schema").begin_object();
  w.member("name", format_name(format.name, context.arena));
  if (!format.description.empty()) w.member("description", format.description);
  w.raw_member("schema", schema);
  if (strict) w.member("strict", *strict);
  w.end_object().end_object();
}

void write_reasoning(json::Writer& w, const chat::Request& request, const chat::Target& target, WriteContext& context) {
  const chat::Reasoning& reasoning = request.reasoning;
  const bool off = reasoning.mode == ReasoningMode::off || reasoning.effort == Effort::none;
  const bool asked = reasoning.mode != ReasoningMode::unset || reasoning.effort != Effort::unset ||
                     reasoning.budget_tokens.has_value();
  switch (target.reasoning) {
    case chat::ReasoningStyle::effort: return write_effort(w, request, target, context);
    case chat::ReasoningStyle::enable_thinking:
      if (!asked || (is_own_dialect(request.from) && has_extra(request, "chat_template_kwargs"))) return;
      w.key("chat_template_kwargs").begin_object().member("enable_thinking", !off).end_object();
      return;
    case chat::ReasoningStyle::anthropic_budget:
    case chat::ReasoningStyle::anthropic_adaptive:
      if (!asked) return;
      w.key("thinking").begin_object().member("type", off ? "disabled" : "enabled");
      if (!off && target.reasoning == chat::ReasoningStyle::anthropic_budget &&
          reasoning.budget_tokens.value_or(0) > 0) {
        w.member("budget_tokens", *reasoning.budget_tokens);
      }
      w.end_object();
      return;
    default:
      if (asked && !off) context.warnings.dropped("reasoning_effort", "this model cannot be told how to reason");
  }
}

}  // namespace llmgw::dialects::openai_chat
