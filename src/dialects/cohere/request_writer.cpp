#include <algorithm>
#include <charconv>

#include "chat/schema.h"
#include "dialects/cohere/functions.h"
#include "dialects/cohere/message_reader.h"
#include "dialects/cohere/turn_writer.h"
#include "dialects/losses.h"
#include "dialects/request_gates.h"
#include "dialects/server_tools.h"

namespace llmgw::dialects::cohere {
namespace {

using chat::FormatKind;
using chat::Tool;
using chat::ToolChoiceMode;
using chat::ToolKind;

class RequestWriter {
 public:
  RequestWriter(const chat::Request& request, const chat::Target& target, WriteContext& context, std::string& out)
      : request_(request), target_(target), context_(context), arena_(context.arena), w_(out) {}

  Outcome<void> write() {
    same_dialect_ = request_.from == chat::Dialect::cohere;
    if (request_.n.value_or(1) > 1) return wrong("this model gives one answer a call: n must be 1", "n");
    TRY_VOID(plan_tools());
    plan_format();
    const chat::Conversation conversation = chat::arrange(request_, rules(), arena_, context_.warnings);
    w_.begin_object().member("model", target_.model).key("messages");
    TRY(documents, write_turns(w_, request_, target_, conversation, instruction_, context_));
    if (!documents.empty()) w_.key("documents").begin_array().raw(documents).end_array();
    tools();
    format();
    thinking();
    sampling();
    if (request_.stream) w_.member("stream", true);
    TRY_VOID(rest());
    w_.end_object();
    const bool by_budget = request_.reasoning.budget_tokens.value_or(0) > 0;
    const bool reasons = target_.reasoning != chat::ReasoningStyle::none;
    warn_of_losses(request_,
                   {.dialect = chat::Dialect::cohere,
                    .detail = true,
                    .cited_docs = true,
                    .doc_ids = true,
                    .formats = !native_format_,
                    .reasoned = reasons ? Reasoned{.effort = !by_budget} : kNotReasoned},
                   context_);
    return {};
  }

 private:
  chat::TurnRules rules() const {
    return {.merge = !same_dialect_,
            .results_in_user_turn = false,
            .media_out_of_results = any_media_result(),
            .user_first = false,
            .allow_prefill = target_.assistant_prefill,
            .mid_system = target_.mid_system,
            .one_text = true,
            .opaque_of = chat::Dialect::cohere,
            .minter = target_.minter,
            .model = target_.model,
            .keep_thinking = target_.reasoning != chat::ReasoningStyle::none,
            .thinking_needs_signature = false,
            .id_rule = target_.tool_id_rule,
            .id_max = target_.tool_id_max,
            .ids_unique = target_.tool_ids_unique};
  }

  // Results are texts and documents of text: what else a tool gave has to stand outside of them.
  bool any_media_result() const {
    const auto is_text = [](const chat::Part& part) {
      return part.kind == chat::PartKind::text || (part.kind == chat::PartKind::document && part.media != nullptr &&
                                                   part.media->source == chat::MediaSource::text);
    };
    for (const chat::Message& message : request_.messages) {
      for (const chat::Part& part : message.parts) {
        if (part.kind == chat::PartKind::tool_result && !std::ranges::all_of(part.content, is_text)) return true;
      }
    }
    return false;
  }

  bool allowed(std::string_view name) const {
    const chat::ToolChoice& choice = request_.tool_choice;
    if (choice.mode == ToolChoiceMode::named) return name == choice.name;
    return choice.allowed.empty() || std::ranges::find(choice.allowed, name) != choice.allowed.end();
  }

  // Cohere can be told that some tool must be called, not which: only those that may be are sent.
  Outcome<void> plan_tools() {
    mode_ = request_.tool_choice.mode;
    if (!target_.tools && !request_.tools.empty() && mode_ != ToolChoiceMode::none) {
      return wrong("this model does not call tools", "tools");
    }
    size_t index = 0;
    for (const Tool& tool : request_.tools) {
      const std::string_view field = tool_path(tool, index++, arena_);
      if (!target_.tools || !allowed(tool.name)) continue;
      if (tool.kind == ToolKind::opaque) {
        context_.warnings.dropped(field, "this provider's API has no such tool");
        continue;
      }
      Tool sent = tool;
      if (tool.kind == ToolKind::custom) {
        context_.warnings.emulated(field, "sent as a function with one text parameter");
        sent.schema = custom_tool_schema();
      }
      tools_.push(arena_, sent);
    }
    const bool forced = mode_ == ToolChoiceMode::required || mode_ == ToolChoiceMode::named;
    if (forced && tools_.empty()) return wrong("a tool must be called, but there is none that can be", "tool_choice");
    if (forced && !(target_.tool_choice && target_.tool_choice_required)) {
      return wrong("this model cannot be made to call a tool", "tool_choice");
    }
    if (mode_ == ToolChoiceMode::none && !target_.tool_choice) tools_ = {};
    return {};
  }

