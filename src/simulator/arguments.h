// The options of `llm-gateway simulate` as they are given, and what they mean. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "simulator/server.h"

namespace llmgw::simulator {

struct SimulateArguments {
  std::vector<std::string> listen = {"127.0.0.1:8081"};  // --listen, an instance each
  uint64_t instances = 1;                                // --instances: on so many ports from the one of --listen on
  std::string name = "simulator";                        // --name; of several: name-1, name-2 ...
  std::vector<std::string> models;                       // --model; empty: every name
  std::string api_key;                                   // --api-key; empty: none is needed
  std::vector<double> prefill_speed = {20'000};          // --prefill-speed, tokens/s; over the instances in turn
  std::vector<double> decode_speed = {100};              // --decode-speed, tokens/s of an answer; in turn
  uint64_t running_max = 128;                            // --running-max
  uint64_t waiting_max = 1024;                           // --waiting-max
  uint64_t kv_blocks = 16'384;                           // --kv-blocks
  uint64_t block_tokens = 16;                            // --block-tokens
  bool no_prefix_cache = false;                          // --no-prefix-cache
  uint64_t context_tokens = 131'072;                     // --context-tokens
  uint64_t embedding_dimensions = 256;                   // --embedding-dimensions
  uint64_t seed = 1;                                     // --seed
  uint64_t tokens_min = 32;                              // --tokens-min
  uint64_t tokens_max = 96;                              // --tokens-max
  std::string answers = "words";                         // --answers: words, unicode, echo
  std::vector<std::string> faults;                       // --fault
};

// The message says which option is wrong and what it takes.
std::expected<SimulatorOptions, std::string> read_arguments(const SimulateArguments& arguments);

}  // namespace llmgw::simulator
