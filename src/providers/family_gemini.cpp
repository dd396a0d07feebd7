// Gemini, at AI Studio and on Vertex.
#include "providers/family_table.h"

namespace llmgw::providers::families {
namespace {

using chat::Effort;
using chat::ReasoningStyle;
using chat::SchemaSubset;
using T = chat::Target;

constexpr Vendors kAll = kGoogleAi | kVertexGemini;

constexpr Row kRows[] = {
    {kAll,
     "*",
     {set<&T::top_k>(true), set<&T::logit_bias>(false), set<&T::stop_max>(5), set<&T::mid_system>(false),
      set<&T::stream_options>(false), set<&T::user>(false), set<&T::service_tier>(false),
      set<&T::parallel_tool_calls>(false), set<&T::allowed_tools>(true), set<&T::audio>(true), set<&T::video>(true),
      set<&T::tool_schema>(SchemaSubset::gemini_json), set<&T::output_schema>(SchemaSubset::gemini_json)}},
    {kVertexGemini, "*", {set<&T::metadata>(true), set<&T::document_urls>(true)}},
    {kGoogleAi, "*", {set<&T::image_urls>(false), set<&T::penalties>(false), set<&T::logprobs>(false)}},
    {kAll,
     "gemini-1* gemini-2.0* gemma* learnlm*",
     {set<&T::tool_schema>(SchemaSubset::gemini_openapi), set<&T::output_schema>(SchemaSubset::gemini_openapi)}},
    {kGoogleAi, "gemini*", {set<&T::service_tier>(true)}},
    {kGoogleAi,
     "gemini-1* gemini-2.0*",
     {set<&T::penalties>(true), set<&T::logprobs>(true), set<&T::service_tier>(false)}},
    {kAll, "gemma*", {set<&T::system_role>(false), set<&T::tools>(false), set<&T::json_object>(false)}},
    // A name unknown here is newer than this table: told by level, never quite off.
    {kAll,
     "gemini*",
     {set<&T::reasoning>(ReasoningStyle::gemini_level), set<&T::reasons_by_default>(true),
      set<&T::reasoning_can_be_off>(false), set<&T::effort_min>(Effort::low), set<&T::effort_max>(Effort::high),
      set<&T::tool_result_images>(true),
      // Function calls of the mode VALIDATED (ai.google.dev/gemini-api/docs/function-calling, 2026).
      set<&T::strict_tools>(true)}},
    {kAll, "gemini-3-flash* gemini-3.1-flash* gemini-3.5-flash* gemini-flash*", {set<&T::effort_min>(Effort::minimal)}},
    {kAll,
     "gemini-2.5*",
     {set<&T::reasoning>(ReasoningStyle::gemini_budget), set<&T::tool_result_images>(false), set<&T::budget_min>(128),
      set<&T::budget_max>(32'768)}},
    {kAll,
     "gemini-2.5-flash*",
     {set<&T::reasoning_can_be_off>(true), set<&T::budget_min>(1), set<&T::budget_max>(24'576)}},
    {kAll, "gemini-2.5-flash-lite*", {set<&T::reasons_by_default>(false), set<&T::budget_min>(512)}},
    {kAll,
     "gemini-1* gemini-2.0* *-image* *-tts* *embedding*",
     {set<&T::reasoning>(ReasoningStyle::none), set<&T::reasons_by_default>(false), set<&T::tool_result_images>(false),
      set<&T::strict_tools>(false)}},
    {kAll, "*-image* *-tts*", {set<&T::tools>(false)}},
};

}  // namespace

std::span<const Row> gemini_rows() {
  return kRows;
}

}  // namespace llmgw::providers::families
