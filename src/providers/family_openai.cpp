// OpenAI's models, at OpenAI, on Azure and through OpenRouter.
#include "providers/family_table.h"

namespace llmgw::providers::families {
namespace {

using chat::Effort;
using chat::JsonSchemaSupport;
using chat::MaxTokensName;
using chat::ReasoningStyle;
using T = chat::Target;

constexpr Vendors kOwn = kOpenAi | kAzure;
constexpr Vendors kAll = kOwn | kOpenRouter;

constexpr std::string_view kReasoning = "o1* o3* o4* gpt-5* gpt-6* codex-mini* computer-use-preview*";

constexpr Row kRows[] = {
    {kOwn,
     "*",
     {set<&T::developer_role>(true), set<&T::metadata>(true), set<&T::store>(true), set<&T::prompt_cache_key>(true),
      set<&T::strict_tools>(true), set<&T::tool_id_max>(40)}},
    {kOwn, "*audio*", {set<&T::audio>(true), set<&T::images>(false)}},
    // Structured output came with gpt-4o's second version.
    {kOwn,
     "gpt-3.5* gpt-4 gpt-4-* gpt-4o-2024-05-13",
     {set<&T::json_schema>(JsonSchemaSupport::none), set<&T::strict_tools>(false)}},
    {kOwn, "gpt-3.5* gpt-4 gpt-4-0* gpt-4-32k*", {set<&T::images>(false), set<&T::documents>(false)}},
    // Azure and Foundry also serve others' models by this API.
    {kAzure,
     "deepseek* grok* llama* meta-llama* phi* mistral* ministral* codestral* cohere* kimi* qwen* *gpt-oss*",
     {set<&T::max_tokens_name>(MaxTokensName::max_tokens), set<&T::developer_role>(false), set<&T::strict_tools>(false),
      set<&T::metadata>(false), set<&T::store>(false), set<&T::prompt_cache_key>(false), set<&T::documents>(false),
      set<&T::tool_id_max>(64)}},
    {kAzure, "*gpt-oss*", {set<&T::reasoning>(ReasoningStyle::effort), set<&T::reasons_by_default>(true)}},
    // While a model reasons it takes no sampling, and these reason unless told otherwise.
    {kAll,
     kReasoning,
     {set<&T::reasoning>(ReasoningStyle::effort), set<&T::reasons_by_default>(true),
      set<&T::reasoning_can_be_off>(false), set<&T::sampling_while_reasoning>(false), set<&T::effort_none>(false),
      set<&T::effort_min>(Effort::low), set<&T::effort_max>(Effort::high), set<&T::stop_max>(0),
      set<&T::penalties>(false), set<&T::logit_bias>(false), set<&T::logprobs>(false)}},
    {kOwn,
     "o1-mini* o1-preview*",
     {set<&T::developer_role>(false), set<&T::system_role>(false), set<&T::tools>(false),
      set<&T::json_schema>(JsonSchemaSupport::none), set<&T::json_object>(false), set<&T::images>(false),
      set<&T::reasoning>(ReasoningStyle::none)}},
    {kOwn, "o1-* o3-mini*", {set<&T::parallel_tool_calls>(false)}},
    {kOwn, "o3-mini*", {set<&T::images>(false)}},
    {kAll, "gpt-5* gpt-6*", {set<&T::verbosity>(true), set<&T::custom_tools>(true), set<&T::allowed_tools>(true)}},
    {kAll, "gpt-5 gpt-5-2* gpt-5-mini* gpt-5-nano* gpt-5-codex*", {set<&T::effort_min>(Effort::minimal)}},
    {kAll, "gpt-5-pro*", {set<&T::effort_min>(Effort::high)}},
    {kAll,
     "gpt-5.1* gpt-5.2* gpt-5.3* gpt-5.4*",
     {set<&T::reasons_by_default>(false), set<&T::reasoning_can_be_off>(true), set<&T::effort_none>(true),
      set<&T::penalties>(true), set<&T::logit_bias>(true), set<&T::logprobs>(true)}},
    {kAll, "gpt-5.5* gpt-5.6*", {set<&T::reasoning_can_be_off>(true), set<&T::effort_none>(true)}},
    {kAll, "gpt-5.2* gpt-5.3* gpt-5.4* gpt-5.5* gpt-5.1-codex-max*", {set<&T::effort_max>(Effort::xhigh)}},
    {kAll, "gpt-5.6* gpt-6*", {set<&T::effort_max>(Effort::max)}},
    {kAll,
     "gpt-5.1-codex* gpt-5.2-pro* gpt-5.4-pro* gpt-5.5-pro*",
     {set<&T::reasons_by_default>(true), set<&T::reasoning_can_be_off>(false), set<&T::effort_none>(false),
      set<&T::penalties>(false), set<&T::logit_bias>(false), set<&T::logprobs>(false)}},
    {kAll, "gpt-5.2-pro* gpt-5.4-pro* gpt-5.5-pro*", {set<&T::effort_min>(Effort::medium)}},
    // The chat variants reason at a fixed effort, but for the first, which does not reason.
    {kAll,
     "gpt-5.1-chat* gpt-5.2-chat* gpt-5.3-chat*",
     {set<&T::reasons_by_default>(true), set<&T::reasoning_can_be_off>(false), set<&T::effort_none>(false),
      set<&T::penalties>(false), set<&T::logit_bias>(false), set<&T::logprobs>(false),
      set<&T::effort_min>(Effort::medium), set<&T::effort_max>(Effort::medium)}},
    {kAll,
     "gpt-5-chat*",
     {set<&T::reasoning>(ReasoningStyle::none), set<&T::reasons_by_default>(false),
      set<&T::sampling_while_reasoning>(true), set<&T::penalties>(true), set<&T::logit_bias>(true),
      set<&T::logprobs>(true), set<&T::stop_max>(4)}},
};

}  // namespace

std::span<const Row> openai_rows() {
  return kRows;
}

}  // namespace llmgw::providers::families
