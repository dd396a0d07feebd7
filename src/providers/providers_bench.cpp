#include <benchmark/benchmark.h>

#include "providers/header_policy.h"
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

}  // namespace
}  // namespace llmgw::providers
