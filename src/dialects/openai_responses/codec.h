// OpenAI's Responses API, as clients speak it to us and as we speak it to providers. Pure; any thread.
// Source: openai-openapi 2.3.0 (August 2026), schemas CreateResponse, Response and ResponseStreamEvent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dialects/codec.h"

namespace llmgw::dialects::openai_responses {

const Codec& codec();

// POST /v1/responses/input_tokens: the members of a request that make up the prompt.
Outcome<void> write_count_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                                  std::string& out);
// {"object":"response.input_tokens","input_tokens":n}
Outcome<uint64_t> read_token_count(std::string_view body, const ReadContext& context);
void write_token_count(uint64_t input_tokens, std::string& out);

}  // namespace llmgw::dialects::openai_responses
