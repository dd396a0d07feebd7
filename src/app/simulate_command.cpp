#include "app/simulate_command.h"

#include <iostream>

#include "app/service/service.h"

namespace llmgw::app {

int run_simulate(const simulator::SimulateArguments& arguments) {
  const auto options = simulator::read_arguments(arguments);
  if (!options) {
    std::cerr << "llm-gateway simulate: " << options.error() << "\n";
    return kExitUsage;
  }
  return simulator::run_simulator(*options);
}

}  // namespace llmgw::app
