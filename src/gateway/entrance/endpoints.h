// The endpoint table: method and path → which API it is, what is asked, and where the model's name stands.
// Pure; any thread; no allocation but in the two functions that say so.
//
// A path is a root and a tail. Roots, and whose tails they take:
//   - /v1/: OpenAI, Anthropic, Gemini's models/{m}:verb
//   - /openai/v1/, /openai/, /v1beta/openai/: OpenAI (Azure's v1 API, its unscoped classic paths, Google's copy)
//   - /openai/deployments/{alias}/: OpenAI's tails that Azure scopes to a deployment
//   - /anthropic/v1/: Anthropic
//   - /v2/: Cohere's chat, rerank, embed
//   - /v1beta/, /gemini/v1beta/: Gemini's models, models/{m}, models/{m}:verb, tunedModels/{m}:verb
//   - /v1/ or /v1beta1/, then projects/{p}/locations/{l}/ or nothing, then publishers/google/ (Gemini) or
//     publishers/anthropic/ (Claude, rawPredict and streamRawPredict): Vertex AI
//   - /model/, /bedrock/model/: Bedrock's {id}/converse and its sisters
//   - /: health, ready, metrics
//
// Paths are taken strictly: no empty or dot segment, plain or escaped, no escaped control byte, percent sign or
// backslash; an escaped slash only inside a model's name.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"
#include "chat/dialect.h"

namespace llmgw::gateway {

// Longer than any path of the APIs: a Bedrock ARN, fully escaped, stays below 1,000.
inline constexpr size_t kPathBytesMax = 2048;

enum class Operation : uint8_t {
  chat,
  completions,
  embeddings,
  responses_create,
  responses_get,
  responses_delete,
  responses_cancel,
  responses_input_items,
  responses_input_tokens,
  responses_compact,
  conversations,
  rerank,
  moderations,
  images,
  audio_speech,
  audio_transcription,  // and translation
  files,
  batches,
  fine_tuning,
  uploads,
  vector_stores,
  realtime,
  realtime_secrets,
  models_list,
  models_get,
  messages,
  count_tokens,  // Anthropic's, Gemini's and Bedrock's
  message_batches,
  generate_content,
  stream_generate_content,
  embed_content,
  batch_embed_contents,
  converse,
  converse_stream,
  invoke,
  invoke_stream,
  health,
  ready,
  metrics,
};

// As the enumerator is spelt: the endpoint label of metrics.
std::string_view to_string(Operation operation);

enum class ModelPlace : uint8_t {
  none,
  body,       // the JSON member `model`
  path,       // Match::model
  multipart,  // the form field `model`; the JSON member if the body is JSON
  query,      // the parameter `model` (Azure's realtime: `deployment`)
};

struct Match {
  chat::Dialect dialect = chat::Dialect::openai_rest;
  Operation operation = Operation::health;
  ModelPlace model_place = ModelPlace::none;
  bool streams = false;    // the method itself asks for a stream; otherwise the body's `stream` says
  bool websocket = false;  // only as an upgrade
  bool form = false;       // the body may be multipart/form-data, though the model stands in the path
  // The body is Claude's as another cloud takes it: without `model`, with `anthropic_version` and the betas as members
  // (dialects/anthropic/host_body.h).
  bool enveloped = false;
  // Behind the root, as it came: "chat/completions", "files/file-1/content", "models/gemini-2.0-flash:generateContent",
  // "my-model/converse". An upstream of the same dialect appends it to its own root, with `model` replaced if the place
  // is path (on Azure the model stands in the root). Of Claude on Vertex it is that of Anthropic's own path,
  // "messages".
  std::string_view tail = {};
  // The model's name in the path, still escaped: see decode_model. Of "tunedModels/x:verb" it is "tunedModels/x".
  std::string_view model = {};
};

// What the client's headers tell about it: whose models, files and batches are meant where several APIs have the path.
struct ClientHints {
  bool anthropic_version = false;  // has an anthropic-version header
  bool goog_api_key = false;       // has an x-goog-api-key header
};

struct EndpointRefusal {
  int status = 404;             // 400: the path is malformed; 404; 405
  std::string_view allow = {};  // with 405: the Allow header's value
  const char* message = "";     // static; see not_found_message for a better one with 404
};

// `path` without the query. Views of the result point into it. Methods are case-sensitive.
std::expected<Match, EndpointRefusal> find_endpoint(std::string_view method, std::string_view path, ClientHints hints);

// The model's name of Match::model, unescaped (into the arena if need be). invalid_argument: too long, control bytes,
// not UTF-8, or a segment of dots only, which would climb in an upstream's path.
base::Result<std::string_view> decode_model(std::string_view escaped, base::Arena& arena);

// For a 404: names the path and the nearest ones that exist. Allocates; not the hot path.
std::string not_found_message(std::string_view method, std::string_view path);

}  // namespace llmgw::gateway
