// Signatures that an earlier, converted call put into a client's conversation (chat/signature.h): the provider of the
// client's own API would refuse them as forged. A request that has some is read and written anew. Pure; any thread.
#pragma once

#include <string_view>

#include "chat/dialect.h"
#include "json/reader.h"

namespace llmgw::gateway {

// Whether a body of that dialect may hold some: true for every one that does. A look at each byte, since every call of
// a chat API pays for it.
bool may_hold_tagged_signature(std::string_view body, chat::Dialect dialect);

// Whether one of Anthropic's or Bedrock's dialect may hold thoughts that nobody has signed: those of models that sign
// none. Claude refuses them; others that are called by the same API may have made them themselves. The parser's last
// document is gone.
bool may_hold_unsigned_thought(std::string_view body, chat::Dialect dialect, json::Parser& parser);

}  // namespace llmgw::gateway
