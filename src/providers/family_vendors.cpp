// Each vendor's API, whatever the model: what it refuses, lacks or calls otherwise.
#include "providers/family_table.h"

namespace llmgw::providers::families {
namespace {

using chat::Effort;
using chat::JsonSchemaSupport;
using chat::MaxTokensName;
using chat::ReasoningStyle;
using chat::SchemaSubset;
using T = chat::Target;
using chat::ToolIdRule;

constexpr Vendors kServers = kGeneric | kVllm | kSglang | kLlamaCpp | kOllama;
constexpr Vendors kClouds = kMantle | kDeepSeek | kGroq | kXai | kMistral | kTogether | kOpenRouter | kFireworks |
                            kCerebras | kMoonshot | kNvidia | kGoogleOpenAi;
constexpr Vendors kCompatible = kServers | kClouds;
constexpr auto kMaxTokens = set<&T::max_tokens_name>(MaxTokensName::max_tokens);

// Open models that reason, and how they are told wherever they are served.
constexpr std::string_view kGptOss = "*gpt-oss*";
constexpr std::string_view kSwitchable =
    "*qwen3* *glm-4.5* *glm-4.6* *glm-4.7* *glm-5* *deepseek-v3.1* *deepseek-v3.2*";

constexpr Row kRows[] = {
    // Other servers of OpenAI's API know the core of it.
    {kCompatible,
     "*",
     {kMaxTokens, set<&T::documents>(false), set<&T::service_tier>(false), set<&T::reasoning_can_be_off>(false)}},
    {kServers, "*", {set<&T::mid_system>(false), set<&T::reasoning_member>("reasoning_content")}},
    {kVllm | kSglang | kLlamaCpp, "*", {set<&T::top_k>(true), set<&T::stop_max>(255), set<&T::audio>(true)}},
    {kVllm | kOllama, "*", {set<&T::reasoning_member>("reasoning")}},
    // vLLM's and SGLang's protocol.py; llama.cpp's server goes on from a last assistant message by default.
    {kVllm | kSglang, "*", {set<&T::continuation>(chat::Continuation::continue_final_message)}},
    {kLlamaCpp, "*", {set<&T::continuation>(chat::Continuation::last_turn)}},
    {kVllm | kSglang | kLlamaCpp | kTogether | kFireworks | kCerebras | kGroq | kNvidia | kMantle,
     kGptOss,
     {set<&T::reasoning>(ReasoningStyle::effort), set<&T::reasons_by_default>(true)}},
    {kVllm | kSglang,
     kSwitchable,
     {set<&T::reasoning>(ReasoningStyle::enable_thinking), set<&T::reasons_by_default>(true),
      set<&T::reasoning_can_be_off>(true)}},
    {kLlamaCpp, "*", {set<&T::n>(false), set<&T::tool_choice_named>(false), set<&T::image_urls>(false)}},
    {kOllama,
     "*",
     {set<&T::n>(false), set<&T::logit_bias>(false), set<&T::user>(false), set<&T::tool_choice>(false),
      set<&T::parallel_tool_calls>(false), set<&T::image_urls>(false), set<&T::reasoning>(ReasoningStyle::effort),
      set<&T::effort_none>(true), set<&T::reasoning_can_be_off>(true)}},
    {kMantle, "*", {set<&T::tool_ids_unique>(false)}},
    {kDeepSeek,
     "*",
     {set<&T::n>(false), set<&T::logit_bias>(false), set<&T::seed>(false), set<&T::images>(false),
      set<&T::image_urls>(false), set<&T::parallel_tool_calls>(false), set<&T::user>(false), set<&T::stop_max>(16),
      set<&T::json_schema>(JsonSchemaSupport::none), set<&T::forced_tool_while_reasoning>(false),
      set<&T::reasoning_member>("reasoning_content")}},
    {kDeepSeek,
     "*reasoner*",
     {set<&T::reasons_by_default>(true), set<&T::logprobs>(false), set<&T::sampling_while_reasoning>(false)}},
    {kGroq,
     "*",
     {set<&T::max_tokens_name>(MaxTokensName::max_completion_tokens), set<&T::n>(false), set<&T::logit_bias>(false),
      set<&T::logprobs>(false), set<&T::penalties>(false), set<&T::json_schema>(JsonSchemaSupport::none),
      set<&T::reasoning_member>("reasoning"), set<&T::refused_members>("logit_bias logprobs top_logprobs")}},
    {kGroq, "*gpt-oss* *kimi-k2* *llama-4*", {set<&T::json_schema>(JsonSchemaSupport::native)}},
    {kXai, "*", {set<&T::max_tokens_name>(MaxTokensName::max_completion_tokens), set<&T::logit_bias>(false)}},
    {kXai,
     "grok-3-mini* grok-4* grok-code*",
     {set<&T::penalties>(false), set<&T::stop_max>(0), set<&T::reasons_by_default>(true)}},
    {kXai, "grok-3-mini*", {set<&T::reasoning>(ReasoningStyle::effort)}},
    {kXai, "*non-reasoning*", {set<&T::reasons_by_default>(false)}},
    // Mistral refuses members it does not know, and calls the seed otherwise.
    {kMistral,
     "*",
     {set<&T::seed_name>("random_seed"), set<&T::logit_bias>(false), set<&T::logprobs>(false), set<&T::user>(false),
      set<&T::stream_options>(false), set<&T::assistant_prefill>(false), set<&T::mid_system>(false),
      set<&T::temperature_max>(1.5), set<&T::tool_id_rule>(ToolIdRule::mistral), set<&T::tool_id_max>(9),
      set<&T::refused_members>("logit_bias logprobs top_logprobs user safety_identifier store service_tier")}},
    {kTogether, "*", {set<&T::top_k>(true), set<&T::logprobs>(false)}},
    {kFireworks,
     "*",
     {set<&T::top_k>(true), set<&T::logprobs>(false), set<&T::reasoning>(ReasoningStyle::effort),
      set<&T::effort_none>(true), set<&T::reasoning_can_be_off>(true)}},
    {kOpenRouter,
     "*",
     {set<&T::top_k>(true), set<&T::documents>(true), set<&T::document_urls>(true), set<&T::audio>(true),
      set<&T::strict_tools>(true), set<&T::prompt_cache_key>(true), set<&T::reasoning>(ReasoningStyle::effort),
      set<&T::effort_min>(Effort::minimal), set<&T::effort_max>(Effort::xhigh), set<&T::effort_none>(true),
      set<&T::reasoning_can_be_off>(true), set<&T::reasoning_member>("reasoning")}},
    {kOpenRouter, "*claude* *gemini*", {set<&T::cache_marks>(true)}},
    {kCerebras,
     "*",
     {set<&T::max_tokens_name>(MaxTokensName::max_completion_tokens), set<&T::n>(false), set<&T::logit_bias>(false),
      set<&T::penalties>(false), set<&T::images>(false), set<&T::image_urls>(false),
      set<&T::refused_members>("frequency_penalty presence_penalty logit_bias")}},
    {kMoonshot,
     "*",
     {set<&T::temperature_max>(1.0), set<&T::tool_choice_required>(false), set<&T::logit_bias>(false),
      set<&T::seed>(false), set<&T::logprobs>(false), set<&T::image_urls>(false),
      set<&T::json_schema>(JsonSchemaSupport::none), set<&T::reasoning_member>("reasoning_content")}},
    {kGoogleOpenAi,
     "*",
     {set<&T::logit_bias>(false), set<&T::logprobs>(false), set<&T::penalties>(false), set<&T::image_urls>(false),
      set<&T::reasoning>(ReasoningStyle::effort), set<&T::effort_none>(true), set<&T::reasoning_can_be_off>(true),
      set<&T::audio>(true)}},
    {kCohereApi,
     "*",
     {set<&T::temperature_max>(1.0), set<&T::top_k>(true), set<&T::logit_bias>(false), set<&T::n>(false),
      set<&T::stop_max>(5), set<&T::stream_options>(false), set<&T::user>(false), set<&T::service_tier>(false),
      set<&T::tool_choice_named>(false), set<&T::parallel_tool_calls>(false), set<&T::strict_tools>(true),
      set<&T::documents>(false), set<&T::images>(false), set<&T::assistant_prefill>(false),
      set<&T::output_schema>(SchemaSubset::any)}},
    {kCohereApi, "*vision* *aya* command-a-plus*", {set<&T::images>(true)}},
    {kCohereApi,
     "*reasoning* command-a-plus*",
     {set<&T::reasoning>(ReasoningStyle::anthropic_budget), set<&T::reasons_by_default>(true), set<&T::budget_min>(1)}},
};

}  // namespace

std::span<const Row> vendor_rows() {
  return kRows;
}

}  // namespace llmgw::providers::families
