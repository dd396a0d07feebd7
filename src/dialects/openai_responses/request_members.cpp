#include "dialects/openai_responses/request_members.h"

namespace llmgw::dialects::openai_responses {
namespace {

constexpr std::string_view kWhole = "what is sent back is whole";
constexpr std::string_view kOfEarlierAnswer = "tells of an earlier answer, not to the model";

constexpr Known kSoundMembers[] = {{"data", Takes::text}, {"format", Takes::text}};
constexpr Shape kSound{.members = kSoundMembers};
constexpr Known kAddressMembers[] = {{"url", Takes::text}};
constexpr Shape kAddress{.members = kAddressMembers};

constexpr Known kText[] = {{"type", Takes::text},
                           {"text", Takes::text},
                           {"annotations", Takes::list},
                           {"logprobs", nullptr, kOfEarlierAnswer},
                           {"prompt_cache_breakpoint", Takes::object}};
constexpr Known kRefusal[] = {
    {"type", Takes::text}, {"refusal", Takes::text}, {"prompt_cache_breakpoint", Takes::object}};
constexpr Known kImage[] = {{"type", Takes::text},
                            {"image_url", &kAddress},
                            {"file_id", Takes::text},
                            {"detail", Takes::text},
                            {"prompt_cache_breakpoint", Takes::object}};
constexpr Known kFile[] = {{"type", Takes::text},      {"filename", Takes::text},
                           {"file_data", Takes::text}, {"file_url", Takes::text},
                           {"file_id", Takes::text},   {"prompt_cache_breakpoint", Takes::object}};
constexpr Known kAudio[] = {
    {"type", Takes::text}, {"input_audio", &kSound}, {"prompt_cache_breakpoint", Takes::object}};
constexpr Variant kPartTypes[] = {{"input_text", kText},  {"output_text", kText},  {"text", kText},
                                  {"refusal", kRefusal},  {"input_image", kImage}, {"input_file", kFile},
                                  {"input_audio", kAudio}};
constexpr Shape kContent{.variants = kPartTypes};

constexpr Known kThoughtMembers[] = {{"type", Takes::text}, {"text", Takes::text}};
constexpr Shape kThought{.members = kThoughtMembers};

constexpr Known kMessage[] = {{"type", Takes::text}, {"role", Takes::text},  {"content", &kContent},
                              {"id", Takes::text},   {"phase", Takes::text}, {"status", nullptr, kWhole}};
constexpr Known kCall[] = {{"type", Takes::text}, {"id", Takes::text},        {"call_id", Takes::text},
                           {"name", Takes::text}, {"arguments", Takes::text}, {"status", nullptr, kWhole}};
constexpr Known kCustomCall[] = {{"type", Takes::text}, {"id", Takes::text},    {"call_id", Takes::text},
                                 {"name", Takes::text}, {"input", Takes::text}, {"status", nullptr, kWhole}};
constexpr Known kOutput[] = {{"type", Takes::text}, {"id", Takes::text},   {"call_id", Takes::text},
                             {"name", Takes::text}, {"output", &kContent}, {"status", nullptr, kWhole}};
constexpr Known kReasoningItem[] = {{"type", Takes::text},
                                    {"id", Takes::text},
                                    {"summary", &kThought},
                                    {"content", &kThought},
                                    {"encrypted_content", Takes::text},
                                    {"status", nullptr, kWhole}};
constexpr Variant kItemTypes[] = {{"message", kMessage},
                                  {"", kMessage},
                                  {"function_call", kCall},
                                  {"function_call_output", kOutput},
                                  {"reasoning", kReasoningItem},
                                  {"custom_tool_call", kCustomCall},
                                  {"custom_tool_call_output", kOutput}};
constexpr Shape kItem{.variants = kItemTypes};

constexpr Known kFunctionTool[] = {{"type", Takes::text},
                                   {"name", Takes::text},
                                   {"description", Takes::text},
                                   {"parameters", Takes::object | Takes::empty_list},
                                   {"strict", Takes::flag}};
constexpr Known kCustomTool[] = {
    {"type", Takes::text}, {"name", Takes::text}, {"description", Takes::text}, {"format", Takes::object}};
constexpr Variant kToolTypes[] = {{"function", kFunctionTool}, {"custom", kCustomTool}};
constexpr Shape kTool{.variants = kToolTypes};

constexpr Known kNamedMembers[] = {{"type", Takes::text}, {"name", Takes::text}};
constexpr Shape kNamed{.members = kNamedMembers};
constexpr Known kAllowed[] = {{"type", Takes::text}, {"mode", Takes::text}, {"tools", &kNamed}};
constexpr Variant kChoiceTypes[] = {
    {"function", kNamedMembers}, {"custom", kNamedMembers}, {"allowed_tools", kAllowed}};
constexpr Shape kChoice{.variants = kChoiceTypes};

constexpr Known kFormatMembers[] = {{"type", Takes::text},
                                    {"name", Takes::text},
                                    {"description", Takes::text},
                                    {"schema", Takes::object},
                                    {"strict", Takes::flag}};
constexpr Shape kFormat{.members = kFormatMembers};
constexpr Known kTextMembers[] = {{"format", &kFormat, Takes::object}, {"verbosity", Takes::text}};
constexpr Shape kTextSettings{.members = kTextMembers, .unknown_members = Others::extra};
constexpr Known kConversationMembers[] = {{"id", Takes::text}};
constexpr Shape kConversation{.members = kConversationMembers};
constexpr Known kStreamMembers[] = {
    {"include_obfuscation", nullptr, "padding is never sent"},
};
constexpr Shape kStream{.members = kStreamMembers};

constexpr Known kReasoningMembers[] = {
    {"effort", Takes::text}, {"summary", Takes::text}, {"generate_summary", Takes::text}};
constexpr Shape kReasoning{.members = kReasoningMembers, .unknown_members = Others::extra};

constexpr Known kRequestMembers[] = {{"input", &kItem, Takes::text | Takes::list},
                                     {"tools", &kTool, Takes::list},
                                     {"tool_choice", &kChoice, Takes::text | Takes::object},
                                     {"text", &kTextSettings, Takes::object},
                                     {"conversation", &kConversation, Takes::text | Takes::object},
                                     {"stream_options", &kStream, Takes::object},
                                     {"reasoning", &kReasoning, Takes::object},
                                     {"metadata", Takes::object},
                                     {"include", Takes::texts},
                                     {"model", Takes::text},
                                     {"instructions", Takes::text},
                                     {"user", Takes::text},
                                     {"safety_identifier", Takes::text},
                                     {"service_tier", Takes::text},
                                     {"prompt_cache_key", Takes::text},
                                     {"prompt_cache_retention", Takes::text},
                                     {"truncation", Takes::text},
                                     {"previous_response_id", Takes::text},
                                     {"temperature", Takes::number},
                                     {"top_p", Takes::number},
                                     {"max_output_tokens", Takes::whole},
                                     {"top_logprobs", Takes::whole},
                                     {"parallel_tool_calls", Takes::flag},
                                     {"stream", Takes::flag},
                                     {"store", Takes::flag},
                                     {"background", Takes::flag}};

}  // namespace

constinit const Shape kRequestShape{.members = kRequestMembers, .unknown_members = Others::extra};

}  // namespace llmgw::dialects::openai_responses
