#include "dialects/openai_chat/request_reader.h"

#include <algorithm>
#include <array>

#include "dialects/openai_chat/functions.h"
#include "dialects/openai_chat/message_reader.h"
#include "dialects/openai_chat/request_members.h"

namespace llmgw::dialects::openai_chat {
namespace {

using chat::Request;

struct Setting {
  json::Value value;
  std::string_view name;
  const ReadContext& context;
  Request& request;

  std::string_view text() const { return value.string(context.arena); }
};

Outcome<void> number(const Setting& s, std::string_view& to) {
  if (!s.value.is_number()) return invalid("expected a number", s.name);
  to = s.value.number();
  return {};
}

Outcome<void> count(const Setting& s, std::optional<uint64_t>& to) {
  to = s.value.unsigned_integer();
  if (!to) return invalid("expected a whole number that is not negative", s.name);
  return {};
}

Outcome<void> flag(const Setting& s, std::optional<bool>& to) {
  to = s.value.boolean();
  if (!to) return invalid("expected true or false", s.name);
  return {};
}

Outcome<void> word(const Setting& s, std::string_view& to) {
  if (!s.value.is_string()) return invalid("expected a text", s.name);
  to = s.text();
  return {};
}

Outcome<void> object(const Setting& s, std::string_view& to) {
  if (!s.value.is_object()) return invalid("expected an object", s.name);
  if (!s.value.empty()) to = s.value.raw();
  return {};
}

Outcome<void> read_stream(const Setting& s) {
  std::optional<bool> stream;
  TRY_VOID(flag(s, stream));
  s.request.stream = *stream;
  return {};
}

Outcome<void> read_stream_options(const Setting& s) {
  if (!s.value.is_object()) return invalid("expected an object", s.name);
  s.request.include_usage = s.value["include_usage"].is_true();
  s.request.include_obfuscation = s.value["include_obfuscation"].is_true();
  return {};
}

// The older name: max_completion_tokens counts, should both be there.
Outcome<void> read_max_tokens(const Setting& s) {
  if (s.request.max_tokens) return {};
  return count(s, s.request.max_tokens);
}

Outcome<void> read_stop(const Setting& s) {
  base::Arena& arena = s.context.arena;
  if (s.value.is_string()) {
    if (!s.text().empty()) s.request.stop.push(arena, s.text());
    return {};
  }
  if (!s.value.is_array()) return invalid("expected a text or a list of texts", s.name);
  for (const json::Value element : s.value.elements()) {
    if (!element.is_string()) return invalid("expected a text or a list of texts", s.name);
    s.request.stop.push(arena, element.string(arena));
  }
  return {};
}

// Groq's "default" and others' "auto" say nothing.
Outcome<void> set_effort(Request& request, json::Value value, std::string_view field, base::Arena& arena) {
  if (value.is_unset() || value.equals("") || value.equals("default") || value.equals("auto")) return {};
  const chat::Effort effort = chat::effort_from(value.string(arena));
  if (effort == chat::Effort::unset) {
    return invalid("expected none, minimal, low, medium, high, xhigh or max", field);
  }
  request.reasoning.effort = effort;
  request.reasoning.mode = effort == chat::Effort::none ? chat::ReasoningMode::off : chat::ReasoningMode::on;
  return {};
}

Outcome<void> read_effort(const Setting& s) {
  return set_effort(s.request, s.value, s.name, s.context.arena);
}

void spell_budget(const Setting& s, std::string_view client) {
  s.request.spellings.push(s.context.arena, {.field = "reasoning.budget", .client = client});
}

// OpenRouter: {"effort","max_tokens","enabled","exclude"}.
Outcome<void> read_reasoning_object(const Setting& s) {
  if (!s.value.is_object()) return invalid("expected an object", s.name);
  chat::Reasoning& reasoning = s.request.reasoning;
  TRY_VOID(set_effort(s.request, s.value["effort"], "reasoning.effort", s.context.arena));
  if (const auto budget = s.value["max_tokens"].integer()) {
    reasoning.budget_tokens = budget;
    reasoning.mode = chat::ReasoningMode::on;
    spell_budget(s, "reasoning.max_tokens");
  }
  if (const auto enabled = s.value["enabled"].boolean()) {
    reasoning.mode = *enabled ? chat::ReasoningMode::on : chat::ReasoningMode::off;
  }
  if (s.value["exclude"].is_true()) reasoning.visible = false;
  return {};
}

// Vendors (DeepSeek, GLM, Kimi) and gateways: Anthropic's object {"type","budget_tokens"}.
Outcome<void> read_thinking(const Setting& s) {
  if (!s.value.is_object()) return invalid("expected an object", s.name);
  chat::Reasoning& reasoning = s.request.reasoning;
  const json::Value type = s.value["type"];
  if (type.equals("enabled")) {
    reasoning.mode = chat::ReasoningMode::on;
  } else if (type.equals("disabled")) {
    reasoning.mode = chat::ReasoningMode::off;
  } else if (type.equals("adaptive") || type.equals("auto")) {
    reasoning.mode = chat::ReasoningMode::adaptive;
  } else if (!type.is_unset()) {
    return invalid("expected enabled, disabled, adaptive or auto", "thinking.type");
  }
  if (const auto budget = s.value["budget_tokens"].integer()) {
    reasoning.budget_tokens = budget;
    spell_budget(s, "thinking.budget_tokens");
  }
  return {};
}

Outcome<void> read_enable_thinking(const Setting& s) {
  std::optional<bool> on;
  TRY_VOID(flag(s, on));
  s.request.reasoning.mode = *on ? chat::ReasoningMode::on : chat::ReasoningMode::off;
  return {};
}

// vLLM and SGLang: only the switch is ours, what else is in it stays an extra.
Outcome<void> read_template_arguments(const Setting& s) {
  const auto on = s.value.any_of("enable_thinking", "thinking").boolean();
  if (on) s.request.reasoning.mode = *on ? chat::ReasoningMode::on : chat::ReasoningMode::off;
  if (!on || s.value.size() > 1) s.request.extras.push(s.context.arena, {.name = s.name, .value = s.value.raw()});
  return {};
}

// OpenAI and its vendors have several names for the same: the one that the client used is told.
struct Member {
  std::string_view name;
  Outcome<void> (*read)(const Setting&);
  std::string_view field = {};  // the model's, where it is called otherwise
};

constexpr std::array<Member, 37> kMembers{{
    {"model", [](const Setting& s) { return word(s, s.request.model); }},
    {"messages", [](const Setting& s) { return read_messages(s.value, s.context, s.request); }},
    {"stream", read_stream},
    {"stream_options", read_stream_options},
    {"tools", [](const Setting& s) { return read_tools(s.value, s.context, s.request); }},
    {"tool_choice", [](const Setting& s) { return read_tool_choice(s.value, s.context, s.request); }},
    {"temperature", [](const Setting& s) { return number(s, s.request.temperature); }},
    {"top_p", [](const Setting& s) { return number(s, s.request.top_p); }},
    {"top_k", [](const Setting& s) { return number(s, s.request.top_k); }},
    {"max_tokens", read_max_tokens},
    {"max_completion_tokens", [](const Setting& s) { return count(s, s.request.max_tokens); }, "max_tokens"},
    {"response_format", [](const Setting& s) { return read_response_format(s.value, s.context, s.request); }},
    {"reasoning_effort", read_effort},
    {"reasoning", read_reasoning_object, "reasoning"},
    {"thinking", read_thinking, "reasoning"},
    {"enable_thinking", read_enable_thinking, "reasoning"},
    {"chat_template_kwargs", read_template_arguments, "reasoning"},
    {"stop", read_stop},
    {"n", [](const Setting& s) { return count(s, s.request.n); }},
    {"seed", [](const Setting& s) { return number(s, s.request.seed); }},
    {"user", [](const Setting& s) { return word(s, s.request.user); }},
    {"safety_identifier", [](const Setting& s) { return word(s, s.request.safety_identifier); }},
    {"metadata", [](const Setting& s) { return object(s, s.request.metadata); }},
    {"store", [](const Setting& s) { return flag(s, s.request.store); }},
    {"logprobs", [](const Setting& s) { return flag(s, s.request.logprobs); }},
    {"top_logprobs", [](const Setting& s) { return count(s, s.request.top_logprobs); }},
    {"logit_bias", [](const Setting& s) { return object(s, s.request.logit_bias); }},
    {"frequency_penalty", [](const Setting& s) { return number(s, s.request.frequency_penalty); }},
    {"presence_penalty", [](const Setting& s) { return number(s, s.request.presence_penalty); }},
    {"parallel_tool_calls", [](const Setting& s) { return flag(s, s.request.parallel_tool_calls); }},
    {"functions", [](const Setting& s) { return read_functions(s.value, s.context, s.request); }, "tools"},
    {"function_call", [](const Setting& s) { return read_function_choice(s.value, s.context, s.request); },
     "tool_choice"},
    {"service_tier", [](const Setting& s) { return word(s, s.request.service_tier); }},
    {"verbosity", [](const Setting& s) { return word(s, s.request.verbosity); }},
    {"prompt_cache_key", [](const Setting& s) { return word(s, s.request.prompt_cache_key); }},
    {"prompt_cache_retention", [](const Setting& s) { return word(s, s.request.prompt_cache_retention); }},
    {"cache_control",
     [](const Setting& s) -> Outcome<void> {
       const bool hour = s.value["ttl"].equals("1h");
       s.request.cache = hour ? chat::CacheMark::one_hour : chat::CacheMark::five_minutes;
       return {};
     }},
}};

const Member* find_member(std::string_view name) {
  for (const Member& member : kMembers) {
    if (member.name == name) return &member;
  }
  return nullptr;
}

void spell(const Member& member, Request& request, base::Arena& arena) {
  if (member.field.empty()) return;
  request.spellings.push(arena, {.field = member.field, .client = member.name});
  // Both of the model's words for it.
  if (member.field == "reasoning") request.spellings.push(arena, {.field = "reasoning_effort", .client = member.name});
}

// The mark's newer name, where the client used no other.
void spell_marks(std::string_view body, Request& request, base::Arena& arena) {
  const auto marked = [](const auto& each) { return each.cache != chat::CacheMark::none; };
  const bool any = std::ranges::any_of(request.tools, marked) ||
                   std::ranges::any_of(request.messages, [&](const chat::Message& message) {
                     return std::ranges::any_of(message.parts, marked);
                   });
  if (!any || body.find("\"cache_control\"") != std::string_view::npos) return;
  request.spellings.push(arena, {.field = "cache_control", .client = "prompt_cache_breakpoint"});
}

// A plain text answer is what everyone gives: asking for it is no extra.
bool is_default(std::string_view name, json::Value value) {
  return name == "modalities" && value.size() == 1 && value.first_element().equals("text");
}

}  // namespace

Outcome<void> read_request(std::string_view body, const ReadContext& context, Request& request) {
  const auto root = json::parse_tree(context.parser, body, context.arena);
  if (!root) return invalid(root.error().context, {});
  if (!root->is_object()) return invalid("expected a JSON object", {});
  request.include_usage = false;
  bool any_messages = false;
  for (const json::Member member : root->members()) {
    const std::string_view name = member.key(context.arena);
    any_messages |= name == "messages";
    // null is how many clients say that they do not say.
    if (member.value.is_null()) continue;
    const Member* const known = find_member(name);
    if (known != nullptr) {
      TRY_VOID(known->read({.value = member.value, .name = known->name, .context = context, .request = request}));
      spell(*known, request, context.arena);
    } else if (!is_default(name, member.value)) {
      request.extras.push(context.arena, {.name = name, .value = member.value.raw()});
    }
  }
  if (!any_messages) return invalid("you must provide a messages parameter", "messages");
  TRY_VOID(check_members(*root, kRequestShape, request, context.arena));
  spell_marks(body, request, context.arena);
  return {};
}

}  // namespace llmgw::dialects::openai_chat
