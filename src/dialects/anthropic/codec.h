// Anthropic's Messages API, both roles: POST /v1/messages and /v1/messages/count_tokens (anthropic-sdk-python 0.121,
// types of August 2026). Claude on Vertex and on Bedrock's InvokeModel takes the same body in another envelope:
// host_body.h. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dialects/codec.h"

namespace llmgw::dialects::anthropic {

const Codec& codec();

// POST /v1/messages/count_tokens. Its body is a request without what only matters for the answer: it is read as any
// other (max_tokens may be absent) and written as Codec::write_request does.
Outcome<void> write_count_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                                  std::string& out);
// {"input_tokens":n}
Outcome<uint64_t> read_token_count(std::string_view body, const ReadContext& context);
void write_token_count(uint64_t input_tokens, std::string& out);

}  // namespace llmgw::dialects::anthropic
