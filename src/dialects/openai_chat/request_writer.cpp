#include "dialects/openai_chat/request_writer.h"

#include "dialects/losses.h"
#include "dialects/openai_chat/functions.h"
#include "dialects/openai_chat/message_reader.h"
#include "dialects/openai_chat/words.h"
#include "dialects/request_gates.h"
#include "dialects/server_tools.h"

namespace llmgw::dialects::openai_chat {
namespace {

class RequestWriter {
 public:
  RequestWriter(const chat::Request& request, const chat::Target& target, WriteContext& context, std::string& out)
      : request_(request), target_(target), context_(context), w_(out) {}

  Outcome<void> write() {
    TRY(plan, make_plan(request_, target_, context_));
    const chat::Conversation conversation = chat::arrange(request_, rules(plan), context_.arena, context_.warnings);
    w_.begin_object().member("model", target_.model).key("messages");
    TRY_VOID(write_messages(w_, request_, target_, plan, conversation, context_));
    write_tools(w_, request_, target_, plan, context_);
    write_format(w_, request_, target_, plan, context_);
    write_reasoning(w_, request_, target_, context_);
    TRY_VOID(sampling(plan));
    identity();
    stream();
    TRY_VOID(extras(plan));
    w_.end_object();
    warn_of_losses(request_, keeps(), context_);
    return {};
  }

 private:
  chat::TurnRules rules(const Plan& plan) const {
    return {.merge = !plan.same_dialect,
            .results_in_user_turn = false,
            .media_out_of_results = !target_.tool_result_images,
            .user_first = false,
            .allow_prefill = target_.assistant_prefill,
            .mid_system = target_.mid_system && target_.system_role,
            .drop_empty_text = !plan.same_dialect,
            .one_text = true,
            .opaque_of = chat::Dialect::openai_chat,
            .minter = target_.minter,
            .model = target_.model,
            .keep_thinking = !target_.reasoning_member.empty(),
            .thinking_needs_signature = false,
            .id_rule = target_.tool_id_rule,
            .id_max = target_.tool_id_max,
            .ids_unique = target_.tool_ids_unique};
  }

  bool openai() const { return target_.minter == chat::Minter::openai || target_.minter == chat::Minter::azure; }

  // OpenAI itself shows no thoughts here; its vendors do, and look at pictures as closely as they are told.
  Keeps keeps() const {
    return {.dialect = chat::Dialect::openai_chat,
            .names = true,
            .detail = true,
            .thoughts = !openai(),
            .store = target_.store,
            .formats = true,
            .hides = openai(),
            .reasoned = reasoned()};
  }

  // See Keeps: by effort, by tokens, or by a switch alone.
  Reasoned reasoned() const {
    const bool said = request_.reasoning.effort != chat::Effort::unset;
    switch (target_.reasoning) {
      case chat::ReasoningStyle::effort: return {.effort = true, .budget = !said};
      case chat::ReasoningStyle::anthropic_budget: return {.effort = false, .budget = true};
      case chat::ReasoningStyle::enable_thinking:
      case chat::ReasoningStyle::anthropic_adaptive: return {.effort = false, .budget = false};
      default: return kNotReasoned;
    }
  }

  // A number or JSON that the target takes or does not.
  void raw(std::string_view name, std::string_view json, bool takes) {
    if (json.empty()) return;
    if (takes) {
      w_.raw_member(name, json);
    } else {
      context_.warnings.dropped(name, "this model has no such parameter");
    }
  }

  void text(std::string_view name, std::string_view value, bool takes) {
    if (value.empty()) return;
    if (takes) {
      w_.member(name, value);
    } else {
      context_.warnings.dropped(name, "this provider has no such parameter");
    }
  }

