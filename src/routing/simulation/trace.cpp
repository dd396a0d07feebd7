#include "routing/simulation/trace.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <utility>

#include "base/arena.h"
#include "json/reader.h"
#include "json/tree.h"
#include "routing/prefix/block_hash.h"

namespace llmgw::routing {
namespace {

// Of a block, in the gateway's log.
constexpr size_t kHashDigits = 8;

// As large as a call may ask for.
constexpr double kPriorityMost = 10;

// A line of the gateway's log that is about something else.
bool is_other_line(std::string_view line) {
  return line.find(R"("ts":")") != std::string_view::npos && line.find(R"("msg":"routed")") == std::string_view::npos;
}

// Numbers for names, in the order in which they are asked for.
class Names {
 public:
  uint32_t number(std::string_view name) {
    return numbers_.try_emplace(std::string(name), static_cast<uint32_t>(numbers_.size())).first->second;
  }

 private:
  std::unordered_map<std::string, uint32_t> numbers_;
};

struct LogNames {
  Names connections;
  Names models;
};

void read_decision(json::Value root, LogNames& names, base::Arena& arena, TraceCall& call) {
  const std::string_view connection = root["connection"].string(arena);
  if (connection.empty()) return;
  call.connection = names.connections.number(connection);
  call.model = names.models.number(root["model"].string(arena));
  call.attempts =
      static_cast<uint32_t>(std::min<uint64_t>(root["attempts"].unsigned_integer().value_or(1), UINT32_MAX));
  const uint64_t speed = root["prompt_tokens_per_second"].unsigned_integer().value_or(0);
  call.tokens_per_second = static_cast<uint32_t>(std::min<uint64_t>(speed, UINT32_MAX));
}

std::expected<TraceCall, std::string> read_call(json::Parser& parser, std::string_view line, uint64_t number,
                                                LogNames& names, base::Arena& arena) {
  auto root = json::parse_tree(parser, line, arena);
  if (!root || !root->is_object()) return std::unexpected("is not a JSON object");
  const auto at = (*root)["timestamp"].real();
  const auto input = (*root)["input_length"].unsigned_integer();
  if (!at || *at < 0) return std::unexpected("has no \"timestamp\" in milliseconds");
  if (!input || *input > UINT32_MAX) return std::unexpected("has no \"input_length\" in tokens");
  const uint64_t output = (*root)["output_length"].unsigned_integer().value_or(0);
  const double priority = (*root)["priority"].real().value_or(0);
  TraceCall call{.at_s = *at / 1000,
                 .input_tokens = static_cast<uint32_t>(*input),
                 .output_tokens = static_cast<uint32_t>(std::min<uint64_t>(output, UINT32_MAX)),
                 .line = number,
                 .tenant = (*root)["tenant"].unsigned_integer().value_or(0),
                 .priority = static_cast<int32_t>(std::clamp(priority, -kPriorityMost, kPriorityMost)),
                 .blocks = {}};
  read_decision(*root, names, arena, call);
  uint64_t chain = 0;
  for (const std::string_view part : {"blocks", "more_blocks"}) {
    const std::string_view hashes = (*root)[part].string(arena);
    for (size_t from = 0; from + kHashDigits <= hashes.size(); from += kHashDigits) {
      uint32_t block = 0;
      const char* const end = hashes.data() + from + kHashDigits;
      const auto parsed = std::from_chars(hashes.data() + from, end, block, 16);
      if (parsed.ec != std::errc{} || parsed.ptr != end) return std::unexpected("has \"blocks\" that are no hashes");
      call.blocks.push_back(chain = chain_hash(chain, block));
    }
  }
  for (const json::Value id : (*root)["hash_ids"].elements()) {
    const auto block = id.unsigned_integer();
    if (!block) return std::unexpected("has a \"hash_ids\" that is no list of whole numbers");
    chain = chain_hash(chain, *block);
    call.blocks.push_back(chain);
  }
  return call;
}

std::optional<double> median(std::vector<uint32_t>& numbers) {
  if (numbers.empty()) return std::nullopt;
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::ranges::nth_element(numbers, middle);
  return *middle;
}

}  // namespace

std::expected<std::vector<TraceCall>, std::string> read_trace(std::string_view text) {
  std::vector<TraceCall> calls;
  json::Parser parser;
  LogNames names;
  uint64_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos || is_other_line(line)) continue;
    base::Arena arena;
    auto call = read_call(parser, arena.copy(line), number, names, arena);
    if (!call) return std::unexpected("line " + std::to_string(number) + " " + call.error());
    if (calls.size() == kTraceCallsMax) return std::unexpected("has more calls than can be simulated");
    calls.push_back(std::move(*call));
  }
  if (calls.empty()) return std::unexpected("has no call; a gateway's log has them with log.level = \"debug\"");
  std::ranges::sort(calls, {}, [](const TraceCall& call) { return std::pair(call.at_s, call.line); });
  return calls;
}

std::optional<double> told_speed(std::span<const TraceCall> calls) {
  std::vector<uint32_t> told;
  for (const TraceCall& call : calls) {
    if (call.tokens_per_second != 0) told.push_back(call.tokens_per_second);
  }
  return median(told);
}

std::vector<std::optional<double>> told_speeds(std::span<const TraceCall> calls) {
  std::vector<std::vector<uint32_t>> told;
  for (const TraceCall& call : calls) {
    if (call.connection == TraceCall::kNowhere) continue;
    if (call.connection >= told.size()) told.resize(call.connection + 1);
    if (call.tokens_per_second != 0) told[call.connection].push_back(call.tokens_per_second);
  }
  std::vector<std::optional<double>> speeds;
  for (auto& each : told) speeds.push_back(median(each));
  return speeds;
}

}  // namespace llmgw::routing
