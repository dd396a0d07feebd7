#include <benchmark/benchmark.h>

#include "base/text.h"
#include "providers/families.h"
#include "providers/header_policy.h"
#include "providers/sigv4.h"
#include "providers/upstream.h"

namespace llmgw::providers {
namespace {

void target(benchmark::State& state, const char* provider, const char* endpoint, Surface surface, const char* path) {
  const auto upstream = prepare_upstream({.provider = provider,
                                          .endpoint = endpoint,
                                          .api_key = base::Secret("sk-1"),
                                          .access_token = {},
                                          .api_version = {},
                                          .organization = {},
                                          .project = {},
                                          .location = {},
                                          .headers = {}});
  base::Arena arena;
  for (auto _ : state) {
    arena.reset();
    benchmark::DoNotOptimize(make_upstream_target(
        *upstream, {.surface = surface, .path = path, .query = "", .model = "gpt-4o", .deployment = ""}, arena));
  }
}
BENCHMARK_CAPTURE(target, openai, "openai", "", Surface::openai, "/v1/chat/completions");
BENCHMARK_CAPTURE(target, azure, "azure", "https://r.openai.azure.com", Surface::openai, "/v1/chat/completions");
BENCHMARK_CAPTURE(target, gemini, "google", "", Surface::gemini, "/v1beta/models/gemini-2.0-flash:generateContent");

void header_rule(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(request_header_rule("authorization"));
    benchmark::DoNotOptimize(request_header_rule("content-type"));
  }
}
BENCHMARK(header_rule)->Name("request_header_rule/two_names");

// A Converse call with a body of 1 KB: its hash, the canonical request, the signature.
void sign(benchmark::State& state) {
  const AwsCredentials credentials{base::Secret("AKIDEXAMPLE"), base::Secret("secret"), {}};
  const std::string body(1024, 'x');
  const std::string_view parts[] = {body};
  const SigV4Header headers[] = {{"host", "bedrock-runtime.eu-north-1.amazonaws.com"},
                                 {"content-type", "application/json"},
                                 {"x-amz-date", "20250102T030405Z"}};
  SigningKeys keys;
  for (auto _ : state) {
    const std::string hash = base::hex(sha256(parts));
    benchmark::DoNotOptimize(sign_sigv4({.method = "POST",
                                         .path = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
                                         .headers = headers,
                                         .payload_hash = hash},
                                        credentials, "eu-north-1", "bedrock", "20250102T030405Z", keys));
  }
}
BENCHMARK(sign)->Name("sigv4/sign_1KiB");

void gates(benchmark::State& state, const char* provider, const char* model) {
  UpstreamOptions options{.provider = provider, .api_key = base::Secret("k")};
  options.region = "us-east-1";
  const auto upstream = prepare_upstream(options);
  for (auto _ : state) benchmark::DoNotOptimize(target_for(*upstream, ChatApi::chat, model));
}
BENCHMARK_CAPTURE(gates, openai, "openai", "gpt-5.2");
BENCHMARK_CAPTURE(gates, bedrock, "bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0");

}  // namespace
}  // namespace llmgw::providers
