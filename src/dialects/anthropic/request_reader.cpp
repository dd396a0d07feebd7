#include <algorithm>
#include <string>

#include "dialects/anthropic/block_reader.h"
#include "dialects/anthropic/functions.h"
#include "dialects/anthropic/request_members.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::anthropic {
namespace {

using chat::Request;
using json::Value;

constexpr std::string_view kContentMember = ".content";

class RequestReader {
 public:
  RequestReader(const ReadContext& context, Request& request)
      : context_(context), arena_(context.arena), request_(request) {}

  Outcome<void> read(Value root) {
    Value messages;
    for (const json::Member member : root.members()) {
      if (member.is("messages")) {
        messages = member.value;
      } else if (member.is("system")) {
        TRY_VOID(system(member.value));
      } else if (member.is("tools")) {
        TRY_VOID(tools(member.value));
      } else {
        TRY_VOID(member_of_root(member));
      }
    }
    TRY_VOID(conversation(messages));
    return check_members(root, kRequestShape, request_, arena_);
  }

 private:
  std::string_view text(Value value) { return value.string(arena_); }
  void extra(std::string_view name, Value value) {
    if (!value.is_unset()) request_.extras.push(arena_, {.name = name, .value = value.raw()});
  }

  void spell(std::string_view field, std::string_view client) {
    request_.spellings.push(arena_, {.field = field, .client = client});
  }

  Outcome<void> member_of_root(const json::Member& member) {
    const Value value = member.value;
    const auto is = [&member](std::string_view name) { return member.is(name); };
    if (value.is_null()) return {};
    if (is("model")) {
      request_.model = text(value);
    } else if (is("stream")) {
      request_.stream = value.is_true();
    } else if (is("max_tokens")) {
      request_.max_tokens = value.unsigned_integer();
      if (!request_.max_tokens) return invalid(arena_, "max_tokens", "Expected a whole number, zero or larger.");
    } else if (is("temperature")) {
      return number(value, "temperature", request_.temperature);
    } else if (is("top_p")) {
      return number(value, "top_p", request_.top_p);
    } else if (is("top_k")) {
      return number(value, "top_k", request_.top_k);
    } else if (is("stop_sequences")) {
      return stop(value);
    } else if (is("tool_choice")) {
      return tool_choice(value);
    } else if (is("thinking")) {
      return thinking(value);
    } else if (is("output_config")) {
      return output_config(value);
    } else if (is("output_format")) {
      spell("response_format", "output_format");
      return format(value, "output_format");
    } else if (is("metadata")) {
      metadata(value);
    } else if (is("service_tier")) {
      request_.service_tier = text(value);
    } else if (is("cache_control")) {
      request_.cache = read_cache_mark(value);
    } else if (!is("anthropic_version")) {  // the envelope of Vertex and Bedrock, which says nothing
      extra(member.key(arena_), value);
    }
    return {};
  }

  Outcome<void> number(Value value, std::string_view field, std::string_view& into) {
    into = value.number();
    return into.empty() ? invalid(arena_, field, "Expected a number.") : Outcome<void>();
  }

  Outcome<void> stop(Value value) {
    if (!value.is_array()) return invalid(arena_, "stop_sequences", "Expected an array of strings.");
    for (const Value element : value.elements()) {
      if (!element.is_string()) return invalid(arena_, "stop_sequences", "Expected an array of strings.");
      request_.stop.push(arena_, text(element));
    }
    return {};
  }

  Outcome<void> system(Value value) {
    if (value.is_unset()) return {};
    chat::Message message{.role = chat::Role::system, .path = "system"};
    BlockReader blocks(context_, true);
    TRY_VOID(blocks.read(value, "system", message.parts));
    if (!message.parts.empty()) system_ = message;
    return {};
  }

