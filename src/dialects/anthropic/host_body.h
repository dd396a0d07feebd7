// Claude on other hosts takes a Messages body in another envelope (anthropic-sdk-python 0.121, lib/vertex and
// lib/bedrock): the model stands in the path, the version in the body.
//   Vertex, rawPredict and streamRawPredict:  "anthropic_version": "vertex-2023-10-16", no model
//   Bedrock, InvokeModel:                     "anthropic_version": "bedrock-2023-05-31", no model, no stream, and the
//                                             values of the header anthropic-beta as "anthropic_beta": [...]
// Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "dialects/codec.h"

namespace llmgw::dialects::anthropic {

enum class Host : uint8_t { vertex, bedrock };

// Appends the body, written by write_request or a client's own, in the host's envelope; every other member stays as it
// stands. `betas` join those in the body, without doubles; Vertex takes them as a header, so there they are left out.
// Fails if the body is not a JSON object, and if it builds on a conversation that Anthropic keeps (`thread`): no other
// host has it, and an answer to the rest alone would be one to another question.
Outcome<void> write_host_body(std::string_view body, Host host, std::span<const std::string_view> betas,
                              const ReadContext& context, std::string& out);

// The way back: the body a client of such a host sent, as Anthropic itself takes it. `stream`: the member is set to
// true; else it stays as it stands. The betas of the body are appended to `betas`: they belong in the header.
Outcome<void> write_plain_body(std::string_view body, std::string_view model, bool stream, const ReadContext& context,
                               std::string& out, chat::List<std::string_view>& betas);

}  // namespace llmgw::dialects::anthropic
