#include "dialects/bedrock/request_members.h"

namespace llmgw::dialects::bedrock {
namespace {

constexpr Known kPointMembers[] = {{"type", Takes::text}, {"ttl", Takes::text}};
constexpr Shape kPoint{.members = kPointMembers};
constexpr Known kSwitchMembers[] = {{"enabled", Takes::flag}};
constexpr Shape kSwitch{.members = kSwitchMembers};
constexpr Known kTextMembers[] = {{"text", Takes::text}};
constexpr Shape kTexts{.members = kTextMembers};
constexpr Shape kChunks{.members = kTextMembers, .kept = true};

// A file in S3 goes to Bedrock in the block it came in.
constexpr Known kSourceMembers[] = {{"bytes", Takes::text}, {"s3Location", Takes::object}};
constexpr Shape kSource{.members = kSourceMembers};
constexpr Known kMediaMembers[] = {{"format", Takes::text}, {"source", &kSource}};
constexpr Shape kMedia{.members = kMediaMembers};
constexpr Known kDocumentSourceMembers[] = {
    {"bytes", Takes::text}, {"s3Location", Takes::object}, {"text", Takes::text}, {"content", &kChunks}};
constexpr Shape kDocumentSource{.members = kDocumentSourceMembers};
constexpr Known kDocumentMembers[] = {{"format", Takes::text},
                                      {"name", Takes::text},
                                      {"source", &kDocumentSource},
                                      {"context", Takes::text},
                                      {"citations", &kSwitch}};
constexpr Shape kDocument{.members = kDocumentMembers};
constexpr Known kSearchMembers[] = {
    {"title", Takes::text}, {"source", Takes::text}, {"content", &kChunks}, {"citations", &kSwitch}};
constexpr Shape kSearch{.members = kSearchMembers, .kept = true};

constexpr Known kResultBlockMembers[] = {{"type", Takes::text}, {"text", Takes::text},     {"json", Takes::anything},
                                         {"image", &kMedia},    {"document", &kDocument},  {"video", &kMedia},
                                         {"audio", &kMedia},    {"searchResult", &kSearch}};
constexpr Shape kResultBlock{.members = kResultBlockMembers};
constexpr Known kToolUseMembers[] = {
    {"toolUseId", Takes::text}, {"name", Takes::text}, {"input", Takes::anything}, {"type", Takes::text}};
constexpr Shape kToolUse{.members = kToolUseMembers};
constexpr Known kToolResultMembers[] = {
    {"toolUseId", Takes::text}, {"content", &kResultBlock}, {"status", Takes::text}, {"type", Takes::text}};
constexpr Shape kToolResult{.members = kToolResultMembers};
constexpr Known kReasoningTextMembers[] = {{"text", Takes::text}, {"signature", Takes::text}};
constexpr Shape kReasoningText{.members = kReasoningTextMembers};
constexpr Known kReasoningMembers[] = {{"reasoningText", &kReasoningText}, {"redactedContent", Takes::text}};
constexpr Shape kReasoning{.members = kReasoningMembers};
constexpr Known kCitedMembers[] = {{"content", &kTexts}, {"citations", Takes::list}};
constexpr Shape kCited{.members = kCitedMembers};
constexpr Shape kGuardText{.members = kTextMembers, .kept = true};
constexpr Known kGuardMembers[] = {{"text", &kGuardText}, {"image", Takes::object}};
constexpr Shape kGuard{.members = kGuardMembers, .kept = true};

constexpr Known kBlockMembers[] = {{"type", Takes::text},
                                   {"text", Takes::text},
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
constexpr Known kMessageMembers[] = {{"role", Takes::text}, {"content", &kBlock}};
constexpr Shape kMessage{.members = kMessageMembers};

constexpr Known kSchemaMembers[] = {{"json", Takes::anything}};
constexpr Shape kSchema{.members = kSchemaMembers};
constexpr Known kSpecMembers[] = {
    {"name", Takes::text}, {"description", Takes::text}, {"inputSchema", &kSchema}, {"strict", Takes::flag}};
constexpr Shape kSpec{.members = kSpecMembers};
constexpr Known kToolMembers[] = {{"toolSpec", &kSpec}, {"cachePoint", &kPoint}, {"systemTool", Takes::object}};
constexpr Shape kTool{.members = kToolMembers};
constexpr Known kNamedMembers[] = {{"name", Takes::text}};
constexpr Shape kNamed{.members = kNamedMembers};
constexpr Shape kNothing{};
constexpr Known kChoiceMembers[] = {
    {"auto", &kNothing, Takes::object}, {"any", &kNothing, Takes::object}, {"tool", &kNamed, Takes::object}};
constexpr Shape kChoice{.members = kChoiceMembers};
constexpr Known kToolConfigMembers[] = {{"tools", &kTool, Takes::list}, {"toolChoice", &kChoice, Takes::object}};
constexpr Shape kToolConfig{.members = kToolConfigMembers};

constexpr Known kJsonSchemaMembers[] = {{"name", Takes::text}, {"description", Takes::text}, {"schema", Takes::text}};
constexpr Shape kJsonSchema{.members = kJsonSchemaMembers};
constexpr Known kStructureMembers[] = {{"jsonSchema", &kJsonSchema, Takes::object}};
constexpr Shape kStructure{.members = kStructureMembers};
constexpr Known kFormatMembers[] = {{"type", Takes::text}, {"structure", &kStructure, Takes::object}};
constexpr Shape kFormat{.members = kFormatMembers};
constexpr Known kOutputMembers[] = {{"textFormat", &kFormat, Takes::object}, {"effort", Takes::text}};
constexpr Shape kOutput{.members = kOutputMembers};
constexpr Known kTierMembers[] = {{"type", Takes::text}};
constexpr Shape kTier{.members = kTierMembers};
constexpr Known kThinkingMembers[] = {{"type", Takes::text}, {"budget_tokens", Takes::whole}, {"display", Takes::text}};
constexpr Shape kThinking{.members = kThinkingMembers};
constexpr Known kReasoningConfigMembers[] = {{"type", Takes::text}, {"maxReasoningEffort", Takes::text}};
constexpr Shape kReasoningConfig{.members = kReasoningConfigMembers};
constexpr Known kFieldMembers[] = {{"thinking", &kThinking, Takes::object},
                                   {"reasoningConfig", &kReasoningConfig, Takes::object},
                                   {"reasoning_effort", Takes::text},
                                   {"top_k", Takes::number},
                                   {"topK", Takes::number}};
constexpr Shape kFields{.members = kFieldMembers, .unknown_members = Others::extra};
constexpr Known kInferenceMembers[] = {{"maxTokens", Takes::whole},
                                       {"temperature", Takes::number},
                                       {"topP", Takes::number},
                                       {"stopSequences", Takes::texts}};
constexpr Shape kInference{.members = kInferenceMembers, .unknown_members = Others::extra};

constexpr Known kRequestMembers[] = {{"messages", &kMessage, Takes::list},
                                     {"system", &kBlock, Takes::text | Takes::list},
                                     {"toolConfig", &kToolConfig, Takes::object},
                                     {"outputConfig", &kOutput, Takes::object},
                                     {"serviceTier", &kTier, Takes::object},
                                     {"additionalModelRequestFields", &kFields, Takes::object},
                                     {"inferenceConfig", &kInference, Takes::object},
                                     {"requestMetadata", Takes::object}};

}  // namespace

constinit const Shape kRequestShape{.members = kRequestMembers, .unknown_members = Others::extra};

}  // namespace llmgw::dialects::bedrock
