#include "routing/simulation/trace.h"

#include <algorithm>

#include "base/arena.h"
#include "json/reader.h"
#include "json/tree.h"
#include "routing/prefix/block_hash.h"

namespace llmgw::routing {
namespace {

std::expected<TraceCall, std::string> read_call(json::Parser& parser, std::string_view line, uint64_t number,
                                                base::Arena& arena) {
  auto root = json::parse_tree(parser, line, arena);
  if (!root || !root->is_object()) return std::unexpected("is not a JSON object");
  const auto at = (*root)["timestamp"].real();
  const auto input = (*root)["input_length"].unsigned_integer();
  if (!at || *at < 0) return std::unexpected("has no \"timestamp\" in milliseconds");
  if (!input || *input > UINT32_MAX) return std::unexpected("has no \"input_length\" in tokens");
  const uint64_t output = (*root)["output_length"].unsigned_integer().value_or(0);
  TraceCall call{.at_s = *at / 1000,
                 .input_tokens = static_cast<uint32_t>(*input),
                 .output_tokens = static_cast<uint32_t>(std::min<uint64_t>(output, UINT32_MAX)),
                 .line = number,
                 .tenant = (*root)["tenant"].unsigned_integer().value_or(0),
                 .blocks = {}};
  uint64_t chain = 0;
  for (const json::Value id : (*root)["hash_ids"].elements()) {
    const auto block = id.unsigned_integer();
    if (!block) return std::unexpected("has a \"hash_ids\" that is no list of whole numbers");
    chain = chain_hash(chain, *block);
    call.blocks.push_back(chain);
  }
  return call;
}

}  // namespace

std::expected<std::vector<TraceCall>, std::string> read_trace(std::string_view text) {
  std::vector<TraceCall> calls;
  json::Parser parser;
  uint64_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    base::Arena arena;
    auto call = read_call(parser, arena.copy(line), number, arena);
    if (!call) return std::unexpected("line " + std::to_string(number) + " " + call.error());
    if (calls.size() == kTraceCallsMax) return std::unexpected("has more calls than can be simulated");
    calls.push_back(std::move(*call));
  }
  std::ranges::sort(calls, {}, [](const TraceCall& call) { return std::pair(call.at_s, call.line); });
  return calls;
}

}  // namespace llmgw::routing
