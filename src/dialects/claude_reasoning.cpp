#include "dialects/claude_reasoning.h"

#include <algorithm>

#include "dialects/request_gates.h"

namespace llmgw::dialects {
namespace {

using chat::Effort;
using chat::ReasoningMode;
using chat::ReasoningStyle;
using Thinking = ClaudeReasoning::Thinking;

// Anthropic's bound from below (extended thinking, budget_tokens).
constexpr int64_t kBudgetMin = 1024;

// Between OpenAI's words and Anthropic's budgets there is no official table. These are the steps most gateways use,
// doubled upwards; a budget is a ceiling, not a target.
int64_t budget_of(Effort effort) {
  switch (effort) {
    case Effort::minimal: return kBudgetMin;
    case Effort::low: return 2048;
    case Effort::high: return 16384;
    case Effort::xhigh: return 24576;
    case Effort::max: return 32768;
    default: return 8192;
  }
}

Effort clamped(Effort effort, const chat::Target& target) {
  if (effort == Effort::unset || effort == Effort::none) return Effort::unset;
  const Effort fitted = std::clamp(effort, std::max(target.effort_min, Effort::low), target.effort_max);
  if (fitted != Effort::xhigh || target.effort_xhigh) return fitted;
  return target.effort_max == Effort::max ? Effort::max : Effort::high;
}

// Between a call and its answer Anthropic wants the turn to begin with the thinking that led to the call.
bool loop_lacks_thinking(const chat::Conversation& conversation) {
  const auto& turns = conversation.turns;
  for (size_t i = turns.size(); i-- > 0;) {
    const chat::Turn& turn = turns[i];
    if (turn.role == chat::Role::assistant) {
      const bool calls = std::ranges::any_of(
          turn.parts, [](const chat::Part& part) { return part.kind == chat::PartKind::tool_call; });
      return calls && turn.parts.front().kind != chat::PartKind::thinking;
    }
    const bool results = std::ranges::any_of(
        turn.parts, [](const chat::Part& part) { return part.kind == chat::PartKind::tool_result; });
    if (turn.role == chat::Role::user && !results) return false;
  }
  return false;
}

// The client wrote the beginning of the answer. A turn of the provider's own that it paused ends otherwise.
bool begins_answer(const chat::Conversation& conversation) {
  if (conversation.turns.empty() || conversation.turns.back().role != chat::Role::assistant) return false;
  const auto& parts = conversation.turns.back().parts;
  const bool paused =
      std::ranges::any_of(parts, [](const chat::Part& part) { return part.kind == chat::PartKind::opaque; });
  return !paused && !parts.empty() && parts.back().kind == chat::PartKind::text;
}

class Planner {
 public:
  Planner(const chat::Request& request, const chat::Target& target, uint64_t max_tokens, WriteContext& context)
      : request_(request), target_(target), max_tokens_(static_cast<int64_t>(max_tokens)), context_(context) {}

  ClaudeReasoning run(bool forced_tool, const chat::Conversation& conversation) {
    const chat::Reasoning& asked = request_.reasoning;
    if (target_.reasoning != ReasoningStyle::anthropic_budget &&
        target_.reasoning != ReasoningStyle::anthropic_adaptive) {
      constexpr std::string_view kReason = "this model does not reason, or cannot be told to";
      if (wants_thinking()) context_.warnings.dropped("reasoning", kReason);
      if (wants_effort()) context_.warnings.dropped("reasoning_effort", kReason);
      return plan_;
    }
    if (asked.mode == ReasoningMode::off || asked.effort == Effort::none || asked.budget_tokens == 0) {
      off();
    } else if (wants_thinking()) {
      on();
    }
    // Anthropic's effort is about all it writes, not only about thoughts.
    if (target_.reasoning == ReasoningStyle::anthropic_adaptive || target_.effort_with_thinking) effort();
    pushed_out();
    if (thinks()) conflicts(forced_tool, conversation);
    plan_.forced_tool_impossible = forced_tool && thinks() && !target_.forced_tool_while_reasoning;
    return plan_;
  }

 private:
  bool wants_thinking() const {
    const chat::Reasoning& asked = request_.reasoning;
    if (asked.mode == ReasoningMode::on || asked.mode == ReasoningMode::adaptive) return true;
    if (asked.mode == ReasoningMode::off || asked.effort == Effort::none) return false;
    if (own_words()) return false;
    return asked.effort != Effort::unset || asked.budget_tokens.value_or(0) != 0;
  }

  bool wants_effort() const {
    const Effort effort = request_.reasoning.effort;
    return request_.reasoning.mode != ReasoningMode::off && effort != Effort::unset && effort != Effort::none;
  }

  // An effort beside a budget, and the other way round: the model takes one of them.
  void pushed_out() {
    const bool budget = request_.reasoning.budget_tokens.value_or(0) > 0;
    const bool as_budget = plan_.thinking == Thinking::enabled && !budget && !own_words();
    if (wants_effort() && plan_.effort == Effort::unset && !as_budget) {
      context_.warnings.dropped("reasoning_effort", "this model takes no effort, or none beside a budget of tokens");
    }
    if (budget && wants_effort() && plan_.thinking == Thinking::adaptive) {
      context_.warnings.dropped("reasoning.budget", "this model takes an effort instead of a budget of tokens");
    }
  }

