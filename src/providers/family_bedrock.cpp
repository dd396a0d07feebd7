// What Bedrock's Converse takes, by the family of the model. Claude's own rows are in family_claude.cpp.
#include "providers/family_table.h"

namespace llmgw::providers::families {
namespace {

using chat::BedrockFamily;
using chat::JsonSchemaSupport;
using chat::ReasoningStyle;
using chat::SchemaSubset;
using T = chat::Target;
using chat::ToolIdRule;

constexpr Vendors kHere = kBedrockRuntime;

constexpr Row kRows[] = {
    // Converse itself.
    {kHere,
     "*",
     {set<&T::temperature_max>(1.0), set<&T::penalties>(false), set<&T::logit_bias>(false), set<&T::logprobs>(false),
      set<&T::seed>(false), set<&T::n>(false), set<&T::stop_max>(255), set<&T::mid_system>(false), set<&T::user>(false),
      set<&T::metadata>(true), set<&T::stream_options>(false), set<&T::strict_tools>(false),
      set<&T::tools_needed_by_history>(true), set<&T::tool_id_rule>(ToolIdRule::bedrock), set<&T::tool_id_max>(64),
      set<&T::json_object>(false), set<&T::image_urls>(false), set<&T::document_urls>(false)}},
    {kHere,
     "*amazon.* *nova* *meta.* *llama* *mistral* *cohere.* *deepseek* *gpt-oss* *qwen* *writer.* *palmyra* *ai21* "
     "*jamba* *google.* *gemma* *moonshot* *kimi* *minimax* *nvidia* *zai* *glm*",
     {set<&T::bedrock>(BedrockFamily::other), set<&T::parallel_tool_calls>(false), set<&T::tool_choice_required>(false),
      set<&T::tool_choice_named>(false), set<&T::tool_choice>(false), set<&T::assistant_prefill>(false),
      set<&T::json_schema>(JsonSchemaSupport::none), set<&T::output_schema>(SchemaSubset::openai_strict),
      set<&T::reasoning_can_be_off>(false)}},
    {kHere,
     "*nova*",
     {set<&T::bedrock>(BedrockFamily::nova), set<&T::top_k>(true), set<&T::tool_choice>(true),
      set<&T::tool_choice_required>(true), set<&T::tool_choice_named>(true), set<&T::tool_result_images>(true),
      set<&T::video>(true), set<&T::stop_max>(4), set<&T::max_tokens_cap>(10'000)}},
    // Amazon Bedrock, "Prompt caching": system and messages. A point among the tools is "extraneous", a 400.
    {kHere,
     "*nova*",
     {set<&T::cache_marks>(true), set<&T::cache_marks_on_tools>(false), set<&T::cache_mark_hours>(false)}},
    {kHere, "*nova-premier*", {set<&T::max_tokens_cap>(32'000)}},
    {kHere, "*nova-micro*", {set<&T::images>(false), set<&T::documents>(false), set<&T::video>(false)}},
    {kHere,
     "*nova-2*",
     {set<&T::reasoning>(ReasoningStyle::nova), set<&T::reasoning_can_be_off>(true), set<&T::max_tokens_cap>(65'535)}},
    {kHere, "*meta.* *llama*", {set<&T::bedrock>(BedrockFamily::llama), set<&T::images>(false)}},
    {kHere, "*llama3-2-11b* *llama3-2-90b* *llama4*", {set<&T::images>(true)}},
    {kHere,
     "*mistral*",
     {set<&T::bedrock>(BedrockFamily::mistral), set<&T::tool_id_rule>(ToolIdRule::mistral), set<&T::tool_id_max>(9),
      set<&T::images>(false), set<&T::tool_choice>(true), set<&T::tool_choice_required>(true)}},
    {kHere, "*pixtral* *mistral-large-3* *ministral-3* *magistral*", {set<&T::images>(true)}},
    {kHere, "*mistral-7b* *mixtral*", {set<&T::system_role>(false), set<&T::tools>(false)}},
    {kHere, "*titan*", {set<&T::system_role>(false), set<&T::tools>(false), set<&T::images>(false)}},
    {kHere, "*cohere.*", {set<&T::bedrock>(BedrockFamily::cohere), set<&T::images>(false)}},
    {kHere,
     "*deepseek*",
     {set<&T::bedrock>(BedrockFamily::deepseek), set<&T::images>(false), set<&T::reasons_by_default>(true)}},
    {kHere, "*deepseek.r1*", {set<&T::tools>(false)}},
    {kHere,
     "*gpt-oss*",
     {set<&T::bedrock>(BedrockFamily::gpt_oss), set<&T::reasoning>(ReasoningStyle::effort),
      set<&T::reasons_by_default>(true), set<&T::images>(false), set<&T::documents>(false),
      set<&T::json_schema>(JsonSchemaSupport::native)}},
    {kHere,
     "*qwen*",
     {set<&T::bedrock>(BedrockFamily::qwen), set<&T::json_schema>(JsonSchemaSupport::native), set<&T::images>(false)}},
    {kHere, "*qwen3-vl*", {set<&T::images>(true)}},
    {kHere, "*writer.* *palmyra*", {set<&T::bedrock>(BedrockFamily::writer), set<&T::images>(false)}},
};

}  // namespace

std::span<const Row> bedrock_rows() {
  return kRows;
}

}  // namespace llmgw::providers::families
