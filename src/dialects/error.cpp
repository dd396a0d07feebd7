#include "dialects/error.h"

#include "dialects/anthropic/error.h"
#include "dialects/bedrock/error.h"
#include "dialects/cohere/error.h"
#include "dialects/gemini/error.h"
#include "dialects/openai/error.h"

namespace llmgw::dialects {

using chat::Dialect;
using chat::Framing;

ErrorAnswer write_error(Dialect dialect, Framing framing, const chat::ClientError& error, std::string_view request_id) {
  switch (dialect) {
    case Dialect::anthropic: return anthropic::write_error(error, request_id);
    case Dialect::gemini: return gemini::write_error(gemini::Service::ai_studio, framing, error, request_id);
    case Dialect::vertex: return gemini::write_error(gemini::Service::vertex, framing, error, request_id);
    case Dialect::bedrock: return bedrock::write_error(error, request_id);
    case Dialect::cohere: return cohere::write_error(error, request_id);
    case Dialect::openai_responses: return openai::write_error(openai::Api::responses, error, request_id);
    case Dialect::azure: return openai::write_error(openai::Api::azure, error, request_id);
    case Dialect::openai_chat:
    case Dialect::openai_completions:
    case Dialect::openai_embeddings:
    case Dialect::openai_rest: break;
  }
  return openai::write_error(openai::Api::chat, error, request_id);
}

std::string write_stream_error(Dialect dialect, Framing framing, const chat::ClientError& error,
                               std::string_view request_id, const StreamState& state) {
  if (framing == Framing::json || framing == Framing::event_stream) return {};
  switch (dialect) {
    case Dialect::anthropic: return anthropic::write_stream_error(error, request_id);
    case Dialect::gemini: return gemini::write_stream_error(gemini::Service::ai_studio, framing, error);
    case Dialect::vertex: return gemini::write_stream_error(gemini::Service::vertex, framing, error);
    case Dialect::cohere:
    case Dialect::bedrock: return {};
    case Dialect::openai_responses: return openai::write_responses_stream_error(error, state);
    case Dialect::azure: return openai::write_stream_error(openai::Api::azure, error);
    case Dialect::openai_chat:
    case Dialect::openai_completions:
    case Dialect::openai_embeddings:
    case Dialect::openai_rest: break;
  }
  return openai::write_stream_error(openai::Api::chat, error);
}

StreamException write_stream_exception(const chat::ClientError& error) {
  return bedrock::write_stream_exception(error);
}

}  // namespace llmgw::dialects
