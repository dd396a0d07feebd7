// What answers and streams of answers have in common on their way to a client of Converse. Pure.
#pragma once

#include <string_view>

#include "chat/message.h"
#include "dialects/codec.h"

namespace llmgw::dialects::bedrock {

// The id within Bedrock's rule; one of the client's request and `number` where there is none.
std::string_view tool_use_id(std::string_view id, uint32_t number, const AnswerContext& context);

// The text in which a signature travels in reasoningText: as it is where Bedrock made it, else tagged.
std::string_view signature_text(const chat::Signature& signature, chat::SignaturePlace place, base::Arena& arena);
// The same for redactedContent, which is base64.
std::string_view redacted_text(const chat::Signature& signature, base::Arena& arena);

}  // namespace llmgw::dialects::bedrock
