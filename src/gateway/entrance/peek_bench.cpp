#include "gateway/entrance/conversation.h"
#include "gateway/entrance/peek.h"

#include <benchmark/benchmark.h>

#include <string>

namespace llmgw::gateway {
namespace {

// A chat request: `messages` turns of prose, so that the body comes near `bytes`.
std::string chat_body(size_t bytes) {
  std::string body =
      R"({"model": "gpt-4-turbo", "messages": [{"role": "system", "content": "You are a helpful assistant."})";
  const std::string turn =
      R"(, {"role": "user", "content": "Summarise the following notes in three sentences.\nKeep names and \"quotes\" as they are, and say what is missing in them."})";
  while (body.size() + turn.size() + 80 < bytes) body += turn;
  return body + R"(], "temperature": 0.7, "max_tokens": 256, "stream": true, "user": "u-123"})";
}

void BM_Peek(benchmark::State& state) {
  const std::string body = chat_body(static_cast<size_t>(state.range(0)));
  json::Parser parser;
  base::Arena arena;
  for (auto _ : state) {
    auto result = peek(parser, body, arena);
    if (!result || result->model != "gpt-4-turbo") state.SkipWithError("peek failed");
    benchmark::DoNotOptimize(result);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}
BENCHMARK(BM_Peek)->Arg(300)->Arg(1 << 10)->Arg(10 << 10)->Arg(150 << 10)->Arg(10 << 20);

// What a decision adds where sessions are conversations.
void BM_Conversation(benchmark::State& state) {
  const std::string body = chat_body(static_cast<size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(conversation_of(body, chat::Dialect::openai_chat, 1));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}
BENCHMARK(BM_Conversation)->Arg(1 << 10)->Arg(220 << 10);

// The worst of them: nearly all is the first message, which is hashed whole, and of every six bytes four are escapes.
void BM_ConversationOfOneMessage(benchmark::State& state) {
  std::string body = R"({"model": "m", "messages": [{"role": "system", "content": ")";
  while (body.size() < static_cast<size_t>(state.range(0))) body += R"(\n\"ab)";
  body += R"("}, {"role": "user", "content": "Hi"}]})";
  for (auto _ : state) benchmark::DoNotOptimize(conversation_of(body, chat::Dialect::openai_chat, 1));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}
BENCHMARK(BM_ConversationOfOneMessage)->Arg(1 << 10)->Arg(220 << 10);

}  // namespace
}  // namespace llmgw::gateway
