#include <array>
#include <string>

#include "chat/schema.h"
#include "dialects/openai_responses/functions.h"
#include "dialects/openai_responses/input_reader.h"
#include "dialects/openai_responses/items.h"
#include "dialects/openai_responses/request_members.h"
#include "dialects/request_gates.h"
#include "json/tree.h"

namespace llmgw::dialects::openai_responses {
namespace {

using chat::Request;

class RequestReader {
 public:
  RequestReader(const ReadContext& context, Request& request)
      : context_(context), arena_(context.arena), request_(request) {}

  Outcome<void> read(json::Value root) {
    for (const json::Member member : root.members()) {
      if (auto read = this->member(member.key(arena_), member.value); !read) return read;
    }
    if (!instructions_.empty()) {
      chat::Message message{.role = chat::Role::system, .id = kInstructionsId, .path = "instructions"};
      message.parts.push(arena_, {.kind = chat::PartKind::text, .text = instructions_});
      request_.messages.push(arena_, message);
    }
    if (!input_.is_unset()) TRY_VOID(InputReader(context_, request_).read(input_));
    return check_members(root, kRequestShape, request_, arena_);
  }

 private:
  Outcome<void> member(std::string_view key, json::Value value);
  bool scalar(std::string_view key, json::Value value);
  bool state(std::string_view key, json::Value value);
  Outcome<void> tools(json::Value value);
  Outcome<void> tool_choice(json::Value value);
  Outcome<void> text(json::Value value);
  Outcome<void> format(json::Value value);
  Outcome<void> reasoning(json::Value value);
  void include(json::Value value);
  void extra(std::string_view name, json::Value value) {
    if (!value.is_null()) request_.extras.push(arena_, {.name = name, .value = value.raw()});
  }

