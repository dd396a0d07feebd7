// Which API and which operation of it a request is for: method, path, query and two headers decide. Pure; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace llmgw::simulator {

// Whose envelopes answers and errors have.
enum class Api : uint8_t { openai, azure, anthropic, gemini, control };

enum class Operation : uint8_t {
  // OpenAI and Azure
  chat,
  completions,
  responses,
  response_get,
  response_delete,
  response_input_tokens,
  embeddings,
  rerank,
  moderations,
  images,
  speech,
  transcription,
  // in each API's own shape
  models,
  model,
  // Anthropic
  messages,
  count_tokens,
  // Gemini
  generate,
  stream_generate,
  gemini_count_tokens,
  embed_content,
  batch_embed_contents,
  // the simulator's own and vLLM's
  metrics,
  health,
  version,
  faults_list,
  faults_set,
  faults_clear,
  forget_prefixes,
};

struct Surface {
  Api api = Api::control;
  Operation operation = Operation::health;
  std::string object;  // model, deployment or response id of the path, percent-decoded; empty where there is none
  bool sse = true;     // of stream_generate: alt=sse, else one JSON array
  bool integer_enums = false;  // $alt=json;enum-encoding=int
};

struct SurfaceQuestion {
  std::string_view method;
  std::string_view path;           // as it came, without the query
  std::string_view query;          // without '?'
  bool anthropic_version = false;  // the header anthropic-version is there: /v1/models is Anthropic's
  bool google_key = false;         // x-goog-api-key or ?key= is there: /v1/models is Gemini's
};

struct NoSurface {
  int status = 404;       // 404 or 405
  Api api = Api::openai;  // in whose envelope to say so
};

std::expected<Surface, NoSurface> find_surface(const SurfaceQuestion& question);

// The value of a query parameter, not decoded; empty when it is absent.
std::string_view query_value(std::string_view query, std::string_view name);

}  // namespace llmgw::simulator
