#include "accounting/text_scanner.h"

#include <benchmark/benchmark.h>

#include <string>

namespace llmgw::accounting {
namespace {

constexpr std::string_view kChunk =
    "data: "
    "{\"id\":\"chatcmpl-9aBcDeFgHiJkLmNoPqRsTuVwXyZ01\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
    "\"model\":\"gpt-4-turbo\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" "
    "word\"},\"finish_reason\":null}]}\n\n";

void BM_TextOfChunk(benchmark::State& state) {
  TextScanner scanner(chat::Dialect::openai_chat);
  for (auto _ : state) {
    scanner.feed(kChunk);
    benchmark::ClobberMemory();
  }
  if (scanner.bytes() == 0) state.SkipWithError("no text");
  state.SetLabel(std::to_string(kChunk.size()) + " bytes");
}
BENCHMARK(BM_TextOfChunk);

}  // namespace
}  // namespace llmgw::accounting
