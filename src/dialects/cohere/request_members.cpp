#include "dialects/cohere/request_members.h"

namespace llmgw::dialects::cohere {
namespace {

// A document's data is read whole.
constexpr Known kDocumentMembers[] = {{"id", Takes::text}, {"data", Takes::object | Takes::text}};
constexpr Shape kDocument{.members = kDocumentMembers, .kept = true};
constexpr Known kAddressMembers[] = {{"url", Takes::text}, {"detail", Takes::text}};
constexpr Shape kAddress{.members = kAddressMembers};

constexpr Known kText[] = {{"type", Takes::text}, {"text", Takes::text}, {"signature", Takes::text}};
constexpr Known kThinking[] = {{"type", Takes::text}, {"thinking", Takes::text}, {"signature", Takes::text}};
constexpr Known kImage[] = {{"type", Takes::text}, {"image_url", &kAddress}};
constexpr Known kDocumentPart[] = {{"type", Takes::text}, {"document", &kDocument}};
constexpr Variant kPartTypes[] = {
    {"text", kText}, {"document", kDocumentPart}, {"image_url", kImage}, {"thinking", kThinking}};
constexpr Shape kContent{.variants = kPartTypes};

constexpr Known kFunctionCallMembers[] = {{"name", Takes::text},
                                          {"arguments", Takes::text | Takes::object | Takes::empty_list}};
constexpr Shape kFunctionCall{.members = kFunctionCallMembers};
constexpr Known kCallMembers[] = {
    {"id", Takes::text}, {"type", Takes::text}, {"function", &kFunctionCall}, {"signature", Takes::text}};
constexpr Shape kCall{.members = kCallMembers};

constexpr Known kSaid[] = {{"role", Takes::text}, {"content", &kContent}};
constexpr Known kAnswered[] = {{"role", Takes::text},
                               {"content", &kContent},
                               {"tool_calls", &kCall},
                               {"tool_plan", Takes::text},
                               {"citations", Takes::list}};
constexpr Known kResult[] = {{"role", Takes::text}, {"content", &kContent}, {"tool_call_id", Takes::text}};
constexpr Variant kRoles[] = {
    {"user", kSaid}, {"assistant", kAnswered}, {"tool", kResult}, {"system", kSaid}, {"developer", kSaid}};
constexpr Shape kMessage{.variants = kRoles, .type = "role"};

constexpr Known kFunctionMembers[] = {
    {"name", Takes::text}, {"description", Takes::text}, {"parameters", Takes::object | Takes::empty_list}};
constexpr Shape kFunction{.members = kFunctionMembers};
constexpr Known kToolMembers[] = {{"type", Takes::text}, {"function", &kFunction}};
constexpr Shape kTool{.members = kToolMembers};
constexpr Known kFormatMembers[] = {{"type", Takes::text}, {"json_schema", Takes::object}, {"schema", Takes::object}};
constexpr Shape kFormat{.members = kFormatMembers};
constexpr Known kThinkingSwitchMembers[] = {{"type", Takes::text}, {"token_budget", Takes::whole}};
constexpr Shape kThinkingSwitch{.members = kThinkingSwitchMembers};

constexpr Known kRequestMembers[] = {{"messages", &kMessage},
                                     {"tools", &kTool},
                                     {"documents", &kDocument, Takes::list},
                                     {"response_format", &kFormat, Takes::object},
                                     {"thinking", &kThinkingSwitch, Takes::object},
                                     {"strict_tools", Takes::flag}};

}  // namespace

constinit const Shape kRequestShape{.members = kRequestMembers, .unknown_members = Others::extra};

}  // namespace llmgw::dialects::cohere
