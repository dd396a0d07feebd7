#include "dialects/anthropic/request_members.h"

namespace llmgw::dialects::anthropic {
namespace {

constexpr Known kMarkMembers[] = {{"type"}, {"ttl"}};
constexpr Shape kMark{.members = kMarkMembers};
constexpr Known kSwitchMembers[] = {{"enabled"}};
constexpr Shape kSwitch{.members = kSwitchMembers};

// Texts in chunks of the client's making: what is no text of them goes to Anthropic only.
constexpr Known kChunk[] = {{"type"}, {"text"}};
constexpr Variant kChunkTypes[] = {{"text", kChunk}};
constexpr Shape kChunks{.variants = kChunkTypes, .unknown_types = Others::noted, .kept = true};

constexpr Known kBytes[] = {{"type"}, {"media_type"}, {"data"}};
constexpr Known kUrl[] = {{"type"}, {"url"}};
constexpr Known kUpload[] = {{"type"}, {"file_id"}};
constexpr Known kChunked[] = {{"type"}, {"content", &kChunks}};
constexpr Variant kSourceTypes[] = {
    {"base64", kBytes}, {"url", kUrl}, {"file", kUpload}, {"text", kBytes}, {"content", kChunked, true}};
constexpr Shape kSource{.variants = kSourceTypes};

constexpr Known kText[] = {{"type"}, {"text"}, {"citations"}, {"cache_control", &kMark}};
constexpr Known kThinking[] = {{"type"}, {"thinking"}, {"signature"}};
constexpr Known kRedacted[] = {{"type"}, {"data"}};
constexpr Known kToolUse[] = {{"type"},
                              {"id"},
                              {"name"},
                              {"input"},
                              {"cache_control", &kMark},
                              {"caller", nullptr, "that the model made the call is no news", "direct"}};
constexpr Known kImage[] = {{"type"}, {"source", &kSource}, {"cache_control", &kMark}};
constexpr Known kDocument[] = {{"type"},    {"source", &kSource},    {"title"},
                               {"context"}, {"citations", &kSwitch}, {"cache_control", &kMark}};
constexpr Known kSearchResult[] = {{"type"},  {"content", &kChunks},   {"source"},
                                   {"title"}, {"citations", &kSwitch}, {"cache_control", &kMark}};
constexpr Variant kResultBlockTypes[] = {
    {"text", kText}, {"image", kImage}, {"document", kDocument}, {"search_result", kSearchResult, true}};
constexpr Shape kResultBlock{.variants = kResultBlockTypes};
constexpr Known kToolResult[] = {
    {"type"}, {"tool_use_id"}, {"content", &kResultBlock}, {"is_error"}, {"cache_control", &kMark}};
constexpr Variant kBlockTypes[] = {{"text", kText},
                                   {"tool_use", kToolUse},
                                   {"tool_result", kToolResult},
                                   {"thinking", kThinking},
                                   {"image", kImage},
                                   {"document", kDocument},
                                   {"redacted_thinking", kRedacted},
                                   {"search_result", kSearchResult, true}};
constexpr Shape kBlock{.variants = kBlockTypes};
constexpr Known kMessageMembers[] = {{"role"}, {"content", &kBlock}};
constexpr Shape kMessage{.members = kMessageMembers};

constexpr Known kTool[] = {{"type"},         {"name"},   {"description"},
                           {"input_schema"}, {"strict"}, {"cache_control", &kMark}};
constexpr Variant kToolTypes[] = {{"", kTool, true}, {"custom", kTool, true}};
constexpr Shape kTools{.variants = kToolTypes};
constexpr Known kChoiceMembers[] = {{"type"}, {"name"}, {"disable_parallel_tool_use"}};
constexpr Shape kChoice{.members = kChoiceMembers};

constexpr Known kThinkingSwitchMembers[] = {{"type"}, {"budget_tokens"}, {"display"}};
constexpr Shape kThinkingSwitch{.members = kThinkingSwitchMembers};
constexpr Known kFormatMembers[] = {{"type"}, {"schema"}};
constexpr Shape kFormat{.members = kFormatMembers};
constexpr Known kOutputMembers[] = {{"format", &kFormat}};
constexpr Shape kOutput{.members = kOutputMembers, .unknown_members = Others::extra};

constexpr Known kRequestMembers[] = {
    {"messages", &kMessage},        {"system", &kBlock},         {"tools", &kTools},
    {"tool_choice", &kChoice},      {"output_config", &kOutput}, {"output_format", &kFormat},
    {"thinking", &kThinkingSwitch}, {"cache_control", &kMark}};

}  // namespace

constinit const Shape kRequestShape{.members = kRequestMembers, .unknown_members = Others::extra};

}  // namespace llmgw::dialects::anthropic
