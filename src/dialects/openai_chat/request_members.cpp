#include "dialects/openai_chat/request_members.h"

namespace llmgw::dialects::openai_chat {
namespace {

constexpr Known kMarkMembers[] = {{"type"}, {"ttl"}};
constexpr Shape kMark{.members = kMarkMembers};

constexpr Known kNamedMembers[] = {{"name"}};
constexpr Shape kNamed{.members = kNamedMembers};

// Content.
constexpr Known kAddressMembers[] = {{"url"}, {"detail"}};
constexpr Shape kAddress{.members = kAddressMembers};
constexpr Known kSoundMembers[] = {{"data"}, {"format"}};
constexpr Shape kSound{.members = kSoundMembers};
constexpr Known kFileMembers[] = {{"filename"}, {"file_name"}, {"file_id"}, {"file_data"}, {"file_url"}, {"url"}};
constexpr Shape kFile{.members = kFileMembers};
constexpr Known kThoughtMembers[] = {{"type"}, {"text"}};
constexpr Shape kThought{.members = kThoughtMembers};

constexpr Known kText[] = {{"type"}, {"text"}, {"cache_control", &kMark}, {"prompt_cache_breakpoint"}};
constexpr Known kRefusal[] = {{"type"}, {"refusal"}, {"cache_control", &kMark}, {"prompt_cache_breakpoint"}};
constexpr Known kImage[] = {{"type"}, {"image_url", &kAddress}, {"cache_control", &kMark}, {"prompt_cache_breakpoint"}};
constexpr Known kVideo[] = {{"type"}, {"video_url", &kAddress}, {"cache_control", &kMark}, {"prompt_cache_breakpoint"}};
constexpr Known kAudio[] = {{"type"}, {"input_audio", &kSound}, {"cache_control", &kMark}, {"prompt_cache_breakpoint"}};
constexpr Known kDocument[] = {{"type"}, {"file", &kFile}, {"cache_control", &kMark}, {"prompt_cache_breakpoint"}};
constexpr Known kThinking[] = {{"type"},
                               {"thinking", &kThought},
                               {"signature"},
                               {"closed", nullptr, "Mistral: a thought that is sent back is over"}};
constexpr Variant kPartTypes[] = {{"text", kText},         {"input_text", kText}, {"output_text", kText},
                                  {"refusal", kRefusal},   {"image_url", kImage}, {"video_url", kVideo},
                                  {"input_audio", kAudio}, {"file", kDocument},   {"thinking", kThinking}};
constexpr Shape kContent{.variants = kPartTypes};

// What the assistant did.
constexpr Known kGoogleMembers[] = {{"thought_signature"}};
constexpr Shape kGoogle{.members = kGoogleMembers};
constexpr Known kExtraContentMembers[] = {{"google", &kGoogle}};
constexpr Shape kExtraContent{.members = kExtraContentMembers};
constexpr Known kFunctionCallMembers[] = {{"name"}, {"arguments"}, {"parameters"}};
constexpr Shape kFunctionCall{.members = kFunctionCallMembers};
constexpr Known kCustomCallMembers[] = {{"name"}, {"input"}};
constexpr Shape kCustomCall{.members = kCustomCallMembers};
constexpr Known kCallMembers[] = {{"id"},
                                  {"type"},
                                  {"function", &kFunctionCall},
                                  {"custom", &kCustomCall},
                                  {"extra_content", &kExtraContent},
                                  {"name"},
                                  {"arguments"},
                                  {"parameters"},
                                  {"index", nullptr, "its place among the calls says it"}};
constexpr Shape kCall{.members = kCallMembers};
constexpr Known kDetailMembers[] = {
    {"type"},    {"id"},
    {"index"},   {"text"},
    {"summary"}, {"signature"},
    {"data"},    {"format", nullptr, "OpenRouter's name of who signed: the signature says it"}};
constexpr Shape kDetail{.members = kDetailMembers};
constexpr Known kThinkingBlockMembers[] = {{"type"}, {"thinking"}, {"signature"}, {"data"}};
constexpr Shape kThinkingBlock{.members = kThinkingBlockMembers};
constexpr std::string_view kKnownByItsId = "the speech of an earlier answer is known by its id";
constexpr Known kSpokenMembers[] = {{"id"},
                                    {"data", nullptr, kKnownByItsId},
                                    {"expires_at", nullptr, kKnownByItsId},
                                    {"transcript", nullptr, kKnownByItsId}};
constexpr Shape kSpoken{.members = kSpokenMembers};

constexpr Known kSaid[] = {
    {"role"}, {"content", &kContent}, {"name"}, {"cache_control", &kMark}, {"prompt_cache_breakpoint"}};
constexpr Known kAnswered[] = {{"role"},
                               {"content", &kContent},
                               {"tool_calls", &kCall},
                               {"name"},
                               {"refusal"},
                               {"audio", &kSpoken},
                               {"function_call", &kFunctionCall},
                               {"reasoning"},
                               {"reasoning_content"},
                               {"reasoning_details", &kDetail},
                               {"thinking_blocks", &kThinkingBlock},
                               {"extra_content", &kExtraContent},
                               {"cache_control", &kMark},
                               {"prompt_cache_breakpoint"}};
constexpr Known kResult[] = {{"role"}, {"content", &kContent},    {"tool_call_id"},
                             {"name"}, {"cache_control", &kMark}, {"prompt_cache_breakpoint"}};
constexpr Variant kRoles[] = {{"user", kSaid},   {"assistant", kAnswered}, {"tool", kResult},
                              {"system", kSaid}, {"developer", kSaid},     {"function", kResult}};
constexpr Shape kMessage{.variants = kRoles, .type = "role"};

// Tools.
constexpr Known kFunctionMembers[] = {{"name"}, {"description"}, {"parameters"}, {"strict"}};
constexpr Shape kFunction{.members = kFunctionMembers};
constexpr Known kCustomMembers[] = {{"name"}, {"description"}, {"format"}};
constexpr Shape kCustom{.members = kCustomMembers};
constexpr Known kFunctionTool[] = {
    {"type"}, {"function", &kFunction}, {"cache_control", &kMark}, {"prompt_cache_breakpoint"}};
constexpr Known kCustomTool[] = {
    {"type"}, {"custom", &kCustom}, {"cache_control", &kMark}, {"prompt_cache_breakpoint"}};
constexpr Variant kToolTypes[] = {{"function", kFunctionTool}, {"", kFunctionTool}, {"custom", kCustomTool}};
constexpr Shape kTool{.variants = kToolTypes};
constexpr Known kNamedToolMembers[] = {{"type"}, {"name"}, {"function", &kNamed}, {"custom", &kNamed}};
constexpr Shape kNamedTool{.members = kNamedToolMembers};
constexpr Known kAllowedMembers[] = {{"mode"}, {"tools", &kNamedTool}};
constexpr Shape kAllowed{.members = kAllowedMembers};
constexpr Known kChoiceMembers[] = {{"type"},
                                    {"name"},
                                    {"function", &kNamed},
                                    {"custom", &kNamed},
                                    {"allowed_tools", &kAllowed},
                                    {"mode"},
                                    {"tools", &kNamedTool}};
constexpr Shape kChoice{.members = kChoiceMembers};

// Settings.
constexpr Known kSchemaMembers[] = {{"name"}, {"description"}, {"schema"}, {"strict"}};
constexpr Shape kSchema{.members = kSchemaMembers};
constexpr Known kFormatMembers[] = {{"type"}, {"json_schema", &kSchema}, {"schema"}};
constexpr Shape kFormat{.members = kFormatMembers};
constexpr Known kStreamMembers[] = {{"include_usage"}, {"include_obfuscation"}};
constexpr Shape kStream{.members = kStreamMembers};
constexpr Known kReasoningMembers[] = {{"effort"}, {"max_tokens"}, {"enabled"}, {"exclude"}};
constexpr Shape kReasoning{.members = kReasoningMembers};
constexpr Known kThinkingSwitchMembers[] = {{"type"}, {"budget_tokens"}};
constexpr Shape kThinkingSwitch{.members = kThinkingSwitchMembers};

constexpr Known kRequestMembers[] = {{"messages", &kMessage},        {"tools", &kTool},
                                     {"tool_choice", &kChoice},      {"functions", &kFunction},
                                     {"function_call", &kNamed},     {"response_format", &kFormat},
                                     {"stream_options", &kStream},   {"reasoning", &kReasoning},
                                     {"thinking", &kThinkingSwitch}, {"cache_control", &kMark}};

}  // namespace

constinit const Shape kRequestShape{.members = kRequestMembers, .unknown_members = Others::extra};

}  // namespace llmgw::dialects::openai_chat
