#include "dialects/provider_error.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "base/text.h"

namespace llmgw::dialects {

using chat::ErrorKind;

namespace {

// Of a text that is no JSON: enough to see what a proxy says, not its whole page.
constexpr size_t kPlainBytesMax = 500;

// In small letters. facts of 2026-08; engines change their words from version to version.
constexpr auto kTooLong = std::to_array<std::string_view>({
    "prompt is too long",                            // Anthropic, Fireworks
    "exceed context limit",                          // Anthropic: "input length and `max_tokens` exceed context limit"
    "input is too long",                             // Bedrock
    "input tokens exceeded",                         // Bedrock
    "too many input tokens",                         // Bedrock
    "maximum context length",                        // OpenAI, vLLM, SGLang, Mistral, DeepSeek, OpenRouter
    "exceeds the context window",                    // OpenAI's Responses API
    "reduce the length of the messages",             // OpenAI, Groq, Cerebras
    "maximum prompt length",                         // xAI
    "model's context length",                        // SGLang, vLLM
    "maximum model length",                          // vLLM
    "exceeds the maximum allowed length",            // SGLang
    "exceeds maximum input length",                  // TensorRT-LLM
    "available context size",                        // llama.cpp
    "exceeds the context length",                    // Ollama
    "context length of only",                        // LM Studio
    "`inputs` tokens + `max_new_tokens` must be",    // TGI, Together
    "`inputs` must have less than",                  // TGI
    "exceeds the maximum number of tokens allowed",  // Gemini
    "exceeds the maximum allowed number of input tokens",  // Gemini
    "exceeds the maximum number of input tokens",          // Gemini
    "model only supports up to",                           // Vertex
    "too many tokens: ",  // Cohere; Bedrock's "Too many tokens, please wait" is a limit on rates
});

constexpr auto kTooLongNames = std::to_array<std::string_view>({kContextLengthExceeded, "exceed_context_size"});

constexpr auto kFiltered = std::to_array<std::string_view>({
    "content management policy",               // Azure
    "content filtering policy",                // Anthropic
    "potentially violating our usage policy",  // OpenAI's models that reason
    "rejected by our safety system",           // OpenAI's and Azure's pictures
    "as a result of our safety system",        // the same
    "content exists risk",                     // DeepSeek
});

constexpr auto kFilteredNames = std::to_array<std::string_view>({
    kContentFilter,
    "contentfilter",             // Azure's pictures
    "content_policy_violation",  // OpenAI
    "moderation_blocked",        // OpenAI's pictures
    "responsibleaipolicy",       // Azure
    "data_inspection_failed",    // Qwen
    "datainspectionfailed",      // the same
});

bool says_any(std::string_view text, std::span<const std::string_view> words) {
  const auto same = [](char of_text, char of_word) { return base::to_lower(of_text) == of_word; };
  return std::ranges::any_of(
      words, [&](std::string_view word) { return std::ranges::search(text, word, same).begin() != text.end(); });
}

// Of the prompt itself: what is said of a key, a rate or a failure is another matter, whatever its words.
bool is_of_request(ErrorKind kind) {
  return kind == ErrorKind::invalid_request || kind == ErrorKind::too_large;
}

}  // namespace

ErrorKind kind_of_status(int status) {
  switch (status) {
    case 400:
    case 422: return ErrorKind::invalid_request;
    case 401: return ErrorKind::authentication;
    case 402: return ErrorKind::quota_exceeded;
    case 403: return ErrorKind::permission;
    case 404: return ErrorKind::model_not_found;
    case 405: return ErrorKind::method_not_allowed;
    case 408:
    case 504: return ErrorKind::upstream_timeout;
    case 409: return ErrorKind::conflict;
    case 413: return ErrorKind::too_large;
    case 429: return ErrorKind::rate_limited;
    case 503:
    case 529: return ErrorKind::overloaded;
    default: return status >= 400 && status < 500 ? ErrorKind::invalid_request : ErrorKind::upstream_failed;
  }
}

ErrorKind firm_kind(int status, ErrorKind read) {
  constexpr int kOverloaded = 529;
  const bool general = read == ErrorKind::upstream_failed || read == ErrorKind::internal;
  return status == kOverloaded && general ? ErrorKind::overloaded : read;
}

bool status_says(int status, ErrorKind kind) {
  const ErrorKind said = kind_of_status(status);
  if (said == kind) return true;
  switch (kind) {
    case ErrorKind::unsupported: return said == ErrorKind::invalid_request;
    case ErrorKind::not_found: return said == ErrorKind::model_not_found;
    case ErrorKind::quota_exceeded: return said == ErrorKind::rate_limited;
    case ErrorKind::internal: return said == ErrorKind::upstream_failed;
    default: return false;
  }
}

bool is_callers_fault(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request:
    case ErrorKind::too_large:
    case ErrorKind::unsupported:
    case ErrorKind::conflict:
    case ErrorKind::method_not_allowed: return true;
    default: return false;
  }
}

std::string_view plain_message(std::string_view body) {
  const size_t first = body.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "The provider refused the request and did not say why.";
  body = body.substr(first, body.find_last_not_of(" \t\r\n") + 1 - first);
  if (body.front() == '<') return "The provider answered with a page instead of an error.";
  if (body.size() <= kPlainBytesMax) return body;
  size_t end = kPlainBytesMax;
  while (end > 0 && (static_cast<uint8_t>(body[end]) & 0xC0U) == 0x80U) --end;  // not inside a character
  return body.substr(0, end);
}

bool says_prompt_too_long(std::string_view message) {
  return says_any(message, kTooLong);
}

void name_unfit(chat::ClientError& error, std::string_view type) {
  if (!is_of_request(error.kind)) return;
  if (says_any(error.code, kTooLongNames) || says_any(type, kTooLongNames) || says_prompt_too_long(error.message)) {
    error.code = kContextLengthExceeded;
  } else if (!says_any(error.code, kFilteredNames) &&
             (says_any(type, kFilteredNames) || says_any(error.message, kFiltered))) {
    error.code = kContentFilter;
  }
}

Unfit unfit(const chat::ClientError& error) {
  if (!is_of_request(error.kind)) return Unfit::no;
  if (error.code == kContextLengthExceeded) return Unfit::too_long;
  return says_any(error.code, kFilteredNames) ? Unfit::filtered : Unfit::no;
}

}  // namespace llmgw::dialects