  Outcome<void> conversation(Value messages) {
    if (!system_.parts.empty()) request_.messages.push(arena_, system_);
    if (!messages.is_array()) return invalid(arena_, "messages", "Expected an array of messages.");
    size_t index = 0;
    for (const Value element : messages.elements()) {
      const std::string_view path = indexed("messages", index, kContentMember, arena_);
      TRY_VOID(message(element, index++, path));
    }
    return {};
  }

  Outcome<void> message(Value value, size_t index, std::string_view path) {
    if (!value.is_object()) return invalid(arena_, indexed("messages", index, "", arena_), "Expected an object.");
    const Value role = value["role"];
    chat::Message message{.path = path.substr(0, path.size() - kContentMember.size())};
    if (role.equals("assistant")) {
      message.role = chat::Role::assistant;
    } else if (role.equals("system")) {
      message.role = chat::Role::system;
    } else if (!role.equals("user")) {
      return invalid(arena_, indexed("messages", index, ".role", arena_), "Expected user, assistant or system.");
    }
    BlockReader blocks(context_, true);
    TRY_VOID(blocks.read(value["content"], path, message.parts));
    request_.messages.push(arena_, message);
    const auto joins = [](const chat::Part& part) { return part.name == "tool_addition" || part.name == "compaction"; };
    if (std::ranges::any_of(message.parts, joins)) joining_tools(value["content"], path);
    return {};
  }

  // Tools that join on the way, also those that a summary brings along.
  void joining_tools(Value content, std::string_view path) {
    size_t index = 0;
    for (const Value block : content.elements()) {
      const std::string_view at = indexed(path, index++, "", arena_);
      joining_tool(block, arena_.concat(at, ".tool.definition"));
      if (!block["type"].equals("compaction")) continue;
      size_t number = 0;
      for (const Value change : block["tool_changes"].elements()) {
        joining_tool(change, indexed(arena_.concat(at, ".tool_changes"), number++, ".tool.definition", arena_));
      }
    }
  }

  void joining_tool(Value block, std::string_view path) {
    if (!block["type"].equals("tool_addition") || !block["tool"]["type"].equals("tool_definition")) return;
    const Value definition = block["tool"]["definition"];
    const std::string_view name = text(definition["name"]);
    const bool known = std::ranges::find(request_.tools, name, &chat::Tool::name) != request_.tools.end();
    if (definition.is_object() && !known) tool(definition, path);
  }

  Outcome<void> tools(Value value) {
    if (value.is_unset()) return {};
    if (!value.is_array()) return invalid(arena_, "tools", "Expected an array of tools.");
    size_t index = 0;
    for (const Value element : value.elements()) {
      if (!element.is_object()) return invalid(arena_, indexed("tools", index, "", arena_), "Expected an object.");
      tool(element, indexed("tools", index++, "", arena_));
    }
    return {};
  }

  void tool(Value value, std::string_view path) {
    chat::Tool tool{.origin = chat::Dialect::anthropic, .path = path};
    Value type;
    bool unknown = false;
    for (const json::Member member : value.members()) {
      if (member.is("type")) {
        type = member.value;
      } else if (member.is("name")) {
        tool.name = text(member.value);
      } else if (member.is("description")) {
        tool.description = text(member.value);
      } else if (member.is("input_schema")) {
        if (!member.value.is_null()) tool.schema = member.value.raw();
      } else if (member.is("strict")) {
        tool.strict = member.value.boolean();
      } else if (member.is("cache_control")) {
        tool.cache = read_cache_mark(member.value);
      } else {
        unknown = unknown || !member.value.is_null();
      }
    }
    if (!type.is_unset() && !type.equals("custom")) {
      tool.kind = chat::ToolKind::opaque;
      tool.raw = value.raw();
    } else if (unknown) {
      tool.raw = value.raw();  // defer_loading, input_examples, ...: for Anthropic's own
    }
    request_.tools.push(arena_, tool);
  }