  // To Anthropic's own clients effort and thinking are two things.
  bool own_words() const { return request_.from == chat::Dialect::anthropic; }

  bool thinks() const { return plan_.thinks(target_); }

  void off() {
    if (!target_.reasoning_can_be_off) {
      context_.warnings.changed("reasoning", "this model always reasons");
      plan_.effort = clamped(Effort::low, target_);
      return;
    }
    if (target_.reasons_by_default || request_.from == chat::Dialect::anthropic) plan_.thinking = Thinking::disabled;
  }

  void on() {
    const chat::Reasoning& asked = request_.reasoning;
    if (target_.reasoning == ReasoningStyle::anthropic_adaptive) {
      plan_.thinking = Thinking::adaptive;
      // Newer models think unseen unless asked to show it.
      if (asked.visible || own_words()) plan_.display_summary = asked.visible;
      return;
    }
    const bool given = asked.budget_tokens.value_or(-1) > 0;
    int64_t budget = given ? *asked.budget_tokens : budget_of(asked.effort);
    const int64_t floor = std::max<int64_t>(target_.budget_min, kBudgetMin);
    int64_t ceiling = max_tokens_ - 1;
    if (target_.budget_max != 0) ceiling = std::min<int64_t>(ceiling, target_.budget_max);
    if (ceiling < floor) {
      context_.warnings.dropped("reasoning", "max_tokens leaves no room to reason: this model needs more than 1024");
      return;
    }
    // What the client did not choose must leave room for the answer.
    if (!given) ceiling = std::max(floor, std::min(ceiling, max_tokens_ / 2));
    const int64_t fitted = std::clamp(budget, floor, ceiling);
    if (given && fitted != budget) {
      context_.warnings.changed("reasoning", "the budget was brought within what max_tokens and the model allow");
    }
    plan_.thinking = Thinking::enabled;
    plan_.budget_tokens = fitted;
    if (asked.visible == false) plan_.display_summary = false;
  }

  void effort() {
    const chat::Reasoning& asked = request_.reasoning;
    if (asked.effort == Effort::none || plan_.effort != Effort::unset) return;
    Effort effort = asked.effort;
    if (effort == Effort::unset && plan_.thinking == Thinking::adaptive && asked.budget_tokens) {
      effort = effort_of_budget(*asked.budget_tokens);
      context_.warnings.changed("reasoning", "this model takes an effort instead of a budget of tokens");
    }
    plan_.effort = clamped(effort, target_);
    if (plan_.effort != effort && effort != Effort::minimal) {
      context_.warnings.changed("reasoning", "the effort was brought within what this model takes");
    }
    // Without thoughts the upper levels are refused.
    if (plan_.thinking == Thinking::disabled) plan_.effort = std::min(plan_.effort, Effort::high);
  }

  void conflicts(bool forced_tool, const chat::Conversation& conversation) {
    const bool cannot_force = forced_tool && !target_.forced_tool_while_reasoning;
    const bool cannot_go_on = plan_.thinking == Thinking::enabled && loop_lacks_thinking(conversation);
    const bool begun = begins_answer(conversation);
    if (!cannot_force && !cannot_go_on && !begun) return;
    if (!target_.reasoning_can_be_off) return;
    const chat::Reasoning& asked = request_.reasoning;
    const bool said = asked.mode != ReasoningMode::unset || asked.effort != Effort::unset || asked.budget_tokens;
    context_.warnings.changed(
        said           ? "reasoning"
        : cannot_force ? "tool_choice"
                       : "messages",
        cannot_force   ? "reasoning was switched off: this model cannot be forced to call a tool while it reasons"
        : cannot_go_on ? "reasoning was switched off: the tool call at hand was made without this model's own"
                       : "reasoning was switched off: this model cannot go on from the beginning of an answer while it "
                         "reasons");
    plan_.thinking = target_.reasons_by_default ? Thinking::disabled : Thinking::unset;
    plan_.display_summary = {};
    if (plan_.thinking == Thinking::disabled) plan_.effort = std::min(plan_.effort, Effort::high);
  }

  const chat::Request& request_;
  const chat::Target& target_;
  const int64_t max_tokens_;
  WriteContext& context_;
  ClaudeReasoning plan_;
};

}  // namespace

ClaudeReasoning plan_claude_reasoning(const chat::Request& request, const chat::Target& target, uint64_t max_tokens,
                                      bool forced_tool, const chat::Conversation& conversation, WriteContext& context) {
  return Planner(request, target, max_tokens, context).run(forced_tool, conversation);
}

void write_thinking(json::Writer& writer, const ClaudeReasoning& plan) {
  if (plan.thinking == Thinking::unset) return;
  writer.key("thinking").begin_object();
  switch (plan.thinking) {
    case Thinking::disabled: writer.member("type", "disabled"); break;
    case Thinking::adaptive: writer.member("type", "adaptive"); break;
    default: writer.member("type", "enabled").member("budget_tokens", plan.budget_tokens); break;
  }
  if (plan.display_summary) writer.member("display", *plan.display_summary ? "summarized" : "omitted");
  writer.end_object();
}

}  // namespace llmgw::dialects
