#include "chat/dialect.h"

namespace llmgw::chat {

std::string_view to_string(Dialect dialect) {
  switch (dialect) {
    case Dialect::openai_chat: return "openai_chat";
    case Dialect::openai_completions: return "openai_completions";
    case Dialect::openai_responses: return "openai_responses";
    case Dialect::openai_embeddings: return "openai_embeddings";
    case Dialect::openai_rest: return "openai_rest";
    case Dialect::azure: return "azure";
    case Dialect::anthropic: return "anthropic";
    case Dialect::gemini: return "gemini";
    case Dialect::vertex: return "vertex";
    case Dialect::bedrock: return "bedrock";
    case Dialect::cohere: return "cohere";
  }
  return "unknown";
}

}  // namespace llmgw::chat
