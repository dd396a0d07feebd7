#include "accounting/usage_scanner.h"

#include <benchmark/benchmark.h>

#include <string>

namespace llmgw::accounting {
namespace {

using chat::Dialect;
using chat::Framing;

constexpr std::string_view kChunk =
    "data: "
    "{\"id\":\"chatcmpl-9aBcDeFgHiJkLmNoPqRsTuVwXyZ01\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
    "\"model\":\"gpt-4-turbo\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" "
    "word\"},\"finish_reason\":null}]}\n\n";

void BM_SseChunk(benchmark::State& state) {
  UsageScanner scanner(Dialect::openai_chat, Framing::sse);
  for (auto _ : state) {
    scanner.feed(kChunk);
    benchmark::ClobberMemory();
  }
  state.SetLabel(std::to_string(kChunk.size()) + " bytes");
}
BENCHMARK(BM_SseChunk);

void BM_SseChunkWithUsageNull(benchmark::State& state) {
  std::string chunk(kChunk.substr(0, kChunk.size() - 3));
  chunk += ",\"usage\":null}\n\n";
  UsageScanner scanner(Dialect::openai_chat, Framing::sse);
  for (auto _ : state) {
    scanner.feed(chunk);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_SseChunkWithUsageNull);

// A whole answer of about `bytes`, with its usage at the end.
void BM_JsonAnswer(benchmark::State& state) {
  std::string answer =
      R"({"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4-turbo","choices":[{"index":0,"message":{"role":"assistant","content":")";
  const std::string usage =
      R"("},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},"system_fingerprint":"fp_1"})";
  while (answer.size() + usage.size() + 40 < static_cast<size_t>(state.range(0)))
    answer += "Some words, a \\\"quote\\\"\\nand a line. ";
  answer += usage;
  for (auto _ : state) {
    UsageScanner scanner(Dialect::openai_chat, Framing::json);
    scanner.feed(answer);
    auto result = scanner.usage();
    if (!result.input) state.SkipWithError("no usage");
    benchmark::DoNotOptimize(result);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(answer.size()));
}
BENCHMARK(BM_JsonAnswer)->Arg(1 << 10)->Arg(10 << 10)->Arg(100 << 10);

}  // namespace
}  // namespace llmgw::accounting
