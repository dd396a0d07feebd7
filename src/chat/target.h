// What the model at the other end takes: filled from the providers' tables (providers/families.h), obeyed by the
// dialects' request writers. A writer drops or changes what the target does not take and warns, or refuses where that
// would change the meaning. Plain data; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "chat/dialect.h"
#include "chat/request.h"
#include "chat/signature.h"

namespace llmgw::chat {

enum class MaxTokensName : uint8_t { max_completion_tokens, max_tokens };

// How the target is told to reason.
enum class ReasoningStyle : uint8_t {
  none,                // it cannot be told, or does not reason
  effort,              // OpenAI: reasoning_effort / reasoning.effort; also gpt-oss on Bedrock
  anthropic_budget,    // thinking {enabled, budget_tokens}
  anthropic_adaptive,  // thinking {adaptive} and output_config.effort
  gemini_budget,       // thinkingConfig.thinkingBudget
  gemini_level,        // thinkingConfig.thinkingLevel
  nova,                // additionalModelRequestFields.reasoningConfig
  enable_thinking,     // chat_template_kwargs.enable_thinking (vLLM, SGLang: Qwen and the like)
};

enum class JsonSchemaSupport : uint8_t { none, native };

// Which JSON Schema a target takes for tools and answers (facts: section 2.2).
enum class SchemaSubset : uint8_t {
  any,             // JSON Schema as it is
  openai_strict,   // only where strict is on
  anthropic,       // structured output and strict tools: no numeric or length constraints
  gemini_openapi,  // `parameters`, `responseSchema`: an OpenAPI 3.0 subset
  gemini_json,     // `parametersJsonSchema`, `responseJsonSchema`: real JSON Schema
};

enum class ToolIdRule : uint8_t {
  any,      // whatever it is, up to the length
  word,     // [A-Za-z0-9_-] (Anthropic)
  bedrock,  // [A-Za-z0-9_.:-]
  mistral,  // exactly nine of [A-Za-z0-9]
};

// How a model is asked to go on from a text that another one began.
enum class Continuation : uint8_t {
  none,  // it cannot: a last turn of the assistant's is history to it, or is refused
  last_turn,
  continue_final_message,  // a last turn, and vLLM's and SGLang's member of that name
};

// Families whose conversations Bedrock's Converse treats apart.
enum class BedrockFamily : uint8_t {
  none,
  claude,
  nova,
  llama,
  mistral,
  cohere,
  deepseek,
  gpt_oss,
  qwen,
  writer,
  other
};

struct Target {
  Dialect dialect = Dialect::openai_chat;
  Minter minter = Minter::none;
  std::string_view model = {};   // the provider's name, as it is sent
  std::string_view vendor = {};  // for warnings: "groq", "anthropic", ...

  MaxTokensName max_tokens_name = MaxTokensName::max_completion_tokens;
  bool requires_max_tokens = false;
  uint64_t default_max_tokens = 0;  // sent where the client gave none and one is required
  uint64_t max_tokens_cap = 0;      // 0: unknown; larger values are cut to it

  bool sampling = true;  // temperature, top_p, top_k at all
  bool sampling_while_reasoning = true;
  bool temperature_and_top_p = true;  // both at once
  double temperature_max = 2.0;
  bool top_k = false;
  bool penalties = true;
  bool logit_bias = true;
  bool logprobs = true;
  bool seed = true;
  std::string_view seed_name = "seed";
  bool n = true;
  uint8_t stop_max = 4;  // 0: takes none

  bool developer_role = false;    // else developer messages go as system
  bool system_role = true;        // else they go as tagged user text
  bool mid_system = true;         // system messages behind the first turn may stay
  bool assistant_prefill = true;  // the last message may be the assistant's
  Continuation continuation = Continuation::none;
  bool stream_options = true;
  bool user = true;
  bool metadata = false;
  bool service_tier = true;
  bool store = false;  // takes `store`
  bool verbosity = false;
  bool prompt_cache_key = false;

  bool tools = true;
  bool custom_tools = false;
  bool strict_tools = false;         // takes `strict` on tools
  bool tool_choice = true;           // takes tool_choice at all
  bool tool_choice_required = true;  // any
  bool tool_choice_named = true;
  bool forced_tool_while_reasoning = true;
  bool allowed_tools = false;
  bool parallel_tool_calls = true;  // takes the switch
  bool tool_result_images = false;
  bool tools_needed_by_history = false;  // tools must be declared if the history has calls (Claude, Bedrock)
  ToolIdRule tool_id_rule = ToolIdRule::any;
  uint8_t tool_id_max = 64;
  bool tool_ids_unique = true;
  SchemaSubset tool_schema = SchemaSubset::any;

  bool json_object = true;
  JsonSchemaSupport json_schema = JsonSchemaSupport::native;
  SchemaSubset output_schema = SchemaSubset::openai_strict;

  bool images = true;
  bool image_urls = true;  // fetches http(s) itself; else the gateway does
  bool documents = true;
  bool document_urls = false;
  bool audio = false;
  bool video = false;

  ReasoningStyle reasoning = ReasoningStyle::none;
  bool reasons_by_default = false;
  bool reasoning_can_be_off = true;
  Effort effort_min = Effort::low;
  Effort effort_max = Effort::high;
  bool effort_xhigh = true;           // else max takes its place, where that is taken
  bool effort_none = false;           // takes effort "none"
  bool effort_with_thinking = false;  // Anthropic: output_config.effort beside a budget
  uint32_t budget_min = 1024;
  uint32_t budget_max = 0;  // 0: max_tokens - 1
  // OpenAI-compatible vendors: members of OpenAI's body, parted by spaces, with which a call fails there, so that they
  // are left out of a body that goes as it came, too.
  std::string_view refused_members = {};
  // OpenAI-compatible vendors: the member in which history's reasoning may be sent back; empty: none.
  std::string_view reasoning_member = {};

  BedrockFamily bedrock = BedrockFamily::none;

  // Automatic prompt caching (out.cache), from the connection's settings.
  bool auto_cache_system = false;
  bool auto_cache_tools = false;
  uint32_t auto_cache_min_tokens = 1024;
  bool cache_marks = false;          // takes cache_control / cachePoint
  bool cache_marks_on_tools = true;  // of those that take marks: behind tools, too
  bool cache_mark_hours = true;      // ... and for an hour, not for five minutes only
};

}  // namespace llmgw::chat
