#include "dialects/anthropic/request_members.h"

namespace llmgw::dialects::anthropic {
namespace {

constexpr Known kMarkMembers[] = {{"type", Takes::text}, {"ttl", Takes::text}};
constexpr Shape kMark{.members = kMarkMembers};
constexpr Known kSwitchMembers[] = {{"enabled", Takes::flag}};
constexpr Shape kSwitch{.members = kSwitchMembers};

// Texts in chunks of the client's making: what is no text of them goes to Anthropic only.
constexpr Known kChunk[] = {{"type", Takes::text}, {"text", Takes::text}};
constexpr Variant kChunkTypes[] = {{"text", kChunk}};
constexpr Shape kChunks{.variants = kChunkTypes, .unknown_types = Others::noted, .kept = true};

constexpr Known kBytes[] = {{"type", Takes::text}, {"media_type", Takes::text}, {"data", Takes::text}};
constexpr Known kUrl[] = {{"type", Takes::text}, {"url", Takes::text}};
constexpr Known kUpload[] = {{"type", Takes::text}, {"file_id", Takes::text}};
constexpr Known kChunked[] = {{"type", Takes::text}, {"content", &kChunks}};
constexpr Variant kSourceTypes[] = {
    {"base64", kBytes}, {"url", kUrl}, {"file", kUpload}, {"text", kBytes}, {"content", kChunked, true}};
constexpr Shape kSource{.variants = kSourceTypes};

constexpr Known kText[] = {
    {"type", Takes::text}, {"text", Takes::text}, {"citations", Takes::list}, {"cache_control", &kMark}};
constexpr Known kThinking[] = {{"type", Takes::text}, {"thinking", Takes::text}, {"signature", Takes::text}};
constexpr Known kRedacted[] = {{"type", Takes::text}, {"data", Takes::text}};
constexpr Known kToolUse[] = {
    {"type", Takes::text},     {"id", Takes::text},
    {"name", Takes::text},     {"input", Takes::object | Takes::text | Takes::list},
    {"cache_control", &kMark}, {"caller", nullptr, "that the model made the call is no news", "direct"}};
constexpr Known kImage[] = {{"type", Takes::text}, {"source", &kSource}, {"cache_control", &kMark}};
constexpr Known kDocument[] = {{"type", Takes::text},    {"source", &kSource},    {"title", Takes::text},
                               {"context", Takes::text}, {"citations", &kSwitch}, {"cache_control", &kMark}};
constexpr Known kSearchResult[] = {{"type", Takes::text},  {"content", &kChunks},   {"source", Takes::text},
                                   {"title", Takes::text}, {"citations", &kSwitch}, {"cache_control", &kMark}};
constexpr Variant kResultBlockTypes[] = {
    {"text", kText}, {"image", kImage}, {"document", kDocument}, {"search_result", kSearchResult, true}};
constexpr Shape kResultBlock{.variants = kResultBlockTypes};
constexpr Known kToolResult[] = {{"type", Takes::text},
                                 {"tool_use_id", Takes::text},
                                 {"content", &kResultBlock},
                                 {"is_error", Takes::flag},
                                 {"cache_control", &kMark}};
constexpr Variant kBlockTypes[] = {{"text", kText},
                                   {"tool_use", kToolUse},
                                   {"tool_result", kToolResult},
                                   {"thinking", kThinking},
                                   {"image", kImage},
                                   {"document", kDocument},
                                   {"redacted_thinking", kRedacted},
                                   {"search_result", kSearchResult, true}};
constexpr Shape kBlock{.variants = kBlockTypes};
constexpr Known kMessageMembers[] = {{"role", Takes::text}, {"content", &kBlock}};
constexpr Shape kMessage{.members = kMessageMembers};

constexpr Known kTool[] = {{"type", Takes::text},        {"name", Takes::text},
                           {"description", Takes::text}, {"input_schema", Takes::object | Takes::empty_list},
                           {"strict", Takes::flag},      {"cache_control", &kMark}};
constexpr Variant kToolTypes[] = {{"", kTool, true}, {"custom", kTool, true}};
constexpr Shape kTools{.variants = kToolTypes};
constexpr Known kChoiceMembers[] = {
    {"type", Takes::text}, {"name", Takes::text}, {"disable_parallel_tool_use", Takes::flag}};
constexpr Shape kChoice{.members = kChoiceMembers};

constexpr Known kThinkingSwitchMembers[] = {
    {"type", Takes::text}, {"budget_tokens", Takes::whole}, {"display", Takes::text}};
constexpr Shape kThinkingSwitch{.members = kThinkingSwitchMembers};
constexpr Known kFormatMembers[] = {{"type", Takes::text}, {"schema", Takes::object}};
constexpr Shape kFormat{.members = kFormatMembers};
constexpr Known kOutputMembers[] = {{"format", &kFormat, Takes::object}, {"effort", Takes::text}};
constexpr Shape kOutput{.members = kOutputMembers, .unknown_members = Others::extra};

constexpr Known kMetadataMembers[] = {{"user_id", Takes::text}};
constexpr Shape kMetadata{.members = kMetadataMembers, .unknown_members = Others::extra};

constexpr Known kRequestMembers[] = {{"messages", &kMessage, Takes::list},
                                     {"system", &kBlock, Takes::text | Takes::list},
                                     {"tools", &kTools, Takes::list},
                                     {"tool_choice", &kChoice, Takes::object},
                                     {"output_config", &kOutput, Takes::object},
                                     {"output_format", &kFormat, Takes::object},
                                     {"thinking", &kThinkingSwitch, Takes::object},
                                     {"cache_control", &kMark, Takes::object},
                                     {"metadata", &kMetadata, Takes::object},
                                     {"model", Takes::text},
                                     {"service_tier", Takes::text},
                                     {"stream", Takes::flag},
                                     {"max_tokens", Takes::whole},
                                     {"temperature", Takes::number},
                                     {"top_p", Takes::number},
                                     {"top_k", Takes::whole},
                                     {"stop_sequences", Takes::texts}};

}  // namespace

constinit const Shape kRequestShape{.members = kRequestMembers, .unknown_members = Others::extra};

}  // namespace llmgw::dialects::anthropic
