// How Claude is told to think, wherever it is hosted: `thinking` and `output_config.effort` of Anthropic's API
// (platform.claude.com, extended thinking, adaptive thinking, effort; August 2026). Bedrock's Converse takes the same
// members in additionalModelRequestFields. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "chat/request.h"
#include "chat/target.h"
#include "chat/turns.h"
#include "dialects/codec.h"
#include "json/writer.h"

namespace llmgw::dialects {

struct ClaudeReasoning {
  enum class Thinking : uint8_t { unset, disabled, enabled, adaptive };
  Thinking thinking = Thinking::unset;
  int64_t budget_tokens = 0;                 // enabled
  std::optional<bool> display_summary = {};  // false: omitted
  chat::Effort effort = chat::Effort::unset;
  bool forced_tool_impossible = false;  // the client forces a tool, and the model, which must think, cannot be forced

  bool active() const { return thinking == Thinking::enabled || thinking == Thinking::adaptive; }
  // Also a model that does so unasked.
  bool thinks(const chat::Target& target) const {
    return active() || (thinking == Thinking::unset && target.reasons_by_default);
  }
};

// `max_tokens` as it will be sent. `forced_tool`: the request forces a tool (or a format that does). `conversation`: a
// tool loop whose last turn of the assistant has no thinking cannot go on with a budget.
ClaudeReasoning plan_claude_reasoning(const chat::Request& request, const chat::Target& target, uint64_t max_tokens,
                                      bool forced_tool, const chat::Conversation& conversation, WriteContext& context);

// The member `thinking`, if any.
void write_thinking(json::Writer& writer, const ClaudeReasoning& plan);

}  // namespace llmgw::dialects
