#include "dialects/openai_chat/message_reader.h"
#include "dialects/openai_chat/request_reader.h"
#include "dialects/openai_chat/words.h"

namespace llmgw::dialects::openai_chat {
namespace {

using chat::Tool;
using chat::ToolChoiceMode;
using chat::ToolKind;

std::string_view raw_object(json::Value value) {
  return value.is_object() ? value.raw() : std::string_view{};
}

Outcome<Tool> read_function(json::Value function, std::string_view field, base::Arena& arena) {
  const json::Value name = function["name"];
  if (!name.is_string() || name.escaped().empty()) return invalid("expected a function with a name", field);
  return Tool{.strict = function["strict"].boolean(),
              .name = name.string(arena),
              .description = function["description"].string(arena),
              .schema = raw_object(function["parameters"]),
              .path = field};
}

Outcome<Tool> read_tool(json::Value value, std::string_view field, base::Arena& arena) {
  if (!value.is_object()) return invalid("expected an object", field);
  const json::Value type = value["type"];
  Tool tool;
  // Without a type there is only one thing it can be.
  if (type.equals("function") || (type.is_unset() && value["function"].is_object())) {
    TRY(function, read_function(value["function"], field, arena));
    tool = function;
  } else if (type.equals("custom") && value["custom"].is_object()) {
    const json::Value custom = value["custom"];
    tool.kind = ToolKind::custom;
    tool.name = custom["name"].string(arena);
    tool.description = custom["description"].string(arena);
    tool.schema = raw_object(custom["format"]);
    if (tool.name.empty()) return invalid("expected a custom tool with a name", field);
  } else if (type.is_string()) {
    tool.kind = ToolKind::opaque;
    tool.name = type.string(arena);
    tool.raw = value.raw();
  } else {
    return invalid("expected a text 'type'", field);
  }
  tool.cache = read_cache_mark(value);
  tool.path = field;
  return tool;
}

std::string_view named_tool(json::Value choice, base::Arena& arena) {
  json::Value holder = choice.any_of("function", "custom");
  if (!holder.is_object()) holder = choice;
  return holder["name"].string(arena);
}

bool set_mode(std::string_view word, chat::ToolChoice& choice) {
  if (word == "auto") {
    choice.mode = ToolChoiceMode::automatic;
  } else if (word == "none") {
    choice.mode = ToolChoiceMode::none;
  } else if (word == "required" || word == "any") {
    choice.mode = ToolChoiceMode::required;
  } else {
    return false;
  }
  return true;
}

}  // namespace

Outcome<void> read_tools(json::Value tools, const ReadContext& context, chat::Request& request) {
  if (!tools.is_array()) return invalid("expected a list of tools", "tools");
  size_t index = 0;
  for (const json::Value value : tools.elements()) {
    TRY(tool, read_tool(value, path(context.arena, "tools", index++), context.arena));
    request.tools.push(context.arena, tool);
  }
  return {};
}

Outcome<void> read_functions(json::Value functions, const ReadContext& context, chat::Request& request) {
  if (!functions.is_array()) return invalid("expected a list of functions", "functions");
  size_t index = 0;
  for (const json::Value value : functions.elements()) {
    TRY(tool, read_function(value, path(context.arena, "functions", index++), context.arena));
    request.tools.push(context.arena, tool);
  }
  request.legacy_functions = index > 0;
  return {};
}

Outcome<void> read_tool_choice(json::Value value, const ReadContext& context, chat::Request& request) {
  base::Arena& arena = context.arena;
  chat::ToolChoice& choice = request.tool_choice;
  if (value.is_string()) {
    if (set_mode(value.string(arena), choice)) return {};
    return invalid("expected one of none, auto, required, or an object", "tool_choice");
  }
  if (!value.is_object()) return invalid("expected a text or an object", "tool_choice");
  const json::Value type = value["type"];
  if (type.equals("allowed_tools")) {
    json::Value allowed = value["allowed_tools"];
    if (!allowed.is_object()) allowed = value;
    if (!set_mode(allowed["mode"].string(arena), choice)) choice.mode = ToolChoiceMode::automatic;
    for (const json::Value tool : allowed["tools"].elements()) {
      const std::string_view name = named_tool(tool, arena);
      if (!name.empty()) choice.allowed.push(arena, name);
    }
    return {};
  }
  // Anthropic's way to say it, which vendors take too.
  if (set_mode(type.string(arena), choice)) return {};
  choice.name = named_tool(value, arena);
  if (choice.name.empty()) return invalid("expected the name of a tool", "tool_choice");
  choice.mode = ToolChoiceMode::named;
  return {};
}

Outcome<void> read_function_choice(json::Value value, const ReadContext& context, chat::Request& request) {
  if (value.is_string()) {
    if (set_mode(value.string(context.arena), request.tool_choice)) return {};
    return invalid("expected one of none, auto, or an object with a name", "function_call");
  }
  request.tool_choice.name = value["name"].string(context.arena);
  if (request.tool_choice.name.empty()) return invalid("expected the name of a function", "function_call");
  request.tool_choice.mode = ToolChoiceMode::named;
  return {};
}

Outcome<void> read_response_format(json::Value value, const ReadContext& context, chat::Request& request) {
  base::Arena& arena = context.arena;
  chat::ResponseFormat& format = request.format;
  const json::Value type = value["type"];
  if (type.equals("text")) {
    format.kind = chat::FormatKind::text;
  } else if (type.equals("json_object")) {
    // Some vendors take the schema here.
    format.schema = raw_object(value["schema"]);
    format.kind = format.schema.empty() ? chat::FormatKind::json_object : chat::FormatKind::json_schema;
  } else if (type.equals("json_schema")) {
    const json::Value schema = value["json_schema"];
    if (!schema.is_object()) return invalid("expected an object", "response_format.json_schema");
    format.kind = chat::FormatKind::json_schema;
    format.name = schema["name"].string(arena);
    format.description = schema["description"].string(arena);
    format.schema = raw_object(schema["schema"]);
    format.strict = schema["strict"].boolean();
  } else {
    return invalid("expected one of text, json_object, json_schema", "response_format.type");
  }
  return {};
}

}  // namespace llmgw::dialects::openai_chat