  Outcome<void> sampling(const Plan& plan) {
    if (const auto max_tokens = gate_max_tokens(request_, target_, context_)) {
      const bool old_name = target_.max_tokens_name == chat::MaxTokensName::max_tokens;
      w_.member(old_name ? "max_tokens" : "max_completion_tokens", *max_tokens);
    }
    gate_cache_marks(request_, target_, {.tools = true}, context_);
    const Sampling sampling = gate_sampling(request_, target_, plan.reasoning, context_);
    raw("temperature", sampling.temperature, true);
    raw("top_p", sampling.top_p, true);
    raw("top_k", sampling.top_k, true);
    const bool free = !plan.reasoning || target_.sampling_while_reasoning;
    raw("frequency_penalty", request_.frequency_penalty, target_.penalties && free);
    raw("presence_penalty", request_.presence_penalty, target_.penalties && free);
    raw("logit_bias", request_.logit_bias, target_.logit_bias && free);
    raw(target_.seed ? target_.seed_name : "seed", request_.seed, target_.seed);
    if (request_.n.value_or(1) > 1 && !target_.n)
      return invalid("this model gives one answer a call: n must be 1", "n");
    if (request_.n && target_.n) w_.member("n", *request_.n);
    if (request_.logprobs == true || (request_.logprobs && plan.same_dialect)) {
      raw("logprobs", *request_.logprobs ? "true" : "false", target_.logprobs && free);
    }
    if (request_.top_logprobs && target_.logprobs && free) {
      w_.member("top_logprobs", *request_.top_logprobs);
    } else if (request_.top_logprobs.value_or(0) > 0) {
      context_.warnings.dropped("top_logprobs", "this model has no such parameter, or not while it reasons");
    }
    const auto stop = gate_stop(request_, target_, false, context_);
    if (!stop.empty()) {
      w_.key("stop").begin_array();
      for (const std::string_view one : stop) w_.value(one);
      w_.end_array();
    }
    return {};
  }

  void identity() {
    user();
    raw("metadata", request_.metadata, target_.metadata);
    if (request_.store && target_.store) w_.member("store", *request_.store);
    if (!request_.service_tier.empty()) {
      const bool own = is_own_dialect(request_.from) || request_.from == chat::Dialect::openai_responses;
      const std::string_view tier = own ? request_.service_tier : service_tier_word(request_.service_tier);
      text("service_tier", tier.empty() ? request_.service_tier : tier, target_.service_tier && !tier.empty());
    }
    text("verbosity", request_.verbosity, target_.verbosity);
    text("prompt_cache_key", request_.prompt_cache_key, target_.prompt_cache_key);
    text("prompt_cache_retention", request_.prompt_cache_retention, target_.prompt_cache_key);
  }

  // Vendors know the older name only.
  void user() {
    if (openai() && target_.user) {
      text("user", request_.user, true);
      text("safety_identifier", request_.safety_identifier, true);
      return;
    }
    const std::string_view name = one_user(request_, context_);
    if (name.empty()) return;
    if (target_.user) {
      w_.member("user", name);
    } else {
      context_.warnings.dropped(user_field(request_), "this provider has no such parameter");
    }
  }

  void stream() {
    if (!request_.stream) return;
    w_.member("stream", true);
    if (request_.continues_last && target_.continuation == chat::Continuation::continue_final_message) {
      w_.member("continue_final_message", true).member("add_generation_prompt", false);
    }
    // Always asked for: the gateway counts tokens also where the client does not.
    if (target_.stream_options) w_.key("stream_options").begin_object().member("include_usage", true).end_object();
  }

  Outcome<void> extras(const Plan& plan) {
    for (const chat::Tool& tool : request_.tools) {
      if (is_request_member(request_, tool)) w_.raw_member(tool.name, tool.raw);
    }
    for (const chat::Extra& extra : request_.extras) {
      if (plan.same_dialect) {
        w_.raw_member(extra.name, extra.value);
      } else {
        TRY_VOID(leave_extra(extra, "this provider's API has no such parameter", context_));
      }
    }
    return {};
  }

  const chat::Request& request_;
  const chat::Target& target_;
  WriteContext& context_;
  json::Writer w_;
};

}  // namespace

Outcome<void> write_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                            std::string& out) {
  std::optional<chat::Request> storage;
  const auto own = with_own_server_tools(request, target, context, storage);
  if (!own) return std::unexpected(own.error());
  return RequestWriter(**own, target, context, out).write();
}

}  // namespace llmgw::dialects::openai_chat
