#include <algorithm>
#include <string>

#include "chat/schema.h"
#include "dialects/losses.h"
#include "dialects/openai_responses/functions.h"
#include "dialects/openai_responses/input_writer.h"
#include "dialects/openai_responses/items.h"
#include "dialects/request_gates.h"
#include "dialects/server_tools.h"
#include "json/writer.h"

namespace llmgw::dialects::openai_responses {
namespace {

using chat::Dialect;
using chat::Effort;
using chat::Request;
using chat::Target;

constexpr std::string_view kServiceTiers[] = {"auto", "default", "flex", "scale", "priority", "fast"};
constexpr std::string_view kNoSuchParameter = "the Responses API has no such parameter";

class RequestWriter {
 public:
  RequestWriter(const Request& request, const Target& target, WriteContext& context, std::string& out)
      : request_(request),
        target_(target),
        context_(context),
        writer_(out),
        own_(request.from == Dialect::openai_responses),
        takes_schema_(target.json_schema == chat::JsonSchemaSupport::native &&
                      (own_ || takes_answer_schema(request, target, context))) {}

  Outcome<void> write() {
    if (auto checked = check(); !checked) return checked;
    effort_ = effort();
    writer_.begin_object().member("model", target_.model);
    if (request_.stream) writer_.member("stream", true);
    instructions();
    writer_.key("input");
    InputWriter input(request_, target_, context_, writer_);
    if (auto written = input.write(format_instruction()); !written) return written;
    tools();
    tool_choice();
    text();
    reasoning();
    limits();
    others();
    if (auto left = extras(); !left) return left;
    writer_.end_object();
    const bool by_effort = target_.reasoning == chat::ReasoningStyle::effort;
    const Reasoned by_word{.budget = request_.reasoning.effort == Effort::unset};
    warn_of_losses(request_,
                   {.dialect = Dialect::openai_responses,
                    .detail = true,
                    .formats = true,
                    .phases = true,
                    .hides = true,
                    .reasoned = by_effort ? by_word : kNotReasoned},
                   context_);
    return {};
  }

 private:
  Outcome<void> check();
  void instructions();
  void tools();
  void tool(const chat::Tool& tool, size_t index);
  void tool_choice();
  void named_choice(std::string_view name);
  void text();
  std::string format_instruction();
  bool native_format() const {
    const chat::FormatKind kind = request_.format.kind;
    return (kind == chat::FormatKind::json_object && target_.json_object) ||
           (kind == chat::FormatKind::json_schema && takes_schema_);
  }
  void json_schema();
  bool fit_format(std::string_view& schema);
  Effort effort();
  std::string_view summary() const;
  void reasoning();
  void limits();
  void others();
  void include();
  void user();
  void user_member(std::string_view member, std::string_view name);
  Outcome<void> extras();
  void extras_of(std::string_view object);
  void dropped(bool there, std::string_view field) {
    if (there) context_.warnings.dropped(field, kNoSuchParameter);
  }
  // Only these may be called; where the target cannot be told, the others are not shown to it.
  bool hidden(const chat::Tool& tool) const {
    const auto& allowed = request_.tool_choice.allowed;
    return !target_.allowed_tools && !allowed.empty() && tool.kind != chat::ToolKind::opaque &&
           std::ranges::find(allowed, tool.name) == allowed.end();
  }
  bool any_tool() const {
    return std::ranges::any_of(request_.tools, [&](const chat::Tool& tool) {
      return !hidden(tool) && (tool.kind != chat::ToolKind::opaque || tool.origin == Dialect::openai_responses);
    });
  }
  bool reasons() const {
    if (target_.reasoning == chat::ReasoningStyle::none) return false;
    return effort_ == Effort::unset ? target_.reasons_by_default : effort_ != Effort::none;
  }

