#include "dialects/gemini/request_members.h"

namespace llmgw::dialects::gemini {
namespace {

// Names in both of protobuf's spellings.
constexpr Known kInlineMembers[] = {{"data"}, {"mimeType"}, {"mime_type"}, {"displayName"}, {"display_name"}};
constexpr Shape kInline{.members = kInlineMembers};
constexpr Known kFileMembers[] = {{"fileUri"},   {"file_uri"},    {"mimeType"},
                                  {"mime_type"}, {"displayName"}, {"display_name"}};
constexpr Shape kFile{.members = kFileMembers};

constexpr std::string_view kClientsOwn = "the client's own note, not for the model";
constexpr Known kResultPartMembers[] = {{"inlineData", &kInline},
                                        {"inline_data", &kInline},
                                        {"fileData", &kFile},
                                        {"file_data", &kFile},
                                        {"videoMetadata"},
                                        {"video_metadata"},
                                        {"mediaResolution"},
                                        {"media_resolution"},
                                        {"partMetadata", nullptr, kClientsOwn},
                                        {"part_metadata", nullptr, kClientsOwn}};
constexpr Shape kResultPart{.members = kResultPartMembers};
constexpr Known kCallMembers[] = {{"name"}, {"args"}, {"id"}};
constexpr Shape kCall{.members = kCallMembers};
constexpr Known kResponseMembers[] = {{"name"}, {"response"}, {"id"}, {"parts", &kResultPart}};
constexpr Shape kResponse{.members = kResponseMembers};

constexpr Known kPartMembers[] = {{"text"},
                                  {"thought"},
                                  {"thoughtSignature"},
                                  {"thought_signature"},
                                  {"functionCall", &kCall},
                                  {"function_call", &kCall},
                                  {"functionResponse", &kResponse},
                                  {"function_response", &kResponse},
                                  {"inlineData", &kInline},
                                  {"inline_data", &kInline},
                                  {"fileData", &kFile},
                                  {"file_data", &kFile},
                                  {"videoMetadata"},
                                  {"video_metadata"},
                                  {"mediaResolution"},
                                  {"media_resolution"},
                                  {"executableCode"},
                                  {"executable_code"},
                                  {"codeExecutionResult"},
                                  {"code_execution_result"},
                                  {"toolCall"},
                                  {"tool_call"},
                                  {"toolResponse"},
                                  {"tool_response"},
                                  {"partMetadata", nullptr, kClientsOwn},
                                  {"part_metadata", nullptr, kClientsOwn}};
constexpr Shape kPart{.members = kPartMembers};
constexpr Known kContentMembers[] = {{"role"}, {"parts", &kPart}};
constexpr Shape kContent{.members = kContentMembers};

constexpr Known kDeclarationMembers[] = {
    {"name"}, {"description"}, {"parameters"}, {"parametersJsonSchema"}, {"parameters_json_schema"}};
constexpr Shape kDeclaration{.members = kDeclarationMembers};
// What else is in a tool is one of Google's own tools.
constexpr Known kToolMembers[] = {{"functionDeclarations", &kDeclaration}, {"function_declarations", &kDeclaration}};
constexpr Shape kTool{.members = kToolMembers, .unknown_members = Others::whole};

constexpr Known kRequestMembers[] = {
    {"contents", &kContent}, {"systemInstruction", &kContent}, {"system_instruction", &kContent}, {"tools", &kTool}};

}  // namespace

constinit const Shape kRequestShape{.members = kRequestMembers, .unknown_members = Others::extra};

}  // namespace llmgw::dialects::gemini
