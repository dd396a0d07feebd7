// What an event of a stream costs between two dialects: read, made legal, written, framed.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>

#include "gateway/transcoder.h"

namespace llmgw::gateway {
namespace {

using chat::Dialect;
using chat::Framing;

constexpr int kEvents = 100;

std::string chat_stream() {
  std::string stream;
  for (int i = 0; i < kEvents; ++i) {
    stream +=
        R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767225600,"model":"gpt-4o","choices":)"
        R"([{"index":0,"delta":{"content":" a word or"},"finish_reason":null}]})"
        "\n\n";
  }
  return stream +
         R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767225600,"model":"gpt-4o","choices":)"
         R"([{"index":0,"delta":{},"finish_reason":"stop"}]})"
         "\n\ndata: [DONE]\n\n";
}

std::string messages_stream() {
  std::string stream =
      "event: message_start\ndata: "
      R"({"type":"message_start","message":{"id":"msg_1","model":"m","content":[],"usage":{"input_tokens":3}}})"
      "\n\nevent: content_block_start\ndata: "
      R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})"
      "\n\n";
  for (int i = 0; i < kEvents; ++i) {
    stream +=
        "event: content_block_delta\ndata: "
        R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" a word or"}})"
        "\n\n";
  }
  return stream +
         "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: "
         "message_delta\ndata: "
         R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}})"
         "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
}

void run(benchmark::State& state, std::string_view stream, Dialect provider, Dialect client, Framing framing) {
  json::Parser parser;
  json::Parser writer_parser;
  chat::Request request{.from = client, .stream = true};
  for (auto _ : state) {
    base::Arena arena;
    Transcoder transcoder({.provider = *dialects::find_codec(provider),
                           .client = *dialects::find_codec(client),
                           .read = {.parser = parser, .arena = arena, .model = "m", .id_seed = "seed"},
                           .write = {.parser = writer_parser,
                                     .arena = arena,
                                     .request_id = "req",
                                     .model = "alias",
                                     .request = &request,
                                     .framing = framing},
                           .upstream_framing = Framing::sse});
    transcoder.feed(stream);
    transcoder.finish();
    if (!transcoder.over() || transcoder.error()) state.SkipWithError("the stream was not converted");
    benchmark::DoNotOptimize(transcoder.output());
  }
  state.counters["event"] = benchmark::Counter(static_cast<double>(state.iterations()) * kEvents,
                                               benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void BM_ChatToMessages(benchmark::State& state) {
  run(state, chat_stream(), Dialect::openai_chat, Dialect::anthropic, Framing::sse);
}
void BM_MessagesToChat(benchmark::State& state) {
  run(state, messages_stream(), Dialect::anthropic, Dialect::openai_chat, Framing::sse);
}
void BM_ChatToResponses(benchmark::State& state) {
  run(state, chat_stream(), Dialect::openai_chat, Dialect::openai_responses, Framing::sse);
}
void BM_ChatToGemini(benchmark::State& state) {
  run(state, chat_stream(), Dialect::openai_chat, Dialect::gemini, Framing::sse);
}
void BM_ChatToConverse(benchmark::State& state) {
  run(state, chat_stream(), Dialect::openai_chat, Dialect::bedrock, Framing::event_stream);
}
void BM_ChatToCohere(benchmark::State& state) {
  run(state, chat_stream(), Dialect::openai_chat, Dialect::cohere, Framing::sse);
}
BENCHMARK(BM_ChatToMessages);
BENCHMARK(BM_MessagesToChat);
BENCHMARK(BM_ChatToResponses);
BENCHMARK(BM_ChatToGemini);
BENCHMARK(BM_ChatToConverse);
BENCHMARK(BM_ChatToCohere);

}  // namespace
}  // namespace llmgw::gateway