  const ReadContext& context_;
  base::Arena& arena_;
  Request& request_;
  std::string_view instructions_;
  json::Value input_;
};

Outcome<void> RequestReader::member(std::string_view key, json::Value value) {
  if (key == "input") return input_ = value, Outcome<void>{};
  if (value.is_null()) return {};
  if (scalar(key, value) || state(key, value)) return {};
  if (key == "tools") return tools(value);
  if (key == "tool_choice") return tool_choice(value);
  if (key == "text") return text(value);
  if (key == "reasoning") return reasoning(value);
  if (key == "include") return include(value), Outcome<void>{};
  if (key == "instructions") {
    if (!value.is_string()) return invalid(arena_, key, "instructions must be a string");
    instructions_ = value.string(arena_);
    return {};
  }
  if (key == "prompt") {
    return invalid(arena_, key, "a prompt that is stored at the provider cannot be used with this model");
  }
  if (key == "stream_options") return {};  // padding is never sent
  extra(key, value);
  return {};
}

bool RequestReader::scalar(std::string_view key, json::Value value) {
  struct Text {
    std::string_view key;
    std::string_view Request::* member;
  };
  constexpr std::array<Text, 7> kTexts{{{"model", &Request::model},
                                        {"user", &Request::user},
                                        {"safety_identifier", &Request::safety_identifier},
                                        {"service_tier", &Request::service_tier},
                                        {"prompt_cache_key", &Request::prompt_cache_key},
                                        {"prompt_cache_retention", &Request::prompt_cache_retention},
                                        {"truncation", &Request::truncation}}};
  for (const Text& text : kTexts) {
    if (key != text.key) continue;
    request_.*text.member = value.string(arena_);
    return true;
  }
  if (key == "temperature") return request_.temperature = value.number(), true;
  if (key == "top_p") return request_.top_p = value.number(), true;
  if (key == "max_output_tokens") return request_.max_tokens = value.unsigned_integer(), true;
  if (key == "top_logprobs") return request_.top_logprobs = value.unsigned_integer(), true;
  if (key == "parallel_tool_calls") return request_.parallel_tool_calls = value.boolean(), true;
  if (key == "stream") return request_.stream = value.is_true(), true;
  if (key == "metadata") return request_.metadata = value.empty() ? "" : value.raw(), true;
  return false;
}

bool RequestReader::state(std::string_view key, json::Value value) {
  if (key == "store") return request_.store = value.boolean(), true;
  if (key == "background") return request_.background = value.is_true(), true;
  if (key == "previous_response_id") return request_.previous_response_id = value.string(arena_), true;
  if (key != "conversation") return false;
  request_.conversation = (value.is_object() ? value["id"] : value).string(arena_);
  return true;
}

Outcome<void> RequestReader::tools(json::Value value) {
  if (!value.is_array()) return invalid(arena_, "tools", "tools must be an array");
  size_t index = 0;
  for (const json::Value element : value.elements()) {
    TRY(tool, read_tool(element, indexed("tools", index++, "", arena_), arena_));
    request_.tools.push(arena_, tool);
  }
  return {};
}

Outcome<void> RequestReader::tool_choice(json::Value value) {
  using chat::ToolChoiceMode;
  chat::ToolChoice& choice = request_.tool_choice;
  if (value.is_string()) {
    choice.mode = value.equals("auto")       ? ToolChoiceMode::automatic
                  : value.equals("none")     ? ToolChoiceMode::none
                  : value.equals("required") ? ToolChoiceMode::required
                                             : ToolChoiceMode::unset;
    if (choice.mode != ToolChoiceMode::unset) return {};
    return invalid(arena_, "tool_choice", "tool_choice must be auto, none, required or an object");
  }
  const json::Value type = value["type"];
  if (type.equals("function") || type.equals("custom")) {
    choice.mode = ToolChoiceMode::named;
    choice.name = value["name"].string(arena_);
    if (choice.name.empty()) return invalid(arena_, "tool_choice.name", "the tool that is to be called has no name");
    return {};
  }
  if (type.equals("allowed_tools")) {
    choice.mode = value["mode"].equals("required") ? ToolChoiceMode::required : ToolChoiceMode::automatic;
    for (const json::Value tool : value["tools"].elements()) {
      if (const std::string_view name = tool["name"].string(arena_); !name.empty()) choice.allowed.push(arena_, name);
    }
    return {};
  }
  if (!type.is_string()) return invalid(arena_, "tool_choice.type", "tool_choice must have a type");
  extra("tool_choice", value);  // a built-in tool
  return {};
}

Outcome<void> RequestReader::text(json::Value value) {
  for (const json::Member member : value.members()) {
    if (member.is("format")) {
      if (auto read = format(member.value); !read) return read;
    } else if (member.is("verbosity")) {
      request_.verbosity = member.value.string(arena_);
    } else {
      extra(arena_.concat("text.", member.key(arena_)), member.value);
    }
  }
  return {};
}

Outcome<void> RequestReader::format(json::Value value) {
  if (value.is_unset()) return {};
  chat::ResponseFormat& format = request_.format;
  const json::Value type = value["type"];
  if (type.equals("text")) {
    format.kind = chat::FormatKind::text;
  } else if (type.equals("json_object")) {
    format.kind = chat::FormatKind::json_object;
  } else if (type.equals("json_schema")) {
    format.kind = chat::FormatKind::json_schema;
    format.name = value["name"].string(arena_);
    format.description = value["description"].string(arena_);
    format.strict = value["strict"].boolean();
    format.schema = value["schema"].raw();
    if (!value["schema"].is_object()) {
      return invalid(arena_, "text.format.schema", "a format of type json_schema needs a schema, an object");
    }
  } else {
    return invalid(arena_, "text.format.type", "the type of a format must be text, json_object or json_schema");
  }
  return {};
}

Outcome<void> RequestReader::reasoning(json::Value value) {
  chat::Reasoning& reasoning = request_.reasoning;
  for (const json::Member member : value.members()) {
    if (member.value.is_null()) continue;
    if (member.is("effort")) {
      reasoning.effort = chat::effort_from(member.value.string(arena_));
      if (reasoning.effort == chat::Effort::unset) {
        return invalid(arena_, "reasoning.effort", "expected none, minimal, low, medium, high, xhigh or max");
      }
      const bool off = reasoning.effort == chat::Effort::none;
      reasoning.mode = off ? chat::ReasoningMode::off : chat::ReasoningMode::on;
    } else if (member.is("summary") || member.is("generate_summary")) {
      reasoning.summary = member.value.string(arena_);
      if (member.is("generate_summary")) {
        request_.spellings.push(arena_, {.field = "reasoning.summary", .client = "reasoning.generate_summary"});
      }
      reasoning.visible = true;
    } else {
      extra(arena_.concat("reasoning.", member.key(arena_)), member.value);
    }
  }
  return {};
}

void RequestReader::include(json::Value value) {
  for (const json::Value element : value.elements()) {
    const std::string_view name = element.string(arena_);
    request_.include.push(arena_, name);
    if (name == "message.output_text.logprobs") request_.logprobs = true;
  }
}

// Tools are strict here unless they say otherwise, and OpenAI makes a schema fit where it does not. Only a schema that
// fits already can be called strict elsewhere without changing what it means.
void mark_strict_tools(Request& request, const ReadContext& context) {
  for (chat::Tool& tool : request.tools) {
    if (tool.kind != chat::ToolKind::function || tool.strict) continue;
    if (!chat::is_openai_strict(tool.schema, context.parser, context.arena)) continue;
    tool.strict = true;
    tool.strict_by_default = true;
  }
}

}  // namespace

Outcome<void> read_request(std::string_view body, const ReadContext& context, Request& request) {
  const auto root = json::parse_tree(context.parser, body, context.arena);
  if (!root) return invalid(context.arena, "", root.error().context);
  if (!root->is_object()) return invalid(context.arena, "", "the body must be a JSON object");
  request.from = chat::Dialect::openai_responses;
  if (auto read = RequestReader(context, request).read(*root); !read) return read;
  mark_strict_tools(request, context);
  return {};
}

}  // namespace llmgw::dialects::openai_responses
