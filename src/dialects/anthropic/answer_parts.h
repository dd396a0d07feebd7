// What answers and streams of answers have in common on their way to a client of Anthropic's API. Pure.
#pragma once

#include <string_view>

#include "chat/message.h"
#include "dialects/codec.h"

namespace llmgw::dialects::anthropic {

// "msg_..." of the provider, else made of the request's id.
std::string_view message_id(std::string_view provider_id, const AnswerContext& context);

// The id within what Anthropic's ids are made of; one of the client's request and `number` where there is none.
std::string_view tool_use_id(std::string_view id, uint32_t number, const AnswerContext& context);

// The text in which a signature travels in a thinking block: as it is where Anthropic made it, else tagged.
std::string_view signature_text(const chat::Signature& signature, chat::SignaturePlace place, base::Arena& arena);

}  // namespace llmgw::dialects::anthropic
