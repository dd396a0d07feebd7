#include "gateway/entrance/endpoints.h"

#include <benchmark/benchmark.h>

namespace llmgw::gateway {
namespace {

void BM_FindEndpoint(benchmark::State& state, std::string_view method, std::string_view path) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(path);
    auto match = find_endpoint(method, path, {});
    if (!match) state.SkipWithError("not found");
    benchmark::DoNotOptimize(match);
  }
}
BENCHMARK_CAPTURE(BM_FindEndpoint, chat, "POST", "/v1/chat/completions");
BENCHMARK_CAPTURE(BM_FindEndpoint, messages, "POST", "/v1/messages");
BENCHMARK_CAPTURE(BM_FindEndpoint, gemini, "POST", "/v1beta/models/gemini-2.0-flash:streamGenerateContent");
BENCHMARK_CAPTURE(BM_FindEndpoint, azure, "POST", "/openai/deployments/my-deployment/chat/completions");
BENCHMARK_CAPTURE(BM_FindEndpoint, openai_v1, "POST", "/openai/v1/chat/completions");
BENCHMARK_CAPTURE(BM_FindEndpoint, response, "GET", "/v1/responses/resp_67ccd2bed1ec8190b14f964abc054267");
BENCHMARK_CAPTURE(BM_FindEndpoint, vector_store, "GET", "/v1/vector_stores/vs_1/files/file_1");

}  // namespace
}  // namespace llmgw::gateway
