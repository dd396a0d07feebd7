// What LiteLLM calls what is called otherwise here, as data. Internal to the folder. Any thread.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

namespace llmgw::control {

struct ProviderName {
  std::string_view theirs;  // what stands before the first '/' of litellm_params.model
  std::string_view ours;
};
// Others are called the same in both.
inline constexpr ProviderName kProviders[] = {{"vertex_ai", "vertex"},
                                              {"vertex_ai_beta", "vertex"},
                                              {"gemini", "google"},
                                              {"hosted_vllm", "vllm"},
                                              {"ollama_chat", "ollama"},
                                              {"bedrock_converse", "bedrock"},
                                              {"together_ai", "together"},
                                              {"fireworks_ai", "fireworks"},
                                              {"azure_ai", "openai-compatible"},
                                              {"cohere_chat", "cohere"},
                                              {"text-completion-openai", "openai"},
                                              {"custom_openai", "openai-compatible"}};

// What may stand before a model of Bedrock's, besides a region: by which API it is called, and how it is paid for.
inline constexpr std::string_view kBedrockPrefixes[] = {"converse",     "converse_like",      "invoke",
                                                        "async_invoke", "1-month-commitment", "6-month-commitment"};

// A model without a prefix: whose it is by its name.
struct KnownModel {
  std::string_view prefix;
  std::string_view provider;
};
inline constexpr KnownModel kKnownModels[] = {
    {"gpt-", "openai"},       {"o1", "openai"},       {"o3", "openai"},
    {"o4", "openai"},         {"chatgpt-", "openai"}, {"text-embedding-", "openai"},
    {"dall-e", "openai"},     {"whisper", "openai"},  {"tts-", "openai"},
    {"claude-", "anthropic"}, {"command", "cohere"}};

struct ParameterName {
  std::string_view theirs;
  std::string_view ours;
};
inline constexpr ParameterName kConnectionParameters[] = {{"api_base", "endpoint"},
                                                          {"base_url", "endpoint"},
                                                          {"api_key", "api_key"},
                                                          {"azure_ad_token", "access_token"},
                                                          {"api_version", "api_version"},
                                                          {"organization", "organization"},
                                                          {"aws_access_key_id", "access_key_id"},
                                                          {"aws_secret_access_key", "secret_access_key"},
                                                          {"aws_session_token", "session_token"},
                                                          {"aws_region_name", "region"},
                                                          {"vertex_project", "project"},
                                                          {"vertex_location", "location"},
                                                          {"vertex_credentials", "service_account_file"}};

struct PolicyName {
  std::string_view theirs;
  std::string_view ours;
};
inline constexpr PolicyName kPolicies[] = {{"simple-shuffle", "weighted"},
                                           {"least-busy", "least-requests"},
                                           {"latency-based-routing", "latency"},
                                           {"usage-based-routing", "least-tokens"},
                                           {"usage-based-routing-v2", "least-tokens"},
                                           {"cost-based-routing", "cost"}};

// Most in a minute, of one deployment there; here of all entries of a model's name.
inline constexpr std::string_view kLimits[] = {"rpm", "tpm"};
constexpr bool is_limit(std::string_view setting) {
  return std::ranges::find(kLimits, setting) != std::end(kLimits);
}

// Lists of {model: [other models]}, and when they are tried.
struct FallbackName {
  std::string_view theirs;
  std::string_view ours;
};
inline constexpr FallbackName kFallbacks[] = {{"fallbacks", "error"},
                                              {"context_window_fallbacks", "context_length"},
                                              {"content_policy_fallbacks", "content_filter"}};

// Of a model, for a token.
inline constexpr ParameterName kCosts[] = {{"input_cost_per_token", "input"},
                                           {"output_cost_per_token", "output"},
                                           {"cache_read_input_token_cost", "cache_read"},
                                           {"cache_creation_input_token_cost", "cache_write"}};
constexpr bool is_cost(std::string_view setting) {
  return std::ranges::find(kCosts, setting, &ParameterName::theirs) != std::end(kCosts);
}

}  // namespace llmgw::control
