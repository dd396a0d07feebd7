#include "dialects/bedrock/request_members.h"

namespace llmgw::dialects::bedrock {
namespace {

constexpr Known kPointMembers[] = {{"type"}, {"ttl"}};
constexpr Shape kPoint{.members = kPointMembers};
constexpr Known kSwitchMembers[] = {{"enabled"}};
constexpr Shape kSwitch{.members = kSwitchMembers};
constexpr Known kTextMembers[] = {{"text"}};
constexpr Shape kTexts{.members = kTextMembers};
constexpr Shape kChunks{.members = kTextMembers, .kept = true};

// A file in S3 goes to Bedrock in the block it came in.
constexpr Known kSourceMembers[] = {{"bytes"}, {"s3Location"}};
constexpr Shape kSource{.members = kSourceMembers};
constexpr Known kMediaMembers[] = {{"format"}, {"source", &kSource}};
constexpr Shape kMedia{.members = kMediaMembers};
constexpr Known kDocumentSourceMembers[] = {{"bytes"}, {"s3Location"}, {"text"}, {"content", &kChunks}};
constexpr Shape kDocumentSource{.members = kDocumentSourceMembers};
constexpr Known kDocumentMembers[] = {
    {"format"}, {"name"}, {"source", &kDocumentSource}, {"context"}, {"citations", &kSwitch}};
constexpr Shape kDocument{.members = kDocumentMembers};
constexpr Known kSearchMembers[] = {{"title"}, {"source"}, {"content", &kChunks}, {"citations", &kSwitch}};
constexpr Shape kSearch{.members = kSearchMembers, .kept = true};

constexpr Known kResultBlockMembers[] = {{"type"},
                                         {"text"},
                                         {"json"},
                                         {"image", &kMedia},
                                         {"document", &kDocument},
                                         {"video", &kMedia},
                                         {"audio", &kMedia},
                                         {"searchResult", &kSearch}};
constexpr Shape kResultBlock{.members = kResultBlockMembers};
constexpr Known kToolUseMembers[] = {{"toolUseId"}, {"name"}, {"input"}, {"type"}};
constexpr Shape kToolUse{.members = kToolUseMembers};
constexpr Known kToolResultMembers[] = {{"toolUseId"}, {"content", &kResultBlock}, {"status"}, {"type"}};
constexpr Shape kToolResult{.members = kToolResultMembers};
constexpr Known kReasoningTextMembers[] = {{"text"}, {"signature"}};
constexpr Shape kReasoningText{.members = kReasoningTextMembers};
constexpr Known kReasoningMembers[] = {{"reasoningText", &kReasoningText}, {"redactedContent"}};
constexpr Shape kReasoning{.members = kReasoningMembers};
constexpr Known kCitedMembers[] = {{"content", &kTexts}, {"citations"}};
constexpr Shape kCited{.members = kCitedMembers};
constexpr Shape kGuardText{.members = kTextMembers, .kept = true};
constexpr Known kGuardMembers[] = {{"text", &kGuardText}, {"image"}};
constexpr Shape kGuard{.members = kGuardMembers, .kept = true};

constexpr Known kBlockMembers[] = {{"type"},
                                   {"text"},
                                   {"toolUse", &kToolUse},
                                   {"toolResult", &kToolResult},
                                   {"image", &kMedia},
                                   {"document", &kDocument},
                                   {"video", &kMedia},
                                   {"audio", &kMedia},
                                   {"reasoningContent", &kReasoning},
                                   {"cachePoint", &kPoint},
                                   {"citationsContent", &kCited},
                                   {"guardContent", &kGuard},
                                   {"searchResult", &kSearch}};
constexpr Shape kBlock{.members = kBlockMembers};
constexpr Known kMessageMembers[] = {{"role"}, {"content", &kBlock}};
constexpr Shape kMessage{.members = kMessageMembers};

constexpr Known kSchemaMembers[] = {{"json"}};
constexpr Shape kSchema{.members = kSchemaMembers};
constexpr Known kSpecMembers[] = {{"name"}, {"description"}, {"inputSchema", &kSchema}, {"strict"}};
constexpr Shape kSpec{.members = kSpecMembers};
constexpr Known kToolMembers[] = {{"toolSpec", &kSpec}, {"cachePoint", &kPoint}, {"systemTool"}};
constexpr Shape kTool{.members = kToolMembers};
constexpr Known kNamedMembers[] = {{"name"}};
constexpr Shape kNamed{.members = kNamedMembers};
constexpr Shape kNothing{};
constexpr Known kChoiceMembers[] = {{"auto", &kNothing}, {"any", &kNothing}, {"tool", &kNamed}};
constexpr Shape kChoice{.members = kChoiceMembers};
constexpr Known kToolConfigMembers[] = {{"tools", &kTool}, {"toolChoice", &kChoice}};
constexpr Shape kToolConfig{.members = kToolConfigMembers};

constexpr Known kJsonSchemaMembers[] = {{"name"}, {"description"}, {"schema"}};
constexpr Shape kJsonSchema{.members = kJsonSchemaMembers};
constexpr Known kStructureMembers[] = {{"jsonSchema", &kJsonSchema}};
constexpr Shape kStructure{.members = kStructureMembers};
constexpr Known kFormatMembers[] = {{"type"}, {"structure", &kStructure}};
constexpr Shape kFormat{.members = kFormatMembers};
constexpr Known kOutputMembers[] = {{"textFormat", &kFormat}, {"effort"}};
constexpr Shape kOutput{.members = kOutputMembers};
constexpr Known kTierMembers[] = {{"type"}};
constexpr Shape kTier{.members = kTierMembers};
constexpr Known kThinkingMembers[] = {{"type"}, {"budget_tokens"}, {"display"}};
constexpr Shape kThinking{.members = kThinkingMembers};
constexpr Known kReasoningConfigMembers[] = {{"type"}, {"maxReasoningEffort"}};
constexpr Shape kReasoningConfig{.members = kReasoningConfigMembers};
constexpr Known kFieldMembers[] = {{"thinking", &kThinking}, {"reasoningConfig", &kReasoningConfig}};
constexpr Shape kFields{.members = kFieldMembers, .unknown_members = Others::extra};

constexpr Known kRequestMembers[] = {{"messages", &kMessage},      {"system", &kBlock},
                                     {"toolConfig", &kToolConfig}, {"outputConfig", &kOutput},
                                     {"serviceTier", &kTier},      {"additionalModelRequestFields", &kFields}};

}  // namespace

constinit const Shape kRequestShape{.members = kRequestMembers, .unknown_members = Others::extra};

}  // namespace llmgw::dialects::bedrock
