#include "chat/client_field.h"

#include <algorithm>
#include <array>

namespace llmgw::chat {
namespace {

// Empty: called as in the model, or the dialect has no such thing.
struct Names {
  std::string_view field;
  std::string_view responses;
  std::string_view anthropic;
  std::string_view gemini;
  std::string_view bedrock;
  std::string_view cohere;
};

constexpr std::array<Names, 27> kNames{{
    {"max_tokens", "max_output_tokens", "", "generationConfig.maxOutputTokens", "inferenceConfig.maxTokens", ""},
    {"temperature", "", "", "generationConfig.temperature", "inferenceConfig.temperature", ""},
    {"top_p", "", "", "generationConfig.topP", "inferenceConfig.topP", "p"},
    {"top_k", "", "", "generationConfig.topK", "additionalModelRequestFields.top_k", "k"},
    {"stop", "", "stop_sequences", "generationConfig.stopSequences", "inferenceConfig.stopSequences", "stop_sequences"},
    {"seed", "", "", "generationConfig.seed", "", ""},
    {"frequency_penalty", "", "", "generationConfig.frequencyPenalty", "", ""},
    {"presence_penalty", "", "", "generationConfig.presencePenalty", "", ""},
    {"n", "", "", "generationConfig.candidateCount", "", ""},
    {"logprobs", "include", "", "generationConfig.responseLogprobs", "", ""},
    {"top_logprobs", "", "", "generationConfig.logprobs", "", ""},
    {"response_format", "text.format", "output_config.format", "generationConfig.responseSchema",
     "outputConfig.textFormat", ""},
    {"reasoning", "", "thinking", "generationConfig.thinkingConfig", "additionalModelRequestFields.thinking",
     "thinking"},
    {"reasoning_effort", "reasoning.effort", "thinking", "generationConfig.thinkingConfig",
     "additionalModelRequestFields.thinking", "thinking"},
    {"parallel_tool_calls", "", "tool_choice.disable_parallel_tool_use", "",
     "additionalModelRequestFields.tool_choice.disable_parallel_tool_use", ""},
    {"tool_choice", "", "", "toolConfig.functionCallingConfig", "toolConfig.toolChoice", ""},
    {"user", "", "metadata.user_id", "", "", ""},
    {"metadata", "", "", "labels", "requestMetadata", ""},
    {"service_tier", "", "", "serviceTier", "serviceTier", ""},
    {"verbosity", "text.verbosity", "", "", "", ""},
    {"cache_control", "prompt_cache_breakpoint", "", "", "cachePoint", ""},
    {"reasoning.summary", "", "thinking.display", "generationConfig.thinkingConfig.includeThoughts", "", ""},
    {"reasoning.budget", "", "thinking.budget_tokens", "generationConfig.thinkingConfig.thinkingBudget",
     "additionalModelRequestFields.thinking.budget_tokens", "thinking.token_budget"},
    {"reasoning.display", "", "thinking.display", "generationConfig.thinkingConfig.includeThoughts",
     "additionalModelRequestFields.thinking.display", ""},
    {"response_format.description", "text.format.description", "", "",
     "outputConfig.textFormat.structure.jsonSchema.description", ""},
    {"messages", "input", "", "contents", "", ""},
    {"tool_calls", "input", "messages", "contents", "messages", "messages"},
}};

}  // namespace

std::string_view client_field(Dialect client, std::string_view field) {
  const auto found = std::ranges::find(kNames, field, &Names::field);
  if (found == kNames.end()) return field;
  std::string_view name;
  switch (client) {
    case Dialect::openai_responses: name = found->responses; break;
    case Dialect::anthropic: name = found->anthropic; break;
    case Dialect::gemini:
    case Dialect::vertex: name = found->gemini; break;
    case Dialect::bedrock: name = found->bedrock; break;
    case Dialect::cohere: name = found->cohere; break;
    default:
      name = field == "reasoning"                     ? "reasoning_effort"
             : field == "reasoning.display"           ? "reasoning.exclude"
             : field == "tool_calls"                  ? "messages"
             : field == "response_format.description" ? "response_format.json_schema.description"
                                                      : field;
      break;
  }
  return name.empty() ? field : name;
}

}  // namespace llmgw::chat
