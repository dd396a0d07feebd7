#include "dialects/openai_responses/request_members.h"

namespace llmgw::dialects::openai_responses {
namespace {

constexpr std::string_view kWhole = "what is sent back is whole";
constexpr std::string_view kOfEarlierAnswer = "tells of an earlier answer, not to the model";

constexpr Known kSoundMembers[] = {{"data"}, {"format"}};
constexpr Shape kSound{.members = kSoundMembers};
constexpr Known kAddressMembers[] = {{"url"}};
constexpr Shape kAddress{.members = kAddressMembers};

constexpr Known kText[] = {
    {"type"}, {"text"}, {"annotations"}, {"logprobs", nullptr, kOfEarlierAnswer}, {"prompt_cache_breakpoint"}};
constexpr Known kRefusal[] = {{"type"}, {"refusal"}, {"prompt_cache_breakpoint"}};
constexpr Known kImage[] = {{"type"}, {"image_url", &kAddress}, {"file_id"}, {"detail"}, {"prompt_cache_breakpoint"}};
constexpr Known kFile[] = {{"type"},     {"filename"}, {"file_data"},
                           {"file_url"}, {"file_id"},  {"prompt_cache_breakpoint"}};
constexpr Known kAudio[] = {{"type"}, {"input_audio", &kSound}, {"prompt_cache_breakpoint"}};
constexpr Variant kPartTypes[] = {{"input_text", kText},  {"output_text", kText},  {"text", kText},
                                  {"refusal", kRefusal},  {"input_image", kImage}, {"input_file", kFile},
                                  {"input_audio", kAudio}};
constexpr Shape kContent{.variants = kPartTypes};

constexpr Known kThoughtMembers[] = {{"type"}, {"text"}};
constexpr Shape kThought{.members = kThoughtMembers};

constexpr Known kMessage[] = {{"type"}, {"role"},  {"content", &kContent},
                              {"id"},   {"phase"}, {"status", nullptr, kWhole}};
constexpr Known kCall[] = {{"type"}, {"id"}, {"call_id"}, {"name"}, {"arguments"}, {"status", nullptr, kWhole}};
constexpr Known kCustomCall[] = {{"type"}, {"id"}, {"call_id"}, {"name"}, {"input"}, {"status", nullptr, kWhole}};
constexpr Known kOutput[] = {
    {"type"}, {"id"}, {"call_id"}, {"name"}, {"output", &kContent}, {"status", nullptr, kWhole}};
constexpr Known kReasoningItem[] = {{"type"},
                                    {"id"},
                                    {"summary", &kThought},
                                    {"content", &kThought},
                                    {"encrypted_content"},
                                    {"status", nullptr, kWhole}};
constexpr Variant kItemTypes[] = {{"message", kMessage},
                                  {"", kMessage},
                                  {"function_call", kCall},
                                  {"function_call_output", kOutput},
                                  {"reasoning", kReasoningItem},
                                  {"custom_tool_call", kCustomCall},
                                  {"custom_tool_call_output", kOutput}};
constexpr Shape kItem{.variants = kItemTypes};

constexpr Known kFunctionTool[] = {{"type"}, {"name"}, {"description"}, {"parameters"}, {"strict"}};
constexpr Known kCustomTool[] = {{"type"}, {"name"}, {"description"}, {"format"}};
constexpr Variant kToolTypes[] = {{"function", kFunctionTool}, {"custom", kCustomTool}};
constexpr Shape kTool{.variants = kToolTypes};

constexpr Known kNamedMembers[] = {{"type"}, {"name"}};
constexpr Shape kNamed{.members = kNamedMembers};
constexpr Known kAllowed[] = {{"type"}, {"mode"}, {"tools", &kNamed}};
constexpr Variant kChoiceTypes[] = {
    {"function", kNamedMembers}, {"custom", kNamedMembers}, {"allowed_tools", kAllowed}};
constexpr Shape kChoice{.variants = kChoiceTypes};

constexpr Known kFormatMembers[] = {{"type"}, {"name"}, {"description"}, {"schema"}, {"strict"}};
constexpr Shape kFormat{.members = kFormatMembers};
constexpr Known kTextMembers[] = {{"format", &kFormat}};
constexpr Shape kTextSettings{.members = kTextMembers, .unknown_members = Others::extra};
constexpr Known kConversationMembers[] = {{"id"}};
constexpr Shape kConversation{.members = kConversationMembers};
constexpr Known kStreamMembers[] = {
    {"include_obfuscation", nullptr, "padding is never sent"},
};
constexpr Shape kStream{.members = kStreamMembers};

constexpr Known kRequestMembers[] = {{"input", &kItem},
                                     {"tools", &kTool},
                                     {"tool_choice", &kChoice},
                                     {"text", &kTextSettings},
                                     {"conversation", &kConversation},
                                     {"stream_options", &kStream}};

}  // namespace

constinit const Shape kRequestShape{.members = kRequestMembers, .unknown_members = Others::extra};

}  // namespace llmgw::dialects::openai_responses
