// Claude, at Anthropic, on Vertex and on Bedrock. Output limits: Anthropic's models overview. Names contain the
// family's name wherever the cloud puts it: "us.anthropic.claude-opus-4-5-20251101-v1:0", "claude-opus-4-5@20251101".
#include "providers/family_table.h"

namespace llmgw::providers::families {
namespace {

using chat::Effort;
using chat::JsonSchemaSupport;
using chat::ReasoningStyle;
using chat::SchemaSubset;
using T = chat::Target;
using chat::ToolIdRule;

constexpr Vendors kBedrock = kBedrockRuntime | kBedrockInvoke;
constexpr Vendors kMessages = kAnthropicApi | kVertexClaude | kBedrockInvoke;
constexpr Vendors kAll = kMessages | kBedrock;

constexpr std::string_view kBudget = "*claude-3-7* *claude-sonnet-4* *claude-opus-4* *claude-haiku-4-5*";
constexpr std::string_view kOlder = "*claude-v2* *claude-2* *claude-instant* *claude-3*";

constexpr Row kRows[] = {
    {kMessages,
     "*",
     {set<&T::requires_max_tokens>(true), set<&T::default_max_tokens>(4096), set<&T::temperature_max>(1.0),
      set<&T::top_k>(true), set<&T::penalties>(false), set<&T::logit_bias>(false), set<&T::logprobs>(false),
      set<&T::seed>(false), set<&T::n>(false), set<&T::stop_max>(255), set<&T::stream_options>(false),
      set<&T::tool_result_images>(true), set<&T::tools_needed_by_history>(true),
      set<&T::tool_id_rule>(ToolIdRule::word), set<&T::output_schema>(SchemaSubset::anthropic),
      set<&T::json_object>(false), set<&T::document_urls>(true), set<&T::cache_marks>(true)}},
    {kMessages, "*", {set<&T::mid_system>(false), set<&T::strict_tools>(true), set<&T::tool_id_max>(64)}},
    // The other clouds fetch nothing.
    {kVertexClaude | kBedrockInvoke,
     "*",
     {set<&T::image_urls>(false), set<&T::document_urls>(false), set<&T::service_tier>(false)}},
    {kBedrockRuntime,
     "*claude*",
     {set<&T::strict_tools>(true), set<&T::tool_result_images>(true), set<&T::tool_choice>(true),
      set<&T::tool_choice_required>(true), set<&T::tool_choice_named>(true), set<&T::parallel_tool_calls>(true),
      set<&T::top_k>(true), set<&T::images>(true), set<&T::documents>(true), set<&T::cache_marks>(true),
      set<&T::assistant_prefill>(true)}},
    // A name unknown here is newer than this table.
    {kAll,
     "*claude*",
     {set<&T::default_max_tokens>(128'000), set<&T::max_tokens_cap>(128'000),
      set<&T::reasoning>(ReasoningStyle::anthropic_adaptive), set<&T::sampling>(false),
      set<&T::effort_max>(Effort::max), set<&T::temperature_and_top_p>(false), set<&T::assistant_prefill>(false),
      set<&T::reasons_by_default>(true), set<&T::json_schema>(JsonSchemaSupport::native)}},
    // Those that think within a budget.
    {kAll,
     kBudget,
     {set<&T::default_max_tokens>(64'000), set<&T::max_tokens_cap>(64'000),
      set<&T::reasoning>(ReasoningStyle::anthropic_budget), set<&T::sampling>(true),
      set<&T::sampling_while_reasoning>(false), set<&T::effort_max>(Effort::high), set<&T::assistant_prefill>(true),
      set<&T::reasons_by_default>(false), set<&T::forced_tool_while_reasoning>(false)}},
    {kAll,
     "*claude-3-7* *claude-sonnet-4-0* *claude-sonnet-4-2* *claude-sonnet-4@* *claude-opus-4-0* *claude-opus-4-2* "
     "*claude-opus-4@*",
     {set<&T::json_schema>(JsonSchemaSupport::none), set<&T::strict_tools>(false)}},
    {kAll,
     "*claude-sonnet-4 *claude-opus-4",
     {set<&T::json_schema>(JsonSchemaSupport::none), set<&T::strict_tools>(false)}},
    {kAll,
     "*claude-opus-4 *claude-opus-4-0* *claude-opus-4-1* *claude-opus-4-2* *claude-opus-4@*",
     {set<&T::default_max_tokens>(32'000), set<&T::max_tokens_cap>(32'000)}},
    {kAll, "*claude-opus-4-5*", {set<&T::effort_with_thinking>(true)}},
    // From 4.6 on thinking is adaptive, from 4.7 on nothing else.
    {kAll,
     "*claude-opus-4-6* *claude-sonnet-4-6* *claude-opus-4-7* *claude-opus-4-8*",
     {set<&T::default_max_tokens>(128'000), set<&T::max_tokens_cap>(128'000),
      set<&T::reasoning>(ReasoningStyle::anthropic_adaptive), set<&T::forced_tool_while_reasoning>(true),
      set<&T::assistant_prefill>(false), set<&T::effort_max>(Effort::max)}},
    {kAll, "*claude-opus-4-6* *claude-sonnet-4-6*", {set<&T::effort_xhigh>(false)}},
    {kAll, "*claude-opus-4-7* *claude-opus-4-8*", {set<&T::sampling>(false), set<&T::sampling_while_reasoning>(true)}},
    {kMessages,
     "*claude-opus-4-8* *claude-opus-5* *claude-sonnet-5* *claude-fable* *claude-mythos*",
     {set<&T::mid_system>(true)}},
    {kAll,
     "*claude-fable* *claude-mythos* *claude-opus-5-5*",
     {set<&T::tool_choice_required>(false), set<&T::tool_choice_named>(false), set<&T::reasoning_can_be_off>(false)}},
    // Before thinking.
    {kAll,
     kOlder,
     {set<&T::default_max_tokens>(4096), set<&T::max_tokens_cap>(4096), set<&T::sampling>(true),
      set<&T::temperature_and_top_p>(true), set<&T::reasoning>(ReasoningStyle::none),
      set<&T::reasons_by_default>(false), set<&T::assistant_prefill>(true), set<&T::strict_tools>(false),
      set<&T::json_schema>(JsonSchemaSupport::none)}},
    {kAll, "*claude-3-5*", {set<&T::default_max_tokens>(8192), set<&T::max_tokens_cap>(8192)}},
    {kAll,
     "*claude-3-7*",
     {set<&T::default_max_tokens>(64'000), set<&T::max_tokens_cap>(64'000),
      set<&T::reasoning>(ReasoningStyle::anthropic_budget)}},
    {kAll, "*claude-v2* *claude-2* *claude-instant*", {set<&T::tools>(false), set<&T::images>(false)}},
    // Prompt caching began with the models of October 2024; Anthropic itself and Vertex have it for some older ones,
    // too. Bedrock answers a mark on others with 400, and keeps one for an hour from 4.5 on (Amazon Bedrock, "Prompt
    // caching").
    {kAll, "*claude-v2* *claude-2* *claude-instant* *claude-3-sonnet*", {set<&T::cache_marks>(false)}},
    {kBedrock, "*claude-3-haiku* *claude-3-opus* *claude-3-5-sonnet-20240620*", {set<&T::cache_marks>(false)}},
    {kBedrockRuntime,
     "*claude-3* *claude-sonnet-4-0* *claude-sonnet-4-2* *claude-opus-4-0* *claude-opus-4-1* *claude-opus-4-2*",
     {set<&T::cache_mark_hours>(false)}},
    {kBedrockRuntime,
     "*claude*",
     {set<&T::bedrock>(chat::BedrockFamily::claude), set<&T::output_schema>(SchemaSubset::anthropic)}},
};

}  // namespace

std::span<const Row> claude_rows() {
  return kRows;
}

}  // namespace llmgw::providers::families
