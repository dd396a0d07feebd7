#include "dialects/anthropic/tool_writer.h"

#include <algorithm>
#include <string>

#include "chat/schema.h"
#include "dialects/request_gates.h"
#include "json/tree.h"

namespace llmgw::dialects::anthropic {

using chat::FormatKind;
using chat::Tool;
using chat::ToolChoiceMode;
using chat::ToolKind;

namespace {

constexpr size_t kToolNameBytesMax = 128;

bool is_tool_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kToolNameBytesMax && std::ranges::all_of(name, allowed);
}

class Planner {
 public:
  Planner(const chat::Request& request, const chat::Target& target, WriteContext& context)
      : request_(request), target_(target), context_(context), arena_(context.arena) {}

  Outcome<ToolPlan> run(const chat::Conversation& conversation, const ClaudeReasoning& reasoning) {
    TRY_VOID(tools());
    choice(reasoning.forced_tool_impossible);
    TRY_VOID(known_choice());
    format(reasoning);
    if (!plan_.any() && conversation.has_tool_parts && target_.tools_needed_by_history) history(conversation);
    if (!plan_.any()) plan_.choice = ToolChoiceMode::unset;
    plan_.one_call = plan_.one_call || (request_.parallel_tool_calls == false && plan_.any());
    if (plan_.one_call && !target_.parallel_tool_calls) {
      context_.warnings.dropped("parallel_tool_calls", "this model cannot be kept to one tool call");
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
        if (tool.origin != chat::Dialect::anthropic) {
          context_.warnings.dropped(indexed("tools", i, "", arena_), "a tool that only the client's own API runs");
          continue;
        }
      } else if (!is_tool_name(tool.name)) {
        return invalid(arena_, indexed("tools", i, ".name", arena_),
                       "This model takes names of tools of 1 to 128 of the characters a-z, A-Z, 0-9, _ and -.");
      }
      if (tool.kind == ToolKind::custom) {
        context_.warnings.emulated(indexed("tools", i, "", arena_), "a free-text tool became a function of one string");
      }
      plan_.tools.push(arena_, &tool);
    }
    if (!request_.tool_choice.allowed.empty()) {
      context_.warnings.emulated("tool_choice", "only the allowed tools were sent");
    }
    return {};
  }

