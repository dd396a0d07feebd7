// What an event of a stream costs between two dialects: read, made legal, written, framed.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>

#include "gateway/conversion/transcoder.h"

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

Framing framing_of(Dialect dialect) {
  return dialect == Dialect::bedrock ? Framing::event_stream : Framing::sse;
}

struct Parsers {
  json::Parser reader;
  json::Parser writer;
};

// False if it was not converted whole.
bool convert(Parsers& parsers, std::string_view stream, Dialect provider, Dialect client, std::string* out) {
  const chat::Request request{.from = client, .stream = true};
  base::Arena arena;
  Transcoder transcoder({.provider = *dialects::find_codec(provider),
                         .client = *dialects::find_codec(client),
                         .read = {.parser = parsers.reader, .arena = arena, .model = "m", .id_seed = "seed"},
                         .write = {.parser = parsers.writer,
                                   .arena = arena,
                                   .request_id = "req",
                                   .model = "alias",
                                   .request = &request,
                                   .framing = framing_of(client)},
                         .upstream_framing = framing_of(provider)});
  transcoder.feed(stream);
  transcoder.finish();
  benchmark::DoNotOptimize(transcoder.output());
  if (out != nullptr) *out = transcoder.output();
  return transcoder.over() && !transcoder.error();
}

void run(benchmark::State& state, Dialect provider, Dialect client) {
  Parsers parsers;
  // The same words in the provider's own events.
  std::string stream = chat_stream();
  if (provider != Dialect::openai_chat && !convert(parsers, chat_stream(), Dialect::openai_chat, provider, &stream)) {
    return state.SkipWithError("there is no such stream");
  }
  for (auto _ : state) {
    if (!convert(parsers, stream, provider, client, nullptr)) state.SkipWithError("the stream was not converted");
  }
  state.counters["event"] = benchmark::Counter(static_cast<double>(state.iterations()) * kEvents,
                                               benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

const bool registered = [] {
  for (const Dialect provider : dialects::kCodecDialects) {
    for (const Dialect client : dialects::kCodecDialects) {
      const std::string name =
          "Stream/" + std::string(chat::to_string(provider)) + "/" + std::string(chat::to_string(client));
      benchmark::RegisterBenchmark(name.c_str(), run, provider, client);
    }
  }
  return true;
}();

}  // namespace
}  // namespace llmgw::gateway
