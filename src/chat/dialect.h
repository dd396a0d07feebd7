// The wire formats clients and upstreams speak, and how an answer is framed. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace llmgw::chat {

enum class Dialect : uint8_t {
  openai_chat,         // POST /v1/chat/completions
  openai_completions,  // POST /v1/completions
  openai_responses,    // /v1/responses and /v1/conversations
  openai_embeddings,   // POST /v1/embeddings
  openai_rest,         // every other /v1/*: passed on
  azure,               // OpenAI's formats under /openai/deployments/{alias}/
  anthropic,           // /v1/messages
  gemini,              // AI Studio: /v1beta/models/{m}:generateContent
  vertex,              // the same formats under /v1/projects/...; other credentials, other status for a bad key
  bedrock,             // /model/{id}/converse
  cohere,              // v2 chat and rerank
};

enum class Framing : uint8_t {
  json,          // one document
  sse,           // text/event-stream
  json_array,    // Gemini's stream without alt=sse: one array, an element a chunk
  event_stream,  // AWS binary frames; readers and writers here see the payloads
};

// As the enumerator is spelt: for logs and metric labels.
std::string_view to_string(Dialect dialect);

}  // namespace llmgw::chat
