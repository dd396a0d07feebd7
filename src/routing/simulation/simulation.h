// A discrete-event simulation of a fleet of engines behind the real routing code: Chooser, PrefixIndex, InstanceTable
// and WaitingLines as the gateway uses them, against engines that compute prompts one after the other and keep the
// blocks they used last. Deterministic for a seed; no I/O; one thread.
//
// Model of an engine: prefill is one serial resource of `prefill_tokens_per_second`, first come first served; blocks
// found in its cache of `blocks` (least recently used, the tail of a prompt goes first) cost nothing. The first token
// comes when the prefill ends; decoding takes no part of it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "routing/policy/policy.h"
#include "routing/queue/waiting_lines.h"
#include "routing/simulation/trace.h"

namespace llmgw::routing {

struct SimulationOptions {
  uint32_t instances = 8;
  uint32_t blocks = 600;  // of an instance's cache
  uint32_t block_tokens = 512;
  double speed = 1;  // of arrival: 1.3 has them come 1.3 times as fast
  double prefill_tokens_per_second = 8000;
  std::vector<double> speeds = {};      // the same, by instance; empty: all alike
  double decode_tokens_per_second = 0;  // 0: an answer ends with its first token
  double goal_s = 2;
  PolicyKind policy = PolicyKind::adaptive;
  bool hold = true;  // the gateway holds calls back as it does before engines, and orders them
  uint32_t prompt_window = kPromptWindowTokens;
  uint32_t requests_max = 0;
  QueueOptions queue = {};
  bool learn_cache = false;  // the size of caches is learnt from answers, not read from the engines' metrics
  uint64_t seed = 1;
  bool follow_log = false;  // calls go where the log says; the policy is asked for its opinion only
};

struct SimulationResult {
  uint64_t calls = 0;
  uint64_t refused = 0;
  double mean_s = 0;  // time to first token
  double p50_s = 0;
  double p90_s = 0;
  double p99_s = 0;
  double goodput = 0;          // share of all calls with their first token in time
  double hit = 0;              // share of prompt tokens found in caches
  double expected_error = 0;   // mean of |expected - found| cached tokens, as a share of the prompts
  double fairness = 1;         // Jain's index of the tokens that tenants got before the last call came
  int64_t left_in_flight = 0;  // must be 0
  // With follow_log: decisions between several instances that the log has, and those in which the policy would have
  // done the same, or something that costs the same.
  uint64_t decided = 0;
  uint64_t agreed = 0;
  std::vector<uint32_t> chosen = {};  // by call, the instance each was bound to when it came; kNowhere: refused
};

SimulationResult simulate(std::span<const TraceCall> calls, const SimulationOptions& options);

}  // namespace llmgw::routing
