// The options of `llm-gateway simulate` as they are given, and what they mean. Pure.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "simulator/server.h"

namespace llmgw::simulator {

struct SimulateArguments {
  std::vector<std::string> listen = {"127.0.0.1:8081"};  // --listen, an instance each
  size_t instances = 1;                                  // --instances: on so many ports from the one of --listen on
  std::string name = "simulator";                        // --name; of several: name-1, name-2 ...
  std::vector<std::string> models;                       // --model
  std::string api_key;                                   // --api-key
  std::vector<double> prefill = {20'000};                // --prefill, tokens/s; over the instances in turn
  std::vector<double> decode = {100};                    // --decode, tokens/s of a sequence; in turn
  size_t running = 128;                                  // --running
  size_t waiting = 1024;                                 // --waiting
  size_t kv_tokens = 262'144;                            // --kv-tokens
  size_t block_size = 16;                                // --block-size, tokens
  bool no_prefix_cache = false;                          // --no-prefix-cache
  size_t context = 131'072;                              // --context, tokens
  std::string answer = "words";                          // --answer: words, unicode, echo
  std::string tokens = "32-96";                          // --tokens: N or MIN-MAX
  uint64_t seed = 1;                                     // --seed
  size_t embedding_dimensions = 256;                     // --embedding-dimensions
  std::vector<std::string> faults;                       // --fault
};

// The message says which option is wrong and what it takes.
std::expected<SimulatorOptions, std::string> read_arguments(const SimulateArguments& arguments);

}  // namespace llmgw::simulator
