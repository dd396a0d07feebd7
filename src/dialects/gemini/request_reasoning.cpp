// Thinking settings, members kept for the same dialect, and what is left.
#include <algorithm>
#include <array>
#include <string>

#include "dialects/gemini/functions.h"
#include "dialects/gemini/request_writer.h"
#include "dialects/gemini/words.h"
#include "dialects/losses.h"
#include "dialects/request_gates.h"
#include "dialects/server_tools.h"

namespace llmgw::dialects::gemini {

using chat::Effort;
using chat::ReasoningMode;
using chat::ReasoningStyle;

namespace {

// Google's own mapping of efforts ("OpenAI compatibility", thinking, 2026).
int64_t budget_of(Effort effort) {
  switch (effort) {
    case Effort::unset: return -1;
    case Effort::none: return 0;
    case Effort::minimal:
    case Effort::low: return 1024;
    case Effort::medium: return 8192;
    case Effort::high: return 24'576;
    default: return 32'768;
  }
}

}  // namespace

void RequestWriter::write_thinking() {
  const chat::Reasoning& reasoning = request_.reasoning;
  const bool asked = reasoning.mode != ReasoningMode::unset || reasoning.effort != Effort::unset ||
                     reasoning.budget_tokens || reasoning.visible || !reasoning.summary.empty();
  if (!asked) return;
  const bool budget = target_.reasoning == ReasoningStyle::gemini_budget;
  if (!budget && target_.reasoning != ReasoningStyle::gemini_level) {
    const bool off = reasoning.mode == ReasoningMode::off || reasoning.effort == Effort::none;
    if (!off) context_.warnings.dropped("reasoning", "this model does not reason");
    return;
  }
  w_.key("thinkingConfig").begin_object();
  if (budget) {
    write_budget();
  } else {
    write_level();
  }
  const bool off = reasoning.mode == ReasoningMode::off || reasoning.effort == Effort::none;
  const bool on = reasoning.mode == ReasoningMode::on || reasoning.mode == ReasoningMode::adaptive;
  const bool by_default = on && !is_gemini(request_.from);
  const bool shown = reasoning.visible.value_or(by_default || !reasoning.summary.empty());
  if (shown && !off) w_.member("includeThoughts", true);
  if (reasoning.visible == false) w_.member("includeThoughts", false);
  write_extras_of("generationConfig.thinkingConfig.");
  w_.end_object();
}

void RequestWriter::write_budget() {
  const chat::Reasoning& reasoning = request_.reasoning;
  if (reasoning.mode == ReasoningMode::off || reasoning.effort == Effort::none) {
    if (!target_.reasoning_can_be_off) {
      context_.warnings.changed("reasoning", "this model always reasons: the smallest budget was set");
    }
    w_.member("thinkingBudget", target_.reasoning_can_be_off ? 0 : static_cast<int64_t>(target_.budget_min));
    return;
  }
  const bool any = reasoning.budget_tokens || reasoning.effort != Effort::unset;
  // Only whether thoughts are shown.
  if (!any && (reasoning.mode == ReasoningMode::unset || is_gemini(request_.from))) return;
  int64_t budget = reasoning.budget_tokens.value_or(budget_of(reasoning.effort));
  if (budget >= 0) {
    const int64_t least = target_.budget_min;
    const int64_t most = target_.budget_max == 0 ? budget_of(Effort::high) : target_.budget_max;
    const int64_t fitted = std::clamp(budget, std::min(least, most), most);
    if (fitted != budget && reasoning.budget_tokens) {
      context_.warnings.changed("reasoning", "the thinking budget was fitted to what this model takes");
    } else if (budget > most) {
      context_.warnings.changed("reasoning_effort", "this model knows no such effort: sent its largest budget");
    }
    budget = fitted;
  }
  w_.member("thinkingBudget", budget);
}

void RequestWriter::write_level() {
  const chat::Reasoning& reasoning = request_.reasoning;
  Effort effort = reasoning.effort;
  const bool off = reasoning.mode == ReasoningMode::off || effort == Effort::none;
  if (off) {
    context_.warnings.changed("reasoning", "this model always reasons: the lowest level was set");
    effort = target_.effort_min;
  } else {
    effort = asked_effort(request_, context_);
  }
  if (effort == Effort::unset) return;  // the model's own choice
  if (effort < target_.effort_min) effort = target_.effort_min;
  if (effort > target_.effort_max) effort = target_.effort_max;
  w_.member("thinkingLevel", level_of_effort(effort));
}

// Members of the client's own request that stood below this path, not deeper.
void RequestWriter::write_extras_of(std::string_view path) {
  if (!is_gemini(request_.from)) return;
  for (const chat::Extra& extra : request_.extras) {
    if (!extra.name.starts_with(path)) continue;
    const std::string_view name = extra.name.substr(path.size());
    if (name.find('.') == std::string_view::npos) w_.raw_member(name, extra.value);
  }
}

// OpenAI's and OpenRouter's words for what the answer is to be made of.
void RequestWriter::write_modalities() {
  for (const chat::Extra& extra : request_.extras) {
    if (is_gemini(request_.from) || extra.name != "modalities") continue;
    w_.key("responseModalities").begin_array();
    for (const std::string_view word : {"text", "image", "audio"}) {
      const std::string quoted = "\"" + std::string(word) + "\"";
      if (extra.value.find(quoted) == std::string_view::npos) continue;
      w_.value(word == "text" ? "TEXT" : word == "image" ? "IMAGE" : "AUDIO");
    }
    w_.end_array();
  }
}

Outcome<void> RequestWriter::write_top_extras() {
  // Asks for what every answer has anyway.
  constexpr std::array<std::string_view, 3> kHarmless{"stream_options", "stream", "modalities"};
  for (const chat::Extra& extra : request_.extras) {
    const bool top = extra.name.find_first_of(".[") == std::string_view::npos;
    if (!is_gemini(request_.from)) {
      if (std::ranges::find(kHarmless, extra.name) == kHarmless.end())
        TRY_VOID(leave_extra(extra, "this model's API has no such parameter", context_));
    } else if (top) {
      w_.raw_member(extra.name, extra.value);
    }
  }
  return {};
}

void RequestWriter::warn_of_the_rest() {
  constexpr std::string_view kReason = "this model's API has no such parameter";
  const auto warn = [&](bool there, std::string_view field) {
    if (there) context_.warnings.dropped(field, kReason);
  };
  const std::string_view bias = request_.logit_bias;
  warn(!bias.empty() && bias != "{}", "logit_bias");
  warn(!one_user(request_, context_).empty(), user_field(request_));
  warn(request_.parallel_tool_calls == false && !request_.tools.empty(), "parallel_tool_calls");
  warn(!request_.verbosity.empty() && request_.verbosity != "medium", "verbosity");
  warn(!request_.prompt_cache_key.empty(), "prompt_cache_key");
  warn(!request_.prompt_cache_retention.empty(), "prompt_cache_retention");
}

// AI Studio's words (ai.google.dev/gemini-api/docs/priority-inference and flex-inference, 2026); Vertex takes them as
// headers. Its standard is what everybody gets who says nothing.
void RequestWriter::write_service_tier() {
  const std::string_view tier = request_.service_tier;
  if (tier.empty() || tier == "auto" || tier == "default" || tier.starts_with("standard")) return;
  if (target_.service_tier && (tier == "flex" || tier == "priority" || is_gemini(request_.from))) {
    w_.member("serviceTier", tier);
  } else {
    context_.warnings.dropped("service_tier", "this model's API has no such tier");
  }
}

Outcome<void> write_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                            std::string& out) {
  std::optional<chat::Request> storage;
  const auto own = with_own_server_tools(request, target, context, storage);
  if (!own) return std::unexpected(own.error());
  return RequestWriter(**own, target, context, out).write();
}

}  // namespace llmgw::dialects::gemini
