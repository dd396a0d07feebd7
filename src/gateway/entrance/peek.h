// One pass over a JSON request body for what routing and admission need, and for the spans that may have to be
// replaced. The whole document's grammar is checked on the way (but for escapes inside strings nobody reads), so that
// no upstream reads another model out of it than the gateway did: keys are compared unescaped, and a second `model`,
// `stream`, `owned_by`, `previous_response_id` or `conversation` is refused. Pure; one thread for each Parser.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "base/arena.h"
#include "json/reader.h"

namespace llmgw::gateway {

// Longer than any model name or ARN of a provider (Bedrock allows 2,048 in its pattern, real ones stay below 200).
inline constexpr size_t kModelNameBytesMax = 512;
inline constexpr size_t kOwnedByBytesMax = 256;
inline constexpr size_t kMetadataTagsMax = 16;      // as many as OpenAI's metadata may have; the rest is left out
inline constexpr size_t kMetadataTagBytesMax = 64;  // of each; a longer one is no tag
inline constexpr size_t kUserBytesMax = 512;        // longer ones are cut: it is only an affinity and log value

// Views point into the body, or into the arena where something had to be unescaped. A span is empty with null data if
// the member is absent.
struct Peek {
  std::string_view model;       // unescaped; empty if null, too
  std::string_view model_span;  // the value as it stands in the body, quotes included
  bool has_model = false;

  std::string_view owned_by;       // unescaped; empty if absent or null
  std::string_view owned_by_span;  // the whole member and one comma beside it: cut it out and the body is JSON still
  std::string_view user;           // unescaped; `user`, or Anthropic's metadata.user_id

  // Of the member `metadata`: "name=value" of its texts, and the texts of a list `tags`, separated by commas.
  std::string_view metadata_tags;
  size_t metadata_tags_left_out = 0;  // too many, too long, with a comma or what cannot be printed

  // How the provider shall process it: `service_tier`, `serviceTier`. Empty if it is no text.
  std::string_view service_tier;
  bool names_tier = false;      // there is one, or `speed`, `inference_geo`, `performanceConfig`
  bool provider_tools = false;  // `tools` has some that the provider runs and may charge for: searches, containers

  // What a request of the Responses API builds on, unescaped: `previous_response_id`, and `conversation` or its `id`.
  // Empty where there is none, or no text.
  std::string_view previous_response_id;
  std::string_view conversation;
  bool stored = true;  // `store` is not false

  std::optional<bool> stream;
  std::optional<bool> include_usage;  // stream_options.include_usage
  // The largest of max_tokens, max_completion_tokens, max_output_tokens, Gemini's generationConfig.maxOutputTokens and
  // Bedrock's inferenceConfig.maxTokens; absent if none is a whole number. A number above 2^64 is UINT64_MAX.
  std::optional<uint64_t> max_output_tokens;
  // How many answers are to be generated to each prompt: the largest of n, best_of and Gemini's candidateCount. At
  // least 1.
  uint64_t answers = 1;
  uint64_t prompts = 1;        // how many `prompt` lists; at least 1
  uint64_t token_numbers = 0;  // how many tokens `prompt` or `input` spell as numbers

  bool operator==(const Peek&) const = default;
};

// Why a body is refused. Static texts, fit for the client's error message.
struct PeekRefusal {
  const char* message;
  const char* param = "";  // the member at fault, or empty
};

// `body` must outlive the result. Fails if the body is not one valid JSON object, has a duplicate of `model`, `stream`,
// `owned_by`, `previous_response_id` or `conversation`, or one of the first three with a wrong type. null counts as
// absent for `stream` and `owned_by`, not for `model`.
std::expected<Peek, PeekRefusal> peek(json::Parser& parser, std::string_view body, base::Arena& arena);

// The two ways of it. Without an index: for bodies that are good, at a third of the cost; nothing where there is
// anything to refuse. With one: knows what is wrong.
std::optional<Peek> peek_directly(std::string_view body, base::Arena& arena);
std::expected<Peek, PeekRefusal> peek_by_index(json::Parser& parser, std::string_view body, base::Arena& arena);

}  // namespace llmgw::gateway
