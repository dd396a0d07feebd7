// Bedrock's Converse API, both roles: POST /model/{id}/converse and /converse-stream (botocore, service model
// bedrock-runtime of 2023-09-30, as of August 2026). Models of every family stand behind it; what they differ in is in
// Target, and in additionalModelRequestFields. Stream events here are payloads: WireEvent.name is the :event-type or
// :exception-type, frames are read and written elsewhere. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dialects/codec.h"

namespace llmgw::dialects::bedrock {

const Codec& codec();

// POST /model/{id}/count-tokens: {"input":{"converse":{...}}} with what makes up the prompt.
Outcome<void> write_count_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                                  std::string& out);
// {"inputTokens":n}
Outcome<uint64_t> read_token_count(std::string_view body, const ReadContext& context);
void write_token_count(uint64_t input_tokens, std::string& out);

}  // namespace llmgw::dialects::bedrock
