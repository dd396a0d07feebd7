#include "dialects/cohere/request_members.h"

namespace llmgw::dialects::cohere {
namespace {

// A document's data is read whole.
constexpr Known kDocumentMembers[] = {{"id"}, {"data"}};
constexpr Shape kDocument{.members = kDocumentMembers, .kept = true};
constexpr Known kAddressMembers[] = {{"url"}, {"detail"}};
constexpr Shape kAddress{.members = kAddressMembers};

constexpr Known kText[] = {{"type"}, {"text"}, {"signature"}};
constexpr Known kThinking[] = {{"type"}, {"thinking"}, {"signature"}};
constexpr Known kImage[] = {{"type"}, {"image_url", &kAddress}};
constexpr Known kDocumentPart[] = {{"type"}, {"document", &kDocument}};
constexpr Variant kPartTypes[] = {
    {"text", kText}, {"document", kDocumentPart}, {"image_url", kImage}, {"thinking", kThinking}};
constexpr Shape kContent{.variants = kPartTypes};

constexpr Known kFunctionCallMembers[] = {{"name"}, {"arguments"}};
constexpr Shape kFunctionCall{.members = kFunctionCallMembers};
constexpr Known kCallMembers[] = {{"id"}, {"type"}, {"function", &kFunctionCall}, {"signature"}};
constexpr Shape kCall{.members = kCallMembers};

constexpr Known kSaid[] = {{"role"}, {"content", &kContent}};
constexpr Known kAnswered[] = {{"role"}, {"content", &kContent}, {"tool_calls", &kCall}, {"tool_plan"}, {"citations"}};
constexpr Known kResult[] = {{"role"}, {"content", &kContent}, {"tool_call_id"}};
constexpr Variant kRoles[] = {
    {"user", kSaid}, {"assistant", kAnswered}, {"tool", kResult}, {"system", kSaid}, {"developer", kSaid}};
constexpr Shape kMessage{.variants = kRoles, .type = "role"};

constexpr Known kFunctionMembers[] = {{"name"}, {"description"}, {"parameters"}};
constexpr Shape kFunction{.members = kFunctionMembers};
constexpr Known kToolMembers[] = {{"type"}, {"function", &kFunction}};
constexpr Shape kTool{.members = kToolMembers};
constexpr Known kFormatMembers[] = {{"type"}, {"json_schema"}, {"schema"}};
constexpr Shape kFormat{.members = kFormatMembers};
constexpr Known kThinkingSwitchMembers[] = {{"type"}, {"token_budget"}};
constexpr Shape kThinkingSwitch{.members = kThinkingSwitchMembers};

constexpr Known kRequestMembers[] = {{"messages", &kMessage},
                                     {"tools", &kTool},
                                     {"documents", &kDocument},
                                     {"response_format", &kFormat},
                                     {"thinking", &kThinkingSwitch}};

}  // namespace

constinit const Shape kRequestShape{.members = kRequestMembers, .unknown_members = Others::extra};

}  // namespace llmgw::dialects::cohere
