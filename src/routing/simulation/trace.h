// A trace of calls to simulate: one JSON object a line with `timestamp` (ms), `input_length` and `output_length`
// (tokens) and `hash_ids` (one id for every block of the prompt; equal ids mean an equal prefix up to there), the
// format of the Mooncake project (github.com/kvcache-ai/Mooncake). `tenant`, a number, is ours: whose call it is;
// and `priority`, -10 to 10, higher going first. A gateway's log is a trace, too: its lines `"msg":"routed"` say where
// each call went. Pure; one thread.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llmgw::routing {

struct TraceCall {
  double at_s = 0;
  uint32_t input_tokens = 0;
  uint32_t output_tokens = 0;
  uint64_t line = 0;
  uint64_t tenant = 0;
  int32_t priority = 0;
  // Of a log: numbers of names in the order in which they appear.
  static constexpr uint32_t kNowhere = UINT32_MAX;
  uint32_t connection = kNowhere;  // where it went
  uint32_t model = 0;
  uint32_t attempts = 1;
  uint32_t tokens_per_second = 0;  // of prompts, as the gateway had learnt it of that connection; 0: not told
  std::vector<uint64_t> blocks;    // a chain of hashes
};

inline constexpr size_t kTraceCallsMax = 10'000'000;  // some gigabytes of memory

// In order of time. The error names the line.
std::expected<std::vector<TraceCall>, std::string> read_trace(std::string_view text);

// How fast prompts were computed by what a log tells: the median, in tokens a second. Nothing: it does not tell.
std::optional<double> told_speed(std::span<const TraceCall> calls);
// The same of each connection to which calls went.
std::vector<std::optional<double>> told_speeds(std::span<const TraceCall> calls);

}  // namespace llmgw::routing