  void choice(bool forcing_impossible) {
    const chat::ToolChoice& asked = request_.tool_choice;
    plan_.choice = asked.mode;
    plan_.choice_name = asked.name;
    if (asked.mode == ToolChoiceMode::named && !target_.tool_choice_named && target_.tool_choice_required) {
      plan_.choice = ToolChoiceMode::required;
    }
    const bool forced = plan_.choice == ToolChoiceMode::required || plan_.choice == ToolChoiceMode::named;
    if (forced && (forcing_impossible || !target_.tool_choice_required || !target_.tool_choice)) {
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

  void format(const ClaudeReasoning& reasoning) {
    const chat::ResponseFormat& format = request_.format;
    if (format.kind == FormatKind::json_object) {
      context_.warnings.emulated("response_format", "this model has no JSON mode: it is told to answer in JSON");
      say("Answer with one JSON object and nothing else: no code fence, no words around it.");
    }
    if (format.kind != FormatKind::json_schema || target_.json_schema == chat::JsonSchemaSupport::native) return;
    const bool thinks = reasoning.active() && !target_.forced_tool_while_reasoning;
    const bool by_tool = target_.tools && target_.tool_choice && target_.tool_choice_required && !thinks &&
                         plan_.choice != ToolChoiceMode::named && plan_.choice != ToolChoiceMode::none;
    if (!by_tool) {
      context_.warnings.emulated("response_format", "this model takes no schema for answers: it is told the schema");
      say("Answer with one JSON value and nothing else: no code fence, no words around it. It must match this JSON "
          "schema: " +
          std::string(format.schema));
      return;
    }
    context_.warnings.emulated("response_format", "this model takes no schema for answers: it calls a tool instead");
    plan_.format_tool = true;
    plan_.choice = plan_.tools.empty() ? ToolChoiceMode::named : ToolChoiceMode::required;
    plan_.choice_name = chat::kFormatToolName;
    plan_.one_call = plan_.one_call || plan_.tools.empty();
  }

  // Calls in the conversation need their tools declared, even where none is to be called any more.
  void history(const chat::Conversation& conversation) {
    for (const chat::Turn& turn : conversation.turns) {
      for (const chat::Part& part : turn.parts) {
        if (part.kind != chat::PartKind::tool_call || !is_tool_name(part.name)) continue;
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
  WriteContext& context_;
  base::Arena& arena_;
  ToolPlan plan_;
};

// Members the neutral tool has no place for, as the client wrote them: defer_loading, input_examples, ...
void write_unmodelled(json::Writer& writer, std::string_view raw, WriteContext& context) {
  const auto root = json::parse_tree(context.parser, raw, context.arena);
  if (!root) return;
  for (const json::Member member : root->members()) {
    bool modelled = member.value.is_null();
    for (const std::string_view name : {"type", "name", "description", "input_schema", "strict", "cache_control"}) {
      modelled = modelled || member.is(name);
    }
    if (!modelled) writer.raw_member(member.key(context.arena), member.value.raw());
  }
}

void write_function(json::Writer& writer, const Tool& tool, const chat::Target& target, std::string_view path,
                    WriteContext& context) {
  writer.member("name", tool.name);
  if (!tool.description.empty()) writer.member("description", tool.description);
  const bool strict = tool.strict == true && target.strict_tools && tool.kind == ToolKind::function;
  if (tool.strict == true && !strict) {
    context.warnings.dropped(context.arena.concat(path, ".strict"), "this model has no strict tools");
  }
  std::string_view schema =
      tool.kind == ToolKind::custom ? custom_tool_schema() : object_schema(tool.schema, context.parser, context.arena);
  const chat::SchemaSubset subset = strict ? chat::SchemaSubset::anthropic : target.tool_schema;
  if (subset != chat::SchemaSubset::any) {
    schema = chat::convert_schema(schema, subset, context.arena.concat(path, ".parameters"), context.parser,
                                  context.arena, context.warnings);
  }
  writer.raw_member("input_schema", schema);
  if (strict) writer.member("strict", true);
  if (tool.origin == chat::Dialect::anthropic && !tool.raw.empty()) write_unmodelled(writer, tool.raw, context);
}

void write_choice(json::Writer& writer, const ToolPlan& plan) {
  const bool materialise = plan.choice == ToolChoiceMode::unset && plan.one_call;
  if (plan.choice == ToolChoiceMode::unset && !materialise) return;
  writer.key("tool_choice").begin_object();
  switch (plan.choice) {
    case ToolChoiceMode::none: writer.member("type", "none"); break;
    case ToolChoiceMode::required: writer.member("type", "any"); break;
    case ToolChoiceMode::named: writer.member("type", "tool").member("name", plan.choice_name); break;
    case ToolChoiceMode::automatic:
    case ToolChoiceMode::unset: writer.member("type", "auto"); break;
  }
  if (plan.one_call && plan.choice != ToolChoiceMode::none) writer.member("disable_parallel_tool_use", true);
  writer.end_object();
}

}  // namespace

bool forces_tool(const chat::Request& request) {
  return request.tool_choice.mode == ToolChoiceMode::required || request.tool_choice.mode == ToolChoiceMode::named;
}

Outcome<ToolPlan> plan_tools(const chat::Request& request, const chat::Target& target,
                             const chat::Conversation& conversation, const ClaudeReasoning& reasoning,
                             WriteContext& context) {
  return Planner(request, target, context).run(conversation, reasoning);
}

void write_tools(json::Writer& writer, const chat::Request& request, const chat::Target& target, const ToolPlan& plan,
                 CacheMarks& marks, chat::CacheMark last_mark, WriteContext& context) {
  if (!plan.any()) return;
  writer.key("tools").begin_array();
  for (const Tool* tool : plan.tools) {
    if (tool->kind == ToolKind::opaque) {
      writer.raw(tool->raw);
      continue;
    }
    const size_t index = static_cast<size_t>(tool - request.tools.begin());
    writer.begin_object();
    write_function(writer, *tool, target, indexed("tools", index, "", context.arena), context);
    const bool last = tool == plan.tools.back() && !plan.format_tool;
    const chat::CacheMark mark = last && tool->cache == chat::CacheMark::none ? last_mark : tool->cache;
    if (marks.enabled && mark != chat::CacheMark::none) write_cache_mark(writer, mark);
    writer.end_object();
  }
  for (const std::string_view name : plan.history_names) {
    writer.begin_object()
        .member("name", name)
        .raw_member("input_schema", object_schema({}, context.parser, context.arena));
    writer.end_object();
  }
  if (plan.format_tool) {
    writer.begin_object()
        .member("name", chat::kFormatToolName)
        .member("description", "Call this with the answer. Its arguments are the whole answer.")
        .raw_member("input_schema", object_schema(request.format.schema, context.parser, context.arena))
        .end_object();
  }
  writer.end_array();
  write_choice(writer, plan);
}

}  // namespace llmgw::dialects::anthropic
