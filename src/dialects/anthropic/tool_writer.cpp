#include "dialects/anthropic/tool_writer.h"

#include "chat/schema.h"
#include "dialects/losses.h"
#include "dialects/request_gates.h"
#include "json/tree.h"

namespace llmgw::dialects::anthropic {

using chat::Tool;
using chat::ToolChoiceMode;
using chat::ToolKind;

namespace {

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

void write_function(json::Writer& writer, const chat::Request& request, const Tool& tool, const chat::Target& target,
                    WriteContext& context) {
  const size_t index = static_cast<size_t>(&tool - request.tools.begin());
  writer.member("name", tool.name);
  if (!tool.description.empty()) writer.member("description", tool.description);
  const bool strict = goes_strict(request, tool, target, context);
  std::string_view schema =
      tool.kind == ToolKind::custom ? custom_tool_schema() : object_schema(tool.schema, context.parser, context.arena);
  const chat::SchemaSubset subset = strict ? chat::SchemaSubset::anthropic : target.tool_schema;
  if (subset != chat::SchemaSubset::any) {
    schema = chat::convert_schema(schema, subset, schema_path(request, tool, index, context.arena), context.parser,
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

void write_tools(json::Writer& writer, const chat::Request& request, const chat::Target& target, const ToolPlan& plan,
                 CacheMarks& marks, chat::CacheMark last_mark, WriteContext& context) {
  if (!plan.any()) return;
  writer.key("tools").begin_array();
  for (const Tool* tool : plan.tools) {
    if (tool->kind == ToolKind::opaque) {
      writer.raw(tool->raw);
      continue;
    }
    writer.begin_object();
    write_function(writer, request, *tool, target, context);
    const bool last = tool == plan.tools.back() && plan.format_tool.empty();
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
  if (!plan.format_tool.empty()) {
    writer.begin_object()
        .member("name", plan.format_tool)
        .member("description", kFormatToolDescription)
        .raw_member("input_schema", object_schema(request.format.schema, context.parser, context.arena))
        .end_object();
  }
  writer.end_array();
  write_choice(writer, plan);
}

}  // namespace llmgw::dialects::anthropic
