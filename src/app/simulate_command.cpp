#include "app/simulate_command.h"

#include <iostream>

#include "app/service/service.h"
#include "simulator/server.h"

namespace llmgw::app {
namespace {

simulator::AnswerMode answer_mode(std::string_view name) {
  if (name == "unicode") return simulator::AnswerMode::unicode;
  return name == "echo" ? simulator::AnswerMode::echo : simulator::AnswerMode::words;
}

simulator::InstanceOptions instance_options(const SimulateArguments& arguments) {
  simulator::InstanceOptions options;
  options.models = arguments.models;
  options.api_key = base::Secret(arguments.api_key);
  options.seed = arguments.seed;
  options.context_tokens = arguments.context_tokens;
  options.embedding_dimensions = arguments.embedding_dimensions;
  options.engine = {.prefill_tokens_per_second = arguments.prefill_speed,
                    .decode_tokens_per_second = arguments.decode_speed,
                    .running_max = arguments.running_max,
                    .waiting_max = arguments.waiting_max,
                    .kv_blocks = arguments.kv_blocks,
                    .block_tokens = arguments.block_tokens,
                    .prefix_cache = !arguments.no_prefix_cache};
  options.answer = {.mode = answer_mode(arguments.answers),
                    .seed = arguments.seed,
                    .tokens_min = arguments.tokens_min,
                    .tokens_max = arguments.tokens_max};
  for (const std::string& rule : arguments.faults) options.faults += rule + "\n";
  return options;
}

}  // namespace

int run_simulate(const SimulateArguments& arguments) {
  if (arguments.tokens_min > arguments.tokens_max) {
    std::cerr << "llm-gateway simulate: --tokens-min is larger than --tokens-max\n";
    return kExitUsage;
  }
  simulator::InstanceOptions options = instance_options(arguments);
  if (auto checked = simulator::check_faults(options.faults); !checked) {
    std::cerr << "llm-gateway simulate: --fault: " << checked.error().message << "\n";
    return kExitUsage;
  }
  simulator::SimulatorOptions fleet;
  for (const std::string& address : arguments.listen) {
    if (arguments.listen.size() > 1) options.name = "simulator-" + std::to_string(fleet.instances.size() + 1);
    fleet.instances.push_back({.listen = address, .options = options});
  }
  return simulator::run_simulator(fleet);
}

}  // namespace llmgw::app
