// The operations that generate no text token by token: embeddings, rerank, moderations, images, sound, token counts
// and model lists, in each API's form. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "simulator/api_error.h"
#include "simulator/chat_request.h"

namespace llmgw::simulator {

inline constexpr size_t kInputsMax = 2048;  // texts of one embedding call: OpenAI's limit
inline constexpr size_t kEmbeddingDimensionsMax = 4096;

struct RestAnswer {
  std::string content_type = "application/json";
  std::string body;
  std::string model;    // as the request named it; empty where only the path does
  PromptTokens prompt;  // what the engine has to prefill; count() 0: the engine is not asked
};

struct RestOptions {
  size_t block_tokens = 16;
  size_t embedding_dimensions = 256;
  int64_t created_unix_s = 0;
  std::string id;  // letters and digits
};

// Of unit length. Texts that share words are near each other; the same text has the same vector.
std::vector<float> embed(std::string_view text, size_t dimensions);

Answered<RestAnswer> answer_embeddings(std::string_view body, const RestOptions& options);
Answered<RestAnswer> answer_embed_content(std::string_view body, const RestOptions& options);
Answered<RestAnswer> answer_batch_embed_contents(std::string_view body, const RestOptions& options);
Answered<RestAnswer> answer_rerank(std::string_view body, const RestOptions& options);
Answered<RestAnswer> answer_moderations(std::string_view body, const RestOptions& options);
// JSON, or multipart/form-data (edits, variations) by its content type.
Answered<RestAnswer> answer_images(std::string_view body, std::string_view content_type, const RestOptions& options);
Answered<RestAnswer> answer_speech(std::string_view body, const RestOptions& options);
Answered<RestAnswer> answer_transcription(std::string_view body, std::string_view content_type,
                                          const RestOptions& options);

// The answers of count_tokens, countTokens and responses/input_tokens.
std::string token_count(Operation operation, size_t tokens);

struct ModelList {
  std::span<const std::string> names;
  size_t context_tokens = 131'072;
  int64_t created_unix_s = 0;
};
std::string write_models(Api api, const ModelList& models);
std::string write_model(Api api, std::string_view name, const ModelList& models);

}  // namespace llmgw::simulator