  void plan_format() {
    const FormatKind kind = request_.format.kind;
    if (kind != FormatKind::json_object && kind != FormatKind::json_schema) return;
    const bool schema = kind == FormatKind::json_schema && !request_.format.schema.empty();
    const bool takes = schema ? target_.json_schema == chat::JsonSchemaSupport::native &&
                                    (same_dialect_ || takes_answer_schema(request_, target_, context_))
                              : target_.json_object;
    // Cohere takes a format or tools, not both.
    native_format_ = takes && tools_.empty();
    if (native_format_ && (schema || same_dialect_)) return;
    std::string text = "Answer with one JSON object and with nothing else.";
    if (schema) {
      text = schema_instruction(request_,
                                "Answer with one JSON value that fits this JSON schema, and with nothing else:\n");
    }
    instruction_ = arena_.copy(text);
    if (!native_format_) context_.warnings.emulated("response_format", "this model is told in words how to answer");
  }

  void tools() {
    if (tools_.empty()) return;
    w_.key("tools").begin_array();
    bool strict = true;
    size_t index = 0;
    for (const Tool& tool : tools_) {
      strict = strict && tool.strict == true;
      std::string_view schema = object_schema(tool.schema, context_.parser, arena_);
      if (target_.tool_schema != chat::SchemaSubset::any) {
        schema = chat::convert_schema(schema, target_.tool_schema, schema_path(request_, tool, index, arena_),
                                      context_.parser, arena_, context_.warnings);
      }
      ++index;
      w_.begin_object().member("type", "function").key("function").begin_object().member("name", tool.name);
      if (!tool.description.empty()) w_.member("description", tool.description);
      w_.raw_member("parameters", schema).end_object().end_object();
    }
    w_.end_array();
    // For all tools or for none.
    strict = strict && target_.strict_tools;
    if (strict) w_.member("strict_tools", true);
    for (size_t i = 0; i < tools_.size() && !strict; ++i) {
      warn_not_strict(request_, tools_[i], i,
                      target_.strict_tools ? "here all tools are strict or none" : "this model has no strict tools",
                      context_);
    }
    const bool forced = mode_ == ToolChoiceMode::required || mode_ == ToolChoiceMode::named;
    if (forced) w_.member("tool_choice", "REQUIRED");
    if (mode_ == ToolChoiceMode::none) w_.member("tool_choice", "NONE");
    if (request_.parallel_tool_calls == false) {
      context_.warnings.dropped("parallel_tool_calls", "this model cannot be kept to one tool call");
    }
  }

  void format() {
    if (!native_format_) return;
    w_.key("response_format").begin_object().member("type", "json_object");
    if (request_.format.kind == FormatKind::json_schema && !request_.format.schema.empty()) {
      std::string_view schema = request_.format.schema;
      if (target_.output_schema != chat::SchemaSubset::any) {
        schema = chat::convert_schema(schema, target_.output_schema, "response_format", context_.parser, arena_,
                                      context_.warnings);
      } else if (!same_dialect_) {
        schema = chat::plain_schema(schema, context_.parser, arena_);
      }
      w_.raw_member("json_schema", schema);
    }
    w_.end_object();
  }

  // Tokens for a word of effort; above medium the model may think as long as it likes.
  int64_t budget() const {
    const chat::Reasoning& reasoning = request_.reasoning;
    if (reasoning.budget_tokens.value_or(0) > 0) return *reasoning.budget_tokens;
    switch (reasoning.effort) {
      case chat::Effort::minimal: return 512;
      case chat::Effort::low: return 1024;
      case chat::Effort::medium: return 4096;
      default: return 0;
    }
  }

