// What the HTTP/1.1 codec costs a message.
#include <benchmark/benchmark.h>

#include <string>

#include "http/body_framing.h"
#include "http/h1_parser.h"
#include "http/h1_writer.h"
#include "http/sse.h"

namespace llmgw::http {
namespace {

// About 400 bytes and 10 headers: what the OpenAI SDK sends, shortened.
constexpr std::string_view kRequest =
    "POST /v1/chat/completions HTTP/1.1\r\n"
    "Host: gateway.internal:8080\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Connection: keep-alive\r\n"
    "Accept: application/json\r\n"
    "Content-Type: application/json\r\n"
    "User-Agent: OpenAI/Python 1.40.1\r\n"
    "X-Stainless-Lang: python\r\n"
    "X-Stainless-Runtime-Version: 3.11.2\r\n"
    "Authorization: Bearer sk-0123456789abcdef0123456789abcdef0123456789abcdef\r\n"
    "Content-Length: 1024\r\n"
    "\r\n";

constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\n"
    "Date: Fri, 20 Nov 2026 12:00:00 GMT\r\n"
    "Content-Type: text/event-stream; charset=utf-8\r\n"
    "Transfer-Encoding: chunked\r\n"
    "Connection: keep-alive\r\n"
    "openai-processing-ms: 123\r\n"
    "x-ratelimit-remaining-requests: 9999\r\n"
    "x-request-id: req_0123456789abcdef\r\n"
    "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
    "\r\n";

void parse_request(benchmark::State& state) {
  RequestHead head;
  for (auto _ : state) {
    ParseResult result = parse_request_head(kRequest, {}, head);
    benchmark::DoNotOptimize(result);
    benchmark::DoNotOptimize(head);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kRequest.size()));
}
BENCHMARK(parse_request);

void parse_response(benchmark::State& state) {
  ResponseHead head;
  for (auto _ : state) {
    ParseResult result = parse_response_head(kResponse, {}, Method::post, head);
    benchmark::DoNotOptimize(result);
    benchmark::DoNotOptimize(head);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kResponse.size()));
}
BENCHMARK(parse_response);

// The head one byte a read, as a slow or hostile client sends it.
void drip_request(benchmark::State& state) {
  for (auto _ : state) {
    HeadScanner scanner;
    RequestHead head;
    for (size_t length = 1; length <= kRequest.size(); ++length) {
      if (!scanner.ready(kRequest.substr(0, length))) continue;
      ParseResult result = parse_request_head(kRequest.substr(0, length), {}, head);
      benchmark::DoNotOptimize(result);
    }
  }
}
BENCHMARK(drip_request);

void write_request(benchmark::State& state) {
  RequestHead head;
  parse_request_head(kRequest, {}, head);
  std::string out;
  for (auto _ : state) {
    out.clear();
    HeadWriter writer(out);
    writer.request_line("POST", head.target);
    for (const Header& header : head.headers) writer.header(header);
    auto finished = writer.finish();
    benchmark::DoNotOptimize(finished);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(write_request);

// One read of a stream: a chunk that holds one event.
void read_chunked_event(benchmark::State& state) {
  std::string event;
  append_event(event, "",
               R"({"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"delta":{"content":"a"}}]})");
  const std::string chunk = std::string(ChunkHeader(event.size()).view()) + event + std::string(kChunkEnd);
  BodyReader body(Framing::chunked, 0);
  SseReader reader;
  for (auto _ : state) {
    auto piece = body.feed(chunk);
    std::string_view data = piece->data;
    auto seen = reader.next(data);
    benchmark::DoNotOptimize(seen);
  }
}
BENCHMARK(read_chunked_event);

}  // namespace
}  // namespace llmgw::http
