#include <array>

#include "dialects/cohere/functions.h"
#include "dialects/cohere/message_reader.h"
#include "dialects/cohere/request_members.h"
#include "dialects/cohere/words.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::cohere {
namespace {

using chat::Request;
using chat::ToolChoiceMode;

struct Setting {
  json::Value value;
  std::string_view name;
  bool cited;  // documents are
  const ReadContext& context;
  Request& request;
};

Outcome<void> number(const Setting& s, std::string_view& to) {
  if (!s.value.is_number()) return wrong("expected a number", s.name);
  to = s.value.number();
  return {};
}

Outcome<void> flag(const Setting& s, bool& to) {
  const auto value = s.value.boolean();
  if (!value) return wrong("expected true or false", s.name);
  to = *value;
  return {};
}

Outcome<void> read_logprobs(const Setting& s) {
  bool on = false;
  TRY_VOID(flag(s, on));
  s.request.logprobs = on;
  return {};
}

Outcome<void> read_model(const Setting& s) {
  if (!s.value.is_string()) return wrong("expected a text", s.name);
  s.request.model = s.value.string(s.context.arena);
  return {};
}

Outcome<void> read_max_tokens(const Setting& s) {
  s.request.max_tokens = s.value.unsigned_integer();
  if (!s.request.max_tokens) return wrong("expected a whole number that is not negative", s.name);
  return {};
}

Outcome<void> read_stop(const Setting& s) {
  if (!s.value.is_array()) return wrong("expected a list of texts", s.name);
  for (const json::Value element : s.value.elements()) {
    if (!element.is_string()) return wrong("expected a list of texts", s.name);
    s.request.stop.push(s.context.arena, element.string(s.context.arena));
  }
  return {};
}

Outcome<void> read_tools(const Setting& s) {
  if (!s.value.is_array()) return wrong("expected a list of tools", s.name);
  base::Arena& arena = s.context.arena;
  size_t index = 0;
  for (const json::Value value : s.value.elements()) {
    const std::string_view path = indexed("tools", index++, "", arena);
    const json::Value function = value["function"];
    if (!function["name"].is_string()) return wrong("expected a function with a name", path);
    const json::Value parameters = function["parameters"];
    s.request.tools.push(arena, {.name = function["name"].string(arena),
                                 .description = function["description"].string(arena),
                                 .schema = parameters.is_object() ? parameters.raw() : std::string_view{},
                                 .path = path});
  }
  return {};
}

Outcome<void> read_tool_choice(const Setting& s) {
  if (s.value.equals("REQUIRED")) {
    s.request.tool_choice.mode = ToolChoiceMode::required;
  } else if (s.value.equals("NONE")) {
    s.request.tool_choice.mode = ToolChoiceMode::none;
  } else {
    return wrong("expected REQUIRED or NONE", s.name);
  }
  return {};
}

Outcome<void> read_format(const Setting& s) {
  chat::ResponseFormat& format = s.request.format;
  if (s.value["type"].equals("text")) {
    format.kind = chat::FormatKind::text;
    return {};
  }
  if (!s.value["type"].equals("json_object")) return wrong("expected text or json_object", "response_format.type");
  const json::Value schema = s.value.any_of("json_schema", "schema");
  format.kind = schema.is_object() ? chat::FormatKind::json_schema : chat::FormatKind::json_object;
  if (schema.is_object()) format.schema = schema.raw();
  return {};
}

Outcome<void> read_thinking(const Setting& s) {
  chat::Reasoning& reasoning = s.request.reasoning;
  const json::Value type = s.value["type"];
  if (type.equals("enabled")) {
    reasoning.mode = chat::ReasoningMode::on;
  } else if (type.equals("disabled")) {
    reasoning.mode = chat::ReasoningMode::off;
  } else if (!type.is_unset()) {
    return wrong("expected enabled or disabled", "thinking.type");
  }
  reasoning.budget_tokens = s.value["token_budget"].integer();
  return {};
}

struct Member {
  std::string_view name;
  Outcome<void> (*read)(const Setting&);
};

constexpr std::array<Member, 17> kMembers{{
    {"model", read_model},
    {"messages", [](const Setting& s) { return read_messages(s.value, s.cited, s.context, s.request); }},
    {"stream", [](const Setting& s) { return flag(s, s.request.stream); }},
    {"tools", read_tools},
    {"tool_choice", read_tool_choice},
    {"response_format", read_format},
    {"max_tokens", read_max_tokens},
    {"stop_sequences", read_stop},
    {"temperature", [](const Setting& s) { return number(s, s.request.temperature); }},
    {"seed", [](const Setting& s) { return number(s, s.request.seed); }},
    {"frequency_penalty", [](const Setting& s) { return number(s, s.request.frequency_penalty); }},
    {"presence_penalty", [](const Setting& s) { return number(s, s.request.presence_penalty); }},
    {"k", [](const Setting& s) { return number(s, s.request.top_k); }},
    {"p", [](const Setting& s) { return number(s, s.request.top_p); }},
    {"logprobs", read_logprobs},
    {"thinking", read_thinking},
    // Read when everything else is known.
    {"documents", [](const Setting&) -> Outcome<void> { return {}; }},
}};

const Member* find_member(std::string_view name) {
  for (const Member& member : kMembers) {
    if (member.name == name) return &member;
  }
  return nullptr;
}

}  // namespace

Outcome<void> read_request(std::string_view body, const ReadContext& context, Request& request) {
  const auto root = json::parse_tree(context.parser, body, context.arena);
  if (!root) return wrong(root.error().context, {});
  if (!root->is_object()) return wrong("expected a JSON object", {});
  request.from = chat::Dialect::cohere;
  const bool cited = !(*root)["citation_options"]["mode"].equals("OFF");
  for (const json::Member member : root->members()) {
    if (member.value.is_null()) continue;
    const std::string_view name = member.key(context.arena);
    const Member* const known = find_member(name);
    if (known != nullptr) {
      TRY_VOID(known->read(
          {.value = member.value, .name = known->name, .cited = cited, .context = context, .request = request}));
    } else if (name != "strict_tools") {
      request.extras.push(context.arena, {.name = name, .value = member.value.raw()});
    }
  }
  if (!(*root)["messages"].is_array()) return wrong("expected a list of messages", "messages");
  TRY_VOID(check_members(*root, kRequestShape, request, context.arena));
  if (const auto strict = (*root)["strict_tools"].boolean()) {
    for (chat::Tool& tool : request.tools) tool.strict = strict;
  }
  read_documents((*root)["documents"], cited, context, request);
  return {};
}

}  // namespace llmgw::dialects::cohere