  void thinking() {
    const chat::Reasoning& reasoning = request_.reasoning;
    const bool off = reasoning.mode == chat::ReasoningMode::off || reasoning.effort == chat::Effort::none;
    const bool asked = reasoning.mode != chat::ReasoningMode::unset || reasoning.effort != chat::Effort::unset ||
                       reasoning.budget_tokens.has_value();
    reasoning_ = target_.reasons_by_default && !off;
    if (!asked) return;
    if (target_.reasoning == chat::ReasoningStyle::none) {
      if (!off) context_.warnings.dropped("reasoning_effort", "this model cannot be told how to reason");
      return;
    }
    reasoning_ = !off;
    w_.key("thinking").begin_object().member("type", off ? "disabled" : "enabled");
    if (const int64_t tokens = budget(); !off && tokens > 0) w_.member("token_budget", tokens);
    w_.end_object();
  }

  // A number within Cohere's range, or a warning.
  void ranged(std::string_view name, std::string_view field, std::string_view text, double least, double most) {
    if (text.empty()) return;
    double value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec == std::errc{} && value >= least && value <= most) {
      w_.raw_member(name, text);
      return;
    }
    context_.warnings.changed(field, "sent as the nearest value that this provider takes");
    w_.member(name, std::clamp(value, least, most));
  }

  void sampling() {
    if (const auto max_tokens = gate_max_tokens(request_, target_, context_)) w_.member("max_tokens", *max_tokens);
    gate_cache_marks(request_, target_, {}, context_);
    const Sampling sampling = gate_sampling(request_, target_, reasoning_, context_);
    if (!sampling.temperature.empty()) w_.raw_member("temperature", sampling.temperature);
    // Ranges of the API reference. Everything (1) is what others say for "no limit".
    constexpr double kLeastP = 0.01;
    constexpr double kMostP = 0.99;
    constexpr double kMostK = 500;
    if (sampling.top_p != "1" && sampling.top_p != "1.0") ranged("p", "top_p", sampling.top_p, kLeastP, kMostP);
    ranged("k", "top_k", sampling.top_k, 0, kMostK);
    ranged("frequency_penalty", "frequency_penalty", request_.frequency_penalty, 0, 1);
    ranged("presence_penalty", "presence_penalty", request_.presence_penalty, 0, 1);
    if (!request_.seed.empty()) w_.raw_member("seed", request_.seed);
    if (request_.logprobs == true) w_.member("logprobs", true);
    const auto stop = gate_stop(request_, target_, false, context_);
    if (stop.empty()) return;
    w_.key("stop_sequences").begin_array();
    for (const std::string_view text : stop) w_.value(text);
    w_.end_array();
  }

  Outcome<void> rest() {
    constexpr std::string_view kReason = "this provider's API has no such parameter";
    const auto drop = [&](bool there, std::string_view field) {
      if (there) context_.warnings.dropped(field, kReason);
    };
    drop(request_.top_logprobs.value_or(0) > 0, "top_logprobs");
    drop(!request_.logit_bias.empty() && request_.logit_bias != "{}", "logit_bias");
    drop(!request_.metadata.empty(), "metadata");
    drop(!one_user(request_, context_).empty(), user_field(request_));
    drop(!request_.service_tier.empty() && request_.service_tier != "auto", "service_tier");
    drop(!request_.verbosity.empty() && request_.verbosity != "medium", "verbosity");
    drop(!request_.prompt_cache_key.empty(), "prompt_cache_key");
    drop(!request_.prompt_cache_retention.empty(), "prompt_cache_retention");
    for (const chat::Extra& extra : request_.extras) {
      if (same_dialect_) {
        w_.raw_member(extra.name, extra.value);
      } else {
        TRY_VOID(leave_extra(extra, kReason, context_));
      }
    }
    return {};
  }

  const chat::Request& request_;
  const chat::Target& target_;
  WriteContext& context_;
  base::Arena& arena_;
  json::Writer w_;
  chat::List<Tool> tools_;
  ToolChoiceMode mode_ = ToolChoiceMode::unset;
  std::string_view instruction_;
  bool same_dialect_ = false;
  bool native_format_ = false;
  bool reasoning_ = false;
};

}  // namespace

Outcome<void> write_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                            std::string& out) {
  std::optional<chat::Request> storage;
  const auto own = with_own_server_tools(request, target, context, storage);
  if (!own) return std::unexpected(own.error());
  return RequestWriter(**own, target, context, out).write();
}

}  // namespace llmgw::dialects::cohere