  Outcome<void> tool_choice(Value value) {
    const Value type = value["type"];
    chat::ToolChoice& choice = request_.tool_choice;
    if (type.equals("auto")) {
      choice.mode = chat::ToolChoiceMode::automatic;
    } else if (type.equals("any")) {
      choice.mode = chat::ToolChoiceMode::required;
    } else if (type.equals("none")) {
      choice.mode = chat::ToolChoiceMode::none;
    } else if (type.equals("tool")) {
      choice.mode = chat::ToolChoiceMode::named;
      choice.name = text(value["name"]);
      if (choice.name.empty()) return invalid(arena_, "tool_choice.name", "Expected the name of a tool.");
    } else {
      return invalid(arena_, "tool_choice.type", "Expected auto, any, tool or none.");
    }
    if (const auto disabled = value["disable_parallel_tool_use"].boolean()) request_.parallel_tool_calls = !*disabled;
    return {};
  }

  Outcome<void> thinking(Value value) {
    chat::Reasoning& reasoning = request_.reasoning;
    spell("reasoning", "thinking");
    const Value type = value["type"];
    if (type.equals("enabled")) {
      reasoning.mode = chat::ReasoningMode::on;
      reasoning.budget_tokens = value["budget_tokens"].integer();
      if (!reasoning.budget_tokens) return invalid(arena_, "thinking.budget_tokens", "Expected a whole number.");
      // Models that are told a budget show their thoughts unless asked not to; the others only if asked to.
      reasoning.visible = true;
    } else if (type.equals("adaptive")) {
      reasoning.mode = chat::ReasoningMode::adaptive;
    } else if (type.equals("disabled")) {
      reasoning.mode = chat::ReasoningMode::off;
    } else {
      return invalid(arena_, "thinking.type", "Expected enabled, adaptive or disabled.");
    }
    const Value display = value["display"];
    if (display.equals("summarized")) {
      reasoning.visible = true;
    } else if (display.equals("omitted")) {
      reasoning.visible = false;
    } else if (!display.is_unset()) {
      return invalid(arena_, "thinking.display", "Expected summarized or omitted.");
    }
    return {};
  }

  Outcome<void> output_config(Value value) {
    for (const json::Member member : value.members()) {
      if (member.is("effort")) {
        if (member.value.is_null()) continue;
        spell("reasoning", "output_config.effort");
        spell("reasoning_effort", "output_config.effort");
        request_.reasoning.effort = chat::effort_from(text(member.value));
        if (request_.reasoning.effort == chat::Effort::unset) {
          return invalid(arena_, "output_config.effort", "Expected low, medium, high, xhigh or max.");
        }
      } else if (member.is("format")) {
        TRY_VOID(format(member.value, "output_config.format"));
      } else {
        extra(arena_.concat("output_config.", member.key(arena_)), member.value);
      }
    }
    return {};
  }

  Outcome<void> format(Value value, std::string_view field) {
    if (value.is_unset()) return {};
    if (!value["type"].equals("json_schema") || !value["schema"].is_object()) {
      return invalid(arena_, field, "Expected {\"type\":\"json_schema\",\"schema\":{...}}.");
    }
    request_.format.kind = chat::FormatKind::json_schema;
    request_.format.schema = value["schema"].raw();
    request_.format.strict = true;  // Anthropic knows no other
    return {};
  }

  void metadata(Value value) {
    for (const json::Member member : value.members()) {
      if (member.is("user_id")) {
        request_.user = text(member.value);
      } else {
        extra(arena_.concat("metadata.", member.key(arena_)), member.value);
      }
    }
  }

  const ReadContext& context_;
  base::Arena& arena_;
  Request& request_;
  chat::Message system_;
};

}  // namespace

Outcome<void> read_request(std::string_view body, const ReadContext& context, Request& request) {
  request.from = chat::Dialect::anthropic;
  const auto root = json::parse_tree(context.parser, body, context.arena);
  if (!root) return invalid(context.arena, "", std::string("The body is not JSON: ") + root.error().context + ".");
  if (!root->is_object()) return invalid(context.arena, "", "The body must be a JSON object.");
  return RequestReader(context, request).read(*root);
}

}  // namespace llmgw::dialects::anthropic