  const Request& request_;
  const Target& target_;
  WriteContext& context_;
  json::Writer writer_;
  bool own_;
  bool takes_schema_;
  Effort effort_ = Effort::unset;
};

Outcome<void> RequestWriter::check() {
  base::Arena& arena = context_.arena;
  if (request_.n.value_or(1) > 1) return invalid(arena, "n", "This model gives one answer a call: n must be 1.");
  if (!request_.tools.empty() && !target_.tools) return invalid(arena, "tools", "This model calls no tools.");
  const chat::ToolChoice& choice = request_.tool_choice;
  const bool required = choice.mode == chat::ToolChoiceMode::required;
  const bool named = choice.mode == chat::ToolChoiceMode::named;
  if ((required && (!target_.tool_choice || !target_.tool_choice_required)) ||
      (named && (!target_.tool_choice || !target_.tool_choice_named))) {
    return invalid(arena, "tool_choice", "This model cannot be made to call a tool.");
  }
  if (required && !any_tool()) return invalid(arena, "tool_choice", "There is no tool that could be called.");
  return {};
}

void RequestWriter::instructions() {
  if (!own_) return;
  for (const chat::Message& message : request_.messages) {
    if (message.id != kInstructionsId || message.parts.empty()) continue;
    writer_.member("instructions", message.parts.front().text);
    return;
  }
}

void RequestWriter::tools() {
  const bool any = any_tool();  // the others only warn
  if (any) writer_.key("tools").begin_array();
  size_t index = 0;
  for (const chat::Tool& one : request_.tools) tool(one, index++);
  if (any) writer_.end_array();
}

void RequestWriter::tool(const chat::Tool& tool, size_t index) {
  const std::string_view field = tool_path(tool, index, context_.arena);
  if (hidden(tool)) {
    context_.warnings.emulated("tool_choice", "tools that are not allowed are not shown to the model");
    return;
  }
  if (tool.kind == chat::ToolKind::opaque) {
    if (tool.origin == Dialect::openai_responses) {
      writer_.raw(tool.raw);
    } else {
      context_.warnings.dropped(field, "a tool of another provider's");
    }
    return;
  }
  const bool custom = tool.kind == chat::ToolKind::custom;
  if (custom && target_.custom_tools) {
    writer_.begin_object().member("type", "custom").member("name", tool.name);
    if (!tool.description.empty()) writer_.member("description", tool.description);
    if (!tool.schema.empty()) writer_.raw_member("format", tool.schema);
    writer_.end_object();
    return;
  }
  writer_.begin_object().member("type", "function").member("name", tool.name);
  if (!tool.description.empty()) writer_.member("description", tool.description);
  if (custom) {
    context_.warnings.emulated(field, "a free-text tool became a function with one text");
    writer_.raw_member("parameters", custom_tool_schema()).member("strict", false).end_object();
    return;
  }
  bool strict = tool.strict.value_or(false) && target_.strict_tools;
  if (!target_.strict_tools) warn_not_strict(request_, tool, index, "this model has no strict tools", context_);
  std::string_view schema = object_schema(tool.schema, context_.parser, context_.arena);
  const std::string_view path = schema_path(request_, tool, index, context_.arena);
  if (strict && !own_) {
    strict = chat::fit_strict(schema, path, context_.parser, context_.arena, context_.warnings);
  } else if (!strict) {
    schema =
        chat::convert_schema(schema, target_.tool_schema, path, context_.parser, context_.arena, context_.warnings);
  }
  writer_.raw_member("parameters", schema);
  // Said always: here, saying nothing means true.
  writer_.member("strict", strict).end_object();
}

void RequestWriter::named_choice(std::string_view name) {
  const bool hosted = std::ranges::any_of(request_.tools, [&](const chat::Tool& tool) {
    return tool.kind == chat::ToolKind::opaque && !tool.name.empty() && tool.name == name;
  });
  if (hosted) {
    writer_.begin_object().member("type", name).end_object();
    return;
  }
  const bool custom = target_.custom_tools && std::ranges::any_of(request_.tools, [&](const chat::Tool& tool) {
                        return tool.kind == chat::ToolKind::custom && tool.name == name;
                      });
  writer_.begin_object().member("type", custom ? "custom" : "function").member("name", name).end_object();
}

void RequestWriter::tool_choice() {
  using chat::ToolChoiceMode;
  const chat::ToolChoice& choice = request_.tool_choice;
  if (!any_tool()) return;
  if (target_.tool_choice && choice.mode != ToolChoiceMode::unset) {
    writer_.key("tool_choice");
    const bool required = choice.mode == ToolChoiceMode::required;
    if (choice.mode == ToolChoiceMode::named) {
      named_choice(choice.name);
    } else if (choice.mode == ToolChoiceMode::none) {
      writer_.value("none");
    } else if (choice.allowed.empty() || !target_.allowed_tools) {
      writer_.value(required ? "required" : "auto");
    } else {
      writer_.begin_object().member("type", "allowed_tools").member("mode", required ? "required" : "auto");
      writer_.key("tools").begin_array();
      for (const std::string_view name : choice.allowed) named_choice(name);
      writer_.end_array().end_object();
    }
  }
  if (!request_.parallel_tool_calls) return;
  if (target_.parallel_tool_calls) {
    writer_.member("parallel_tool_calls", *request_.parallel_tool_calls);
  } else if (!*request_.parallel_tool_calls) {
    context_.warnings.dropped("parallel_tool_calls", "this model has no such switch");
  }
}

// What has to be said in words where the target has no such format. JSON mode wants the word JSON in the conversation
// even where it has it (InputWriter looks whether it is there).
std::string RequestWriter::format_instruction() {
  switch (request_.format.kind) {
    case chat::FormatKind::json_object:
      if (own_ && native_format()) return {};
      if (!native_format()) context_.warnings.emulated("response_format", "JSON is asked for by an instruction");
      return "Answer with one JSON object and nothing else.";
    case chat::FormatKind::json_schema:
      if (native_format()) return {};
      context_.warnings.emulated("response_format", "the schema is asked for by an instruction");
      return schema_instruction(request_,
                                "Answer with one JSON value that this JSON Schema accepts, and nothing else: ");
    default: return {};
  }
}

void RequestWriter::text() {
  const bool verbosity = !request_.verbosity.empty() && target_.verbosity;
  if (!request_.verbosity.empty() && !target_.verbosity && request_.verbosity != "medium") {
    context_.warnings.dropped("verbosity", "this model has no such parameter");
  }
  if (!verbosity && !native_format()) return;
  writer_.key("text").begin_object();
  if (native_format() && request_.format.kind == chat::FormatKind::json_object) {
    writer_.key("format").begin_object().member("type", "json_object").end_object();
  } else if (native_format()) {
    json_schema();
  }
  if (verbosity) writer_.member("verbosity", request_.verbosity);
  if (own_) extras_of("text.");
  writer_.end_object();
}

void RequestWriter::json_schema() {
  constexpr size_t kNameBytesMax = 64;
  const chat::ResponseFormat& format = request_.format;
  std::string name;
  for (const char c : format.name.substr(0, kNameBytesMax)) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    name += word ? c : '_';
  }
  writer_.key("format").begin_object().member("type", "json_schema");
  writer_.member("name", name.empty() ? "response" : name);
  if (!format.description.empty()) writer_.member("description", format.description);
  std::string_view schema = format.schema;
  const bool strict = fit_format(schema);
  writer_.raw_member("schema", schema).member("strict", strict).end_object();
}

// Whether the answer's schema, in the form that it now has, is strict.
bool RequestWriter::fit_format(std::string_view& schema) {
  const std::optional<bool> strict = request_.format.strict;
  if (own_) return strict.value_or(false);
  const bool may_ask = request_.from == Dialect::openai_chat || request_.from == Dialect::azure;
  if (!strict && may_ask) return chat::is_openai_strict(schema, context_.parser, context_.arena);
  // Dialects without the switch promise the schema anyway.
  if (strict == false) return false;
  return target_.output_schema != chat::SchemaSubset::openai_strict ||
         chat::fit_strict(schema, "response_format", context_.parser, context_.arena, context_.warnings);
}

Effort RequestWriter::effort() {
  const chat::Reasoning& asked = request_.reasoning;
  if (target_.reasoning != chat::ReasoningStyle::effort) {
    const bool on = asked.mode != chat::ReasoningMode::unset || asked.budget_tokens.value_or(0) > 0;
    const bool wanted = on || (asked.effort != Effort::unset && asked.effort != Effort::none);
    if (wanted && asked.mode != chat::ReasoningMode::off) {
      context_.warnings.dropped("reasoning", "this model cannot be told how to reason");
    }
    return Effort::unset;
  }
  if (asked.mode == chat::ReasoningMode::off) {
    if (target_.effort_none) return Effort::none;
    if (!target_.reasons_by_default) return Effort::unset;
    context_.warnings.changed("reasoning", "this model always reasons: the least effort instead of none");
    return target_.effort_min;
  }
  Effort wanted = asked_effort(request_, context_);
  const bool on = asked.mode != chat::ReasoningMode::unset;
  if (wanted == Effort::unset && on && !own_ && !target_.reasons_by_default) wanted = Effort::medium;
  if (wanted == Effort::unset) return wanted;
  const Effort fitted = std::clamp(wanted, target_.effort_min, target_.effort_max);
  if (fitted != wanted) context_.warnings.changed("reasoning", "the nearest effort that this model knows");
  return fitted;
}

// Here thoughts come only where a summary is asked for. In some dialects whoever lets the model think sees them unless
// they ask not to.
std::string_view RequestWriter::summary() const {
  const chat::Reasoning& asked = request_.reasoning;
  if (!asked.summary.empty()) return asked.summary;
  const bool on = asked.mode == chat::ReasoningMode::on || asked.mode == chat::ReasoningMode::adaptive;
  const bool shown =
      request_.from == Dialect::anthropic || request_.from == Dialect::bedrock || request_.from == Dialect::cohere;
  return asked.visible.value_or(on && shown) ? "auto" : "";
}

void RequestWriter::reasoning() {
  if (target_.reasoning != chat::ReasoningStyle::effort) return;
  const std::string_view summary = this->summary();
  const bool off = effort_ == Effort::none;
  if (effort_ == Effort::unset && summary.empty()) return;
  writer_.key("reasoning").begin_object();
  if (effort_ != Effort::unset) writer_.member("effort", to_string(effort_));
  if (!summary.empty() && !off) writer_.member("summary", summary);
  if (own_) extras_of("reasoning.");
  writer_.end_object();
}

void RequestWriter::limits() {
  constexpr uint64_t kMaxTokensMin = 16;  // schema CreateResponse
  if (const auto max_tokens = gate_max_tokens(request_, target_, context_)) {
    if (*max_tokens < kMaxTokensMin) context_.warnings.changed("max_tokens", "raised to the least this API takes, 16");
    writer_.member("max_output_tokens", std::max(*max_tokens, kMaxTokensMin));
  }
  gate_cache_marks(request_, target_, {.media = true, .hours = false}, context_);
  const Sampling sampling = gate_sampling(request_, target_, reasons(), context_);
  if (!sampling.temperature.empty()) writer_.raw_member("temperature", sampling.temperature);
  if (!sampling.top_p.empty()) writer_.raw_member("top_p", sampling.top_p);
  dropped(!sampling.top_k.empty(), "top_k");
  dropped(!request_.stop.empty(), "stop");
  dropped(!request_.frequency_penalty.empty() && request_.frequency_penalty != "0", "frequency_penalty");
  dropped(!request_.presence_penalty.empty() && request_.presence_penalty != "0", "presence_penalty");
  dropped(!request_.seed.empty(), "seed");
  dropped(!request_.logit_bias.empty() && request_.logit_bias != "{}", "logit_bias");
}

void RequestWriter::others() {
  // What a client wants kept is kept by the gateway, for every provider alike.
  writer_.member("store", false);
  include();
  user();
  if (!request_.metadata.empty() && target_.metadata) writer_.raw_member("metadata", request_.metadata);
  if (!request_.metadata.empty() && !target_.metadata) {
    context_.warnings.dropped("metadata", "this model's API has no such parameter");
  }
  if (!request_.service_tier.empty()) {
    // Groq's "on_demand" and Anthropic's "standard_only" are none of OpenAI's words.
    const bool known =
        own_ || std::ranges::find(kServiceTiers, request_.service_tier) != std::ranges::end(kServiceTiers);
    if (target_.service_tier && known) {
      writer_.member("service_tier", request_.service_tier);
    } else if (request_.service_tier != "auto") {
      context_.warnings.dropped("service_tier", "this model's API has no such tier");
    }
  }
  if (!request_.prompt_cache_key.empty()) {
    if (target_.prompt_cache_key) {
      writer_.member("prompt_cache_key", request_.prompt_cache_key);
    } else {
      context_.warnings.dropped("prompt_cache_key", "this model's API has no such parameter");
    }
  }
  if (own_ && !request_.truncation.empty()) writer_.member("truncation", request_.truncation);
  if (!request_.prompt_cache_retention.empty()) {
    if (target_.prompt_cache_key) {
      writer_.member("prompt_cache_retention", request_.prompt_cache_retention);
    } else {
      context_.warnings.dropped("prompt_cache_retention", "this model's API has no such parameter");
    }
  }
}

void RequestWriter::include() {
  constexpr std::string_view kEncrypted = "reasoning.encrypted_content";
  constexpr std::string_view kLogprobs = "message.output_text.logprobs";
  const bool logprobs = request_.logprobs.value_or(false) && target_.logprobs && !reasons();
  if (request_.logprobs.value_or(false) && !logprobs) {
    context_.warnings.dropped("logprobs", "this model gives no log probabilities");
  }
  chat::List<std::string_view> names;
  // Nothing is stored at the provider: reasoning has to travel with the conversation.
  if (target_.reasoning == chat::ReasoningStyle::effort) names.push(context_.arena, kEncrypted);
  if (logprobs) names.push(context_.arena, kLogprobs);
  for (const std::string_view name : request_.include) {
    if (name != kEncrypted && name != kLogprobs) names.push(context_.arena, name);
  }
  const bool most = request_.top_logprobs.value_or(0) > 0;
  if (request_.top_logprobs && (logprobs || (own_ && target_.logprobs && !reasons()))) {
    writer_.member("top_logprobs", *request_.top_logprobs);
  } else if (most) {
    context_.warnings.dropped("top_logprobs", "this model gives no log probabilities here");
  }
  if (names.empty()) return;
  writer_.key("include").begin_array();
  for (const std::string_view name : names) writer_.value(name);
  writer_.end_array();
}

void RequestWriter::user() {
  const bool openai = target_.minter == chat::Minter::openai || target_.minter == chat::Minter::azure;
  if (openai && target_.user) {
    user_member("user", request_.user);
    user_member("safety_identifier", request_.safety_identifier);
    return;
  }
  const std::string_view name = one_user(request_, context_);
  if (name.empty()) return;
  if (target_.user) return user_member("user", name);
  context_.warnings.dropped(user_field(request_), "this provider takes no name of a user");
}

void RequestWriter::user_member(std::string_view member, std::string_view name) {
  constexpr size_t kUserBytesMax = 64;  // schema ModelResponseProperties, safety_identifier
  if (name.empty()) return;
  if (name.size() <= kUserBytesMax) {
    writer_.member(member, name);
    return;
  }
  context_.warnings.changed(member, "shortened to 64 characters");
  writer_.member(member, name.substr(name.size() - kUserBytesMax));
}

Outcome<void> RequestWriter::extras() {
  for (const chat::Extra& extra : request_.extras) {
    const bool nested = extra.name.starts_with("text.") || extra.name.starts_with("reasoning.");
    if (!own_) {
      if (auto left = leave_extra(extra, kNoSuchParameter, context_); !left) return left;
    } else if (!nested && (extra.name != "tool_choice" || any_tool())) {
      writer_.raw_member(extra.name, extra.value);
    }
  }
  return {};
}

void RequestWriter::extras_of(std::string_view object) {
  for (const chat::Extra& extra : request_.extras) {
    if (extra.name.starts_with(object)) writer_.raw_member(extra.name.substr(object.size()), extra.value);
  }
}

}  // namespace

Outcome<void> write_request(const Request& request, const Target& target, WriteContext& context, std::string& out) {
  std::optional<chat::Request> storage;
  const auto own = with_own_server_tools(request, target, context, storage);
  if (!own) return std::unexpected(own.error());
  const size_t start = out.size();
  auto written = RequestWriter(**own, target, context, out).write();
  if (!written) out.resize(start);
  return written;
}

}  // namespace llmgw::dialects::openai_responses
