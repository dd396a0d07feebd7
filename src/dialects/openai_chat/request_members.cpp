#include "dialects/openai_chat/request_members.h"

namespace llmgw::dialects::openai_chat {
namespace {

constexpr Known kMarkMembers[] = {{"type", Takes::text}, {"ttl", Takes::text}};
constexpr Shape kMark{.members = kMarkMembers};

constexpr Known kNamedMembers[] = {{"name", Takes::text}};
constexpr Shape kNamed{.members = kNamedMembers};

// Content.
constexpr Known kAddressMembers[] = {{"url", Takes::text}, {"detail", Takes::text}};
constexpr Shape kAddress{.members = kAddressMembers};
constexpr Known kSoundMembers[] = {{"data", Takes::text}, {"format", Takes::text}};
constexpr Shape kSound{.members = kSoundMembers};
constexpr Known kFileMembers[] = {{"filename", Takes::text},  {"file_name", Takes::text}, {"file_id", Takes::text},
                                  {"file_data", Takes::text}, {"file_url", Takes::text},  {"url", Takes::text}};
constexpr Shape kFile{.members = kFileMembers};
constexpr Known kThoughtMembers[] = {{"type", Takes::text}, {"text", Takes::text}};
constexpr Shape kThought{.members = kThoughtMembers};

constexpr Known kText[] = {{"type", Takes::text},
                           {"text", Takes::text},
                           {"cache_control", &kMark},
                           {"prompt_cache_breakpoint", Takes::object}};
constexpr Known kRefusal[] = {{"type", Takes::text},
                              {"refusal", Takes::text},
                              {"cache_control", &kMark},
                              {"prompt_cache_breakpoint", Takes::object}};
constexpr Known kImage[] = {{"type", Takes::text},
                            {"image_url", &kAddress},
                            {"cache_control", &kMark},
                            {"prompt_cache_breakpoint", Takes::object}};
constexpr Known kVideo[] = {{"type", Takes::text},
                            {"video_url", &kAddress},
                            {"cache_control", &kMark},
                            {"prompt_cache_breakpoint", Takes::object}};
constexpr Known kAudio[] = {{"type", Takes::text},
                            {"input_audio", &kSound},
                            {"cache_control", &kMark},
                            {"prompt_cache_breakpoint", Takes::object}};
constexpr Known kDocument[] = {
    {"type", Takes::text}, {"file", &kFile}, {"cache_control", &kMark}, {"prompt_cache_breakpoint", Takes::object}};
constexpr Known kThinking[] = {{"type", Takes::text},
                               {"thinking", &kThought},
                               {"signature", Takes::text},
                               {"closed", nullptr, "Mistral: a thought that is sent back is over"}};
constexpr Variant kPartTypes[] = {{"text", kText},         {"input_text", kText}, {"output_text", kText},
                                  {"refusal", kRefusal},   {"image_url", kImage}, {"video_url", kVideo},
                                  {"input_audio", kAudio}, {"file", kDocument},   {"thinking", kThinking}};
constexpr Shape kContent{.variants = kPartTypes};

// What the assistant did.
constexpr Known kGoogleMembers[] = {{"thought_signature", Takes::text}};
constexpr Shape kGoogle{.members = kGoogleMembers};
constexpr Known kExtraContentMembers[] = {{"google", &kGoogle}};
constexpr Shape kExtraContent{.members = kExtraContentMembers};
constexpr Known kFunctionCallMembers[] = {{"name", Takes::text},
                                          {"arguments", Takes::text | Takes::object | Takes::empty_list},
                                          {"parameters", Takes::object | Takes::empty_list}};
constexpr Shape kFunctionCall{.members = kFunctionCallMembers};
constexpr Known kCustomCallMembers[] = {{"name", Takes::text}, {"input", Takes::text}};
constexpr Shape kCustomCall{.members = kCustomCallMembers};
constexpr Known kCallMembers[] = {{"id", Takes::text},
                                  {"type", Takes::text},
                                  {"function", &kFunctionCall},
                                  {"custom", &kCustomCall},
                                  {"extra_content", &kExtraContent},
                                  {"name", Takes::text},
                                  {"arguments", Takes::text | Takes::object | Takes::empty_list},
                                  {"parameters", Takes::object | Takes::empty_list},
                                  {"index", nullptr, "its place among the calls says it"}};
constexpr Shape kCall{.members = kCallMembers};
constexpr Known kDetailMembers[] = {
    {"type", Takes::text},    {"id", Takes::text},
    {"index", Takes::whole},  {"text", Takes::text},
    {"summary", Takes::text}, {"signature", Takes::text},
    {"data", Takes::text},    {"format", nullptr, "OpenRouter's name of who signed: the signature says it"}};
constexpr Shape kDetail{.members = kDetailMembers};
constexpr Known kThinkingBlockMembers[] = {
    {"type", Takes::text}, {"thinking", Takes::text}, {"signature", Takes::text}, {"data", Takes::text}};
constexpr Shape kThinkingBlock{.members = kThinkingBlockMembers};
constexpr std::string_view kKnownByItsId = "the speech of an earlier answer is known by its id";
constexpr Known kSpokenMembers[] = {{"id", Takes::text},
                                    {"data", nullptr, kKnownByItsId},
                                    {"expires_at", nullptr, kKnownByItsId},
                                    {"transcript", nullptr, kKnownByItsId}};
constexpr Shape kSpoken{.members = kSpokenMembers};

constexpr Known kSaid[] = {{"role", Takes::text},
                           {"content", &kContent},
                           {"name", Takes::text},
                           {"cache_control", &kMark},
                           {"prompt_cache_breakpoint", Takes::object}};
constexpr Known kAnswered[] = {{"role", Takes::text},
                               {"content", &kContent},
                               {"tool_calls", &kCall},
                               {"name", Takes::text},
                               {"refusal", Takes::text},
                               {"audio", &kSpoken},
                               {"function_call", &kFunctionCall},
                               {"reasoning", Takes::text},
                               {"reasoning_content", Takes::text},
                               {"reasoning_details", &kDetail},
                               {"thinking_blocks", &kThinkingBlock},
                               {"extra_content", &kExtraContent},
                               {"cache_control", &kMark},
                               {"prompt_cache_breakpoint", Takes::object}};
constexpr Known kResult[] = {{"role", Takes::text},         {"content", &kContent},
                             {"tool_call_id", Takes::text}, {"name", Takes::text},
                             {"cache_control", &kMark},     {"prompt_cache_breakpoint", Takes::object}};
constexpr Variant kRoles[] = {{"user", kSaid},   {"assistant", kAnswered}, {"tool", kResult},
                              {"system", kSaid}, {"developer", kSaid},     {"function", kResult}};
constexpr Shape kMessage{.variants = kRoles, .type = "role"};

// Tools.
constexpr Known kFunctionMembers[] = {{"name", Takes::text},
                                      {"description", Takes::text},
                                      {"parameters", Takes::object | Takes::empty_list},
                                      {"strict", Takes::flag}};
constexpr Shape kFunction{.members = kFunctionMembers};
constexpr Known kCustomMembers[] = {{"name", Takes::text}, {"description", Takes::text}, {"format", Takes::object}};
constexpr Shape kCustom{.members = kCustomMembers};
constexpr Known kFunctionTool[] = {{"type", Takes::text},
                                   {"function", &kFunction},
                                   {"cache_control", &kMark},
                                   {"prompt_cache_breakpoint", Takes::object}};
constexpr Known kCustomTool[] = {
    {"type", Takes::text}, {"custom", &kCustom}, {"cache_control", &kMark}, {"prompt_cache_breakpoint", Takes::object}};
constexpr Variant kToolTypes[] = {{"function", kFunctionTool}, {"", kFunctionTool}, {"custom", kCustomTool}};
constexpr Shape kTool{.variants = kToolTypes};
constexpr Known kNamedToolMembers[] = {
    {"type", Takes::text}, {"name", Takes::text}, {"function", &kNamed}, {"custom", &kNamed}};
constexpr Shape kNamedTool{.members = kNamedToolMembers};
constexpr Known kAllowedMembers[] = {{"mode", Takes::text}, {"tools", &kNamedTool}};
constexpr Shape kAllowed{.members = kAllowedMembers};
constexpr Known kChoiceMembers[] = {{"type", Takes::text}, {"name", Takes::text},        {"function", &kNamed},
                                    {"custom", &kNamed},   {"allowed_tools", &kAllowed}, {"mode", Takes::text},
                                    {"tools", &kNamedTool}};
constexpr Shape kChoice{.members = kChoiceMembers};

// Settings.
constexpr Known kSchemaMembers[] = {
    {"name", Takes::text}, {"description", Takes::text}, {"schema", Takes::object}, {"strict", Takes::flag}};
constexpr Shape kSchema{.members = kSchemaMembers};
constexpr Known kFormatMembers[] = {{"type", Takes::text}, {"json_schema", &kSchema}, {"schema", Takes::object}};
constexpr Shape kFormat{.members = kFormatMembers};
constexpr Known kStreamMembers[] = {{"include_usage", Takes::flag}, {"include_obfuscation", Takes::flag}};
constexpr Shape kStream{.members = kStreamMembers};
constexpr Known kReasoningMembers[] = {
    {"effort", Takes::text}, {"max_tokens", Takes::whole}, {"enabled", Takes::flag}, {"exclude", Takes::flag}};
constexpr Shape kReasoning{.members = kReasoningMembers};
constexpr Known kThinkingSwitchMembers[] = {{"type", Takes::text}, {"budget_tokens", Takes::whole}};
constexpr Shape kThinkingSwitch{.members = kThinkingSwitchMembers};

constexpr Known kRequestMembers[] = {{"messages", &kMessage},
                                     {"tools", &kTool},
                                     {"tool_choice", &kChoice},
                                     {"functions", &kFunction},
                                     {"function_call", &kNamed},
                                     {"response_format", &kFormat},
                                     {"stream_options", &kStream, Takes::object},
                                     {"reasoning", &kReasoning, Takes::object},
                                     {"thinking", &kThinkingSwitch, Takes::object},
                                     {"cache_control", &kMark}};

}  // namespace

constinit const Shape kRequestShape{.members = kRequestMembers, .unknown_members = Others::extra};

}  // namespace llmgw::dialects::openai_chat
