#include "dialects/error.h"

#include <algorithm>
#include <array>
#include <span>

#include "dialects/anthropic/error.h"
#include "dialects/bedrock/error.h"
#include "dialects/cohere/error.h"
#include "dialects/gemini/error.h"
#include "dialects/openai/error.h"
#include "dialects/provider_error.h"

namespace llmgw::dialects {

using chat::Dialect;
using chat::Framing;

namespace {

// The statuses that each API answers errors with, and that its SDKs know (their documentation, August 2026). No SDK has
// a class of its own for 415, and each of them has one for any status.
constexpr std::array kOpenAi{400, 401, 402, 403, 404, 405, 408, 409, 413, 415, 422, 426, 429, 500, 502, 503, 504};
constexpr std::array kAnthropic{400, 401, 402, 403, 404, 405, 408, 409, 413, 415, 422, 429, 500, 502, 504, 529};
constexpr std::array kGoogle{400, 401, 403, 404, 405, 408, 409, 413, 415, 429, 499, 500, 501, 502, 503, 504};
constexpr std::array kBedrock{400, 403, 404, 405, 408, 409, 413, 415, 424, 429, 500, 502, 503, 504};
constexpr std::array kCohere{400, 401, 402, 403, 404, 405, 408, 413, 415, 422, 429, 498, 499, 500, 501, 502, 503, 504};

std::span<const int> statuses_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::anthropic: return kAnthropic;
    case Dialect::gemini:
    case Dialect::vertex: return kGoogle;
    case Dialect::bedrock: return kBedrock;
    case Dialect::cohere: return kCohere;
    default: return kOpenAi;
  }
}

// By what a dialect's clients know a prompt that is too long where it has no code for it: they shorten it, and ask
// again.
struct TooLong {
  std::string_view words = {};
  std::string_view sign = words;  // the part of the words that they look for
};

TooLong too_long_in(Dialect dialect) {
  switch (dialect) {
    case Dialect::anthropic: return {"prompt is too long"};
    case Dialect::gemini:
    case Dialect::vertex:
      return {"The input token count exceeds the maximum number of tokens allowed",
              "exceeds the maximum number of tokens"};
    case Dialect::bedrock: return {"Input is too long for requested model", "Input is too long"};
    case Dialect::cohere: return {"too many tokens"};
    default: return {};
  }
}

// Another provider's status gives way to the one that the client's dialect has for the kind, and its words for what
// clients look for get the dialect's own before them; those are kept in `text`.
chat::ClientError at_home(Dialect dialect, chat::ClientError error, std::string& text) {
  const std::span<const int> known = statuses_of(dialect);
  if (std::ranges::find(known, error.status) == known.end()) error.status = 0;
  const TooLong own = too_long_in(dialect);
  // Where nothing has to be said, every message says it.
  const bool said = error.message.find(own.sign) != std::string_view::npos;
  if (said || unfit(error) != Unfit::too_long) return error;
  text.append(own.words).append(": ").append(error.message);
  error.message = text;
  return error;
}

}  // namespace

ErrorAnswer write_error(Dialect dialect, Framing framing, const chat::ClientError& given, std::string_view request_id) {
  std::string text;
  const chat::ClientError error = at_home(dialect, given, text);
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

std::string write_stream_error(Dialect dialect, Framing framing, const chat::ClientError& given,
                               std::string_view request_id, const StreamState& state) {
  std::string text;
  const chat::ClientError error = at_home(dialect, given, text);
  if (framing == Framing::json || framing == Framing::event_stream) return {};
  switch (dialect) {
    case Dialect::anthropic: return anthropic::write_stream_error(error, request_id);
    case Dialect::gemini: return gemini::write_stream_error(gemini::Service::ai_studio, framing, error);
    case Dialect::vertex: return gemini::write_stream_error(gemini::Service::vertex, framing, error);
    case Dialect::cohere: return cohere::write_stream_error(error);
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
