// A request of an agent's read from one dialect, and what looking for members nobody reads is of that.
#include <benchmark/benchmark.h>

#include <string>

#include "dialects/anthropic/request_members.h"
#include "dialects/codec.h"

namespace llmgw::dialects {
namespace {

// Turns of a coding agent: a call with arguments and its result, of 2 KB together.
std::string agents_request(int64_t turns) {
  const std::string words(1500, 'w');
  std::string body =
      R"({"model":"m","max_tokens":1000,"system":"Be terse.","messages":[{"role":"user","content":"Go."})";
  for (int64_t i = 0; i < turns; ++i) {
    const std::string id = "toolu_" + std::to_string(i);
    body += R"(,{"role":"assistant","content":[{"type":"text","text":"Next."},{"type":"tool_use","id":")" + id;
    body += R"(","name":"read","input":{"path":"src/a.cpp","from":1,"to":200}}]},)";
    body += R"({"role":"user","content":[{"type":"tool_result","tool_use_id":")" + id;
    body += R"(","content":[{"type":"text","text":")" + words + R"("}]}]})";
  }
  return body + R"(],"tools":[{"name":"read","description":"Reads.","input_schema":{"type":"object"}}]})";
}

void read_request(benchmark::State& state) {
  const std::string body = agents_request(state.range(0));
  json::Parser parser;
  base::Arena arena;
  for (auto unused : state) {
    arena.reset();
    chat::Request request{.from = chat::Dialect::anthropic};
    const ReadContext context{.parser = parser, .arena = arena};
    benchmark::DoNotOptimize(find_codec(chat::Dialect::anthropic)->read_request(body, context, request));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}
BENCHMARK(read_request)->Arg(1)->Arg(200);

void check_request_members(benchmark::State& state) {
  const std::string body = agents_request(state.range(0));
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, body, arena);
  for (auto unused : state) {
    chat::Request request{.from = chat::Dialect::anthropic};
    benchmark::DoNotOptimize(check_members(*root, anthropic::kRequestShape, request, arena));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}
BENCHMARK(check_request_members)->Arg(1)->Arg(200);

}  // namespace
}  // namespace llmgw::dialects
