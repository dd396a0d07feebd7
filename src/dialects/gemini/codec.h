// Gemini's generateContent and streamGenerateContent as one row of the codec table: AI Studio
// (google.ai.generativelanguage.v1beta) and Vertex AI (google.cloud.aiplatform.v1), whose JSON differs in details. Any
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dialects/codec.h"

namespace llmgw::dialects::gemini {

const Codec& codec();

// models/{m}:countTokens: {"contents":[...]}, to which Vertex AI adds systemInstruction, tools and generationConfig, or
// (AI Studio) {"generateContentRequest":{...}} with a whole request.
Outcome<void> read_count_request(std::string_view body, const ReadContext& context, chat::Request& request);
Outcome<void> write_count_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                                  std::string& out);
// {"totalTokens":n,...}
Outcome<uint64_t> read_token_count(std::string_view body, const ReadContext& context);
void write_token_count(uint64_t input_tokens, std::string& out);

}  // namespace llmgw::dialects::gemini
