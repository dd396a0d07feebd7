// The rows of the endpoint table (endpoints.h): what find_endpoint looks paths up in and a 404 names the nearest of.
#pragma once

#include <cstdint>
#include <iterator>
#include <string_view>

#include "chat/dialect.h"
#include "gateway/entrance/endpoints.h"

namespace llmgw::gateway::endpoint_table {

using chat::Dialect;
using enum Operation;

// Sets of them are bit masks.
enum Method : uint8_t { kGet = 1, kHead = 2, kPost = 4, kDelete = 8 };
inline constexpr uint8_t kRead = kGet | kHead;

enum Surface : uint8_t { kOpenAi = 1, kAnthropic = 2, kAzure = 4, kCohere = 8 };

// One method set of one tail. In a pattern {} is one segment, {model} one or more, and a final /** nothing or more
// segments. Rows of the same tail stand together.
struct Row {
  std::string_view pattern;
  uint8_t surfaces;
  uint8_t methods;
  Dialect dialect;
  Operation operation;
  ModelPlace place;
};

inline constexpr uint8_t kBoth = kOpenAi | kAzure;
inline constexpr auto kBody = ModelPlace::body;
inline constexpr auto kForm = ModelPlace::multipart;
inline constexpr auto kNone = ModelPlace::none;

inline constexpr Row kRows[] = {
    {"chat/completions", kBoth, kPost, Dialect::openai_chat, chat, kBody},
    {"completions", kBoth, kPost, Dialect::openai_completions, completions, kBody},
    {"embeddings", kBoth, kPost, Dialect::openai_embeddings, embeddings, kBody},
    {"responses", kOpenAi, kPost, Dialect::openai_responses, responses_create, kBody},
    {"responses/input_tokens", kOpenAi, kPost, Dialect::openai_responses, responses_input_tokens, kBody},
    {"responses/compact", kOpenAi, kPost, Dialect::openai_responses, responses_compact, kBody},
    {"responses/{}", kOpenAi, kGet, Dialect::openai_responses, responses_get, kNone},
    {"responses/{}", kOpenAi, kDelete, Dialect::openai_responses, responses_delete, kNone},
    {"responses/{}/cancel", kOpenAi, kPost, Dialect::openai_responses, responses_cancel, kNone},
    {"responses/{}/input_items", kOpenAi, kGet, Dialect::openai_responses, responses_input_items, kNone},
    {"conversations", kOpenAi, kPost, Dialect::openai_responses, conversations, kNone},
    {"conversations/{}", kOpenAi, kGet | kPost | kDelete, Dialect::openai_responses, conversations, kNone},
    {"conversations/{}/items", kOpenAi, kGet | kPost, Dialect::openai_responses, conversations, kNone},
    {"conversations/{}/items/{}", kOpenAi, kGet | kDelete, Dialect::openai_responses, conversations, kNone},
    {"models", kOpenAi | kAnthropic, kRead, Dialect::openai_rest, models_list, kNone},
    {"models/{model}", kOpenAi | kAnthropic, kRead, Dialect::openai_rest, models_get, ModelPlace::path},
    {"rerank", kOpenAi, kPost, Dialect::openai_rest, rerank, kBody},
    {"rerank", kCohere, kPost, Dialect::cohere, rerank, kBody},
    {"chat", kCohere, kPost, Dialect::cohere, chat, kBody},
    {"embed", kCohere, kPost, Dialect::cohere, embeddings, kBody},
    {"moderations", kOpenAi, kPost, Dialect::openai_rest, moderations, kBody},
    {"images/generations", kBoth, kPost, Dialect::openai_rest, images, kBody},
    {"images/edits", kBoth, kPost, Dialect::openai_rest, images, kForm},
    {"images/variations", kOpenAi, kPost, Dialect::openai_rest, images, kForm},
    {"audio/speech", kBoth, kPost, Dialect::openai_rest, audio_speech, kBody},
    {"audio/transcriptions", kBoth, kPost, Dialect::openai_rest, audio_transcription, kForm},
    {"audio/translations", kBoth, kPost, Dialect::openai_rest, audio_transcription, kForm},
    {"files/**", kOpenAi, kGet | kPost | kDelete, Dialect::openai_rest, files, kNone},
    {"files/**", kAnthropic, kGet | kPost | kDelete, Dialect::anthropic, files, kNone},
    {"batches/**", kOpenAi, kGet | kPost, Dialect::openai_rest, batches, kNone},
    {"fine_tuning/**", kOpenAi, kGet | kPost | kDelete, Dialect::openai_rest, fine_tuning, kNone},
    {"uploads/**", kOpenAi, kPost, Dialect::openai_rest, uploads, kNone},
    {"vector_stores/**", kOpenAi, kGet | kPost | kDelete, Dialect::openai_rest, vector_stores, kNone},
    {"realtime", kOpenAi, kGet, Dialect::openai_rest, realtime, ModelPlace::query},
    {"realtime/client_secrets", kOpenAi, kPost, Dialect::openai_rest, realtime_secrets, kNone},
    {"messages", kAnthropic, kPost, Dialect::anthropic, messages, kBody},
    {"messages/count_tokens", kAnthropic, kPost, Dialect::anthropic, count_tokens, kBody},
    {"messages/batches/**", kAnthropic, kGet | kPost | kDelete, Dialect::anthropic, message_batches, kNone},
};
inline constexpr uint8_t kRowCount = std::size(kRows);

}  // namespace llmgw::gateway::endpoint_table
