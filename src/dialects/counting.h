// Counting a prompt's tokens without answering it, as each dialect asks for it and is told:
//   anthropic         POST /v1/messages/count_tokens         {"input_tokens":n}
//   gemini            models/{m}:countTokens                 {"totalTokens":n,...}
//   openai_responses  POST /v1/responses/input_tokens        {"object":"response.input_tokens","input_tokens":n}
//   bedrock           POST /model/{m}/count-tokens           {"inputTokens":n}
// (anthropic-sdk-python 0.121, google-genai 2.19, openai-python 2.45, botocore's bedrock-runtime; state of Aug 2026.)
// Pure; any thread.
#pragma once

#include "dialects/codec.h"

namespace llmgw::dialects {

struct Counting {
  // As Codec::read_request and write_request, for a prompt that is to be counted.
  Outcome<void> (*read_request)(std::string_view body, const ReadContext& context, chat::Request& request);
  Outcome<void> (*write_request)(const chat::Request& request, const chat::Target& target, WriteContext& context,
                                 std::string& out);
  // A success body. One without a count is an error.
  Outcome<uint64_t> (*read_count)(std::string_view body, const ReadContext& context);
  void (*write_count)(uint64_t input_tokens, std::string& out);
};

// Null for dialects without such an API: OpenAI's chat completions, Cohere.
const Counting* find_counting(chat::Dialect dialect);

// Whether a refusal says that the provider does not count (for this model, at this address), rather than that the
// request is wrong: then an estimate is an answer.
bool refuses_to_count(int status, std::string_view message);

}  // namespace llmgw::dialects
