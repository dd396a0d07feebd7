// `llm-gateway simulate`: instances of the engine simulator from command-line values. Main thread only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace llmgw::app {

struct SimulateArguments {
  std::vector<std::string> listen = {"127.0.0.1:8081"};  // an instance each
  std::vector<std::string> models;                       // empty: every name
  std::string api_key;                                   // empty: none is needed
  double prefill_speed = 20'000;                         // tokens a second; 0: no time at all
  double decode_speed = 100;
  uint64_t running_max = 128;
  uint64_t waiting_max = 1024;
  uint64_t kv_blocks = 16'384;
  uint64_t block_tokens = 16;
  bool no_prefix_cache = false;
  uint64_t context_tokens = 131'072;
  uint64_t embedding_dimensions = 256;
  uint64_t seed = 1;
  uint64_t tokens_min = 32;
  uint64_t tokens_max = 96;
  std::string answers = "words";    // or "unicode", or "echo": the prompt again
  std::vector<std::string> faults;  // rules, see docs/simulator.md
};

// Runs until SIGINT or SIGTERM. Returns the exit status.
int run_simulate(const SimulateArguments& arguments);

}  // namespace llmgw::app
