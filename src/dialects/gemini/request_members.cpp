#include "dialects/gemini/request_members.h"

namespace llmgw::dialects::gemini {
namespace {

// Names in both of protobuf's spellings.
constexpr Known kInlineMembers[] = {{"data", Takes::text},
                                    {"mimeType", Takes::text},
                                    {"mime_type", Takes::text},
                                    {"displayName", Takes::text},
                                    {"display_name", Takes::text}};
constexpr Shape kInline{.members = kInlineMembers};
constexpr Known kFileMembers[] = {{"fileUri", Takes::text},     {"file_uri", Takes::text},
                                  {"mimeType", Takes::text},    {"mime_type", Takes::text},
                                  {"displayName", Takes::text}, {"display_name", Takes::text}};
constexpr Shape kFile{.members = kFileMembers};

constexpr std::string_view kClientsOwn = "the client's own note, not for the model";
constexpr Known kResultPartMembers[] = {{"inlineData", &kInline},
                                        {"inline_data", &kInline},
                                        {"fileData", &kFile},
                                        {"file_data", &kFile},
                                        {"videoMetadata", Takes::object},
                                        {"video_metadata", Takes::object},
                                        {"mediaResolution", Takes::object},
                                        {"media_resolution", Takes::object},
                                        {"partMetadata", nullptr, kClientsOwn},
                                        {"part_metadata", nullptr, kClientsOwn}};
constexpr Shape kResultPart{.members = kResultPartMembers};
constexpr Known kCallMembers[] = {
    {"name", Takes::text}, {"args", Takes::object | Takes::empty_list}, {"id", Takes::text}};
constexpr Shape kCall{.members = kCallMembers};
constexpr Known kResponseMembers[] = {{"name", Takes::text},
                                      {"response", Takes::object | Takes::empty_list},
                                      {"id", Takes::text},
                                      {"parts", &kResultPart}};
constexpr Shape kResponse{.members = kResponseMembers};

constexpr Known kPartMembers[] = {{"text", Takes::text},
                                  {"thought", Takes::flag},
                                  {"thoughtSignature", Takes::text},
                                  {"thought_signature", Takes::text},
                                  {"functionCall", &kCall},
                                  {"function_call", &kCall},
                                  {"functionResponse", &kResponse},
                                  {"function_response", &kResponse},
                                  {"inlineData", &kInline},
                                  {"inline_data", &kInline},
                                  {"fileData", &kFile},
                                  {"file_data", &kFile},
                                  {"videoMetadata", Takes::object},
                                  {"video_metadata", Takes::object},
                                  {"mediaResolution", Takes::object},
                                  {"media_resolution", Takes::object},
                                  {"executableCode", Takes::object},
                                  {"executable_code", Takes::object},
                                  {"codeExecutionResult", Takes::object},
                                  {"code_execution_result", Takes::object},
                                  {"toolCall", Takes::object},
                                  {"tool_call", Takes::object},
                                  {"toolResponse", Takes::object},
                                  {"tool_response", Takes::object},
                                  {"partMetadata", nullptr, kClientsOwn},
                                  {"part_metadata", nullptr, kClientsOwn}};
constexpr Shape kPart{.members = kPartMembers};
constexpr Known kContentMembers[] = {{"role", Takes::text}, {"parts", &kPart}};
constexpr Shape kContent{.members = kContentMembers};

constexpr Known kDeclarationMembers[] = {{"name", Takes::text},
                                         {"description", Takes::text},
                                         {"parameters", Takes::object | Takes::empty_list},
                                         {"parametersJsonSchema", Takes::object | Takes::empty_list},
                                         {"parameters_json_schema", Takes::object | Takes::empty_list}};
constexpr Shape kDeclaration{.members = kDeclarationMembers};
// What else is in a tool is one of Google's own tools.
constexpr Known kToolMembers[] = {{"functionDeclarations", &kDeclaration}, {"function_declarations", &kDeclaration}};
constexpr Shape kTool{.members = kToolMembers, .unknown_members = Others::whole};

constexpr Known kCallingMembers[] = {{"mode", Takes::text | Takes::whole},
                                     {"allowedFunctionNames", Takes::texts},
                                     {"allowed_function_names", Takes::texts}};
constexpr Shape kCalling{.members = kCallingMembers, .unknown_members = Others::extra};
constexpr Known kToolConfigMembers[] = {{"functionCallingConfig", &kCalling, Takes::object},
                                        {"function_calling_config", &kCalling, Takes::object}};
constexpr Shape kToolConfig{.members = kToolConfigMembers, .unknown_members = Others::extra};

// Numbers may be in quotes, and words be numbers, as protobuf's JSON has it.
constexpr Known kThinkingMembers[] = {{"includeThoughts", Takes::flag},
                                      {"include_thoughts", Takes::flag},
                                      {"thinkingBudget", Takes::whole | Takes::quoted},
                                      {"thinking_budget", Takes::whole | Takes::quoted},
                                      {"thinkingLevel", Takes::text | Takes::whole},
                                      {"thinking_level", Takes::text | Takes::whole}};
constexpr Shape kThinkingConfig{.members = kThinkingMembers, .unknown_members = Others::extra};
constexpr Known kGenerationMembers[] = {{"temperature", Takes::number | Takes::quoted},
                                        {"topP", Takes::number | Takes::quoted},
                                        {"top_p", Takes::number | Takes::quoted},
                                        {"topK", Takes::number | Takes::quoted},
                                        {"top_k", Takes::number | Takes::quoted},
                                        {"seed", Takes::number | Takes::quoted},
                                        {"presencePenalty", Takes::number | Takes::quoted},
                                        {"presence_penalty", Takes::number | Takes::quoted},
                                        {"frequencyPenalty", Takes::number | Takes::quoted},
                                        {"frequency_penalty", Takes::number | Takes::quoted},
                                        {"maxOutputTokens", Takes::whole | Takes::quoted},
                                        {"max_output_tokens", Takes::whole | Takes::quoted},
                                        {"candidateCount", Takes::whole | Takes::quoted},
                                        {"candidate_count", Takes::whole | Takes::quoted},
                                        {"logprobs", Takes::whole | Takes::quoted},
                                        {"responseLogprobs", Takes::flag},
                                        {"response_logprobs", Takes::flag},
                                        {"stopSequences", Takes::texts},
                                        {"stop_sequences", Takes::texts},
                                        {"thinkingConfig", &kThinkingConfig, Takes::object},
                                        {"thinking_config", &kThinkingConfig, Takes::object},
                                        {"responseModalities", Takes::texts},
                                        {"response_modalities", Takes::texts},
                                        {"responseMimeType", Takes::text},
                                        {"response_mime_type", Takes::text},
                                        {"responseSchema", Takes::object},
                                        {"response_schema", Takes::object},
                                        {"responseJsonSchema", Takes::object},
                                        {"response_json_schema", Takes::object}};
constexpr Shape kGeneration{.members = kGenerationMembers, .unknown_members = Others::extra};

constexpr Known kRequestMembers[] = {{"contents", &kContent},
                                     {"systemInstruction", &kContent},
                                     {"system_instruction", &kContent},
                                     {"tools", &kTool},
                                     {"toolConfig", &kToolConfig, Takes::object},
                                     {"tool_config", &kToolConfig, Takes::object},
                                     {"generationConfig", &kGeneration, Takes::object},
                                     {"generation_config", &kGeneration, Takes::object},
                                     {"labels", Takes::object},
                                     {"serviceTier", Takes::text | Takes::whole},
                                     {"service_tier", Takes::text | Takes::whole}};

}  // namespace

constinit const Shape kRequestShape{.members = kRequestMembers, .unknown_members = Others::extra};

}  // namespace llmgw::dialects::gemini
