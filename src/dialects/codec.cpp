#include "dialects/codec.h"

#include "dialects/anthropic/codec.h"
#include "dialects/bedrock/codec.h"
#include "dialects/cohere/codec.h"
#include "dialects/gemini/codec.h"
#include "dialects/openai_chat/codec.h"
#include "dialects/openai_responses/codec.h"

namespace llmgw::dialects {

const Codec* find_codec(chat::Dialect dialect) {
  using chat::Dialect;
  switch (dialect) {
    case Dialect::openai_chat:
    case Dialect::azure: return &openai_chat::codec();
    case Dialect::openai_responses: return &openai_responses::codec();
    case Dialect::anthropic: return &anthropic::codec();
    case Dialect::gemini:
    case Dialect::vertex: return &gemini::codec();
    case Dialect::bedrock: return &bedrock::codec();
    case Dialect::cohere: return &cohere::codec();
    default: return nullptr;
  }
}

}  // namespace llmgw::dialects
