// `llm-gateway simulate`. Main thread only.
#pragma once

#include "simulator/arguments.h"

namespace llmgw::app {

// Runs until SIGINT or SIGTERM. Returns the exit status.
int run_simulate(const simulator::SimulateArguments& arguments);

}  // namespace llmgw::app
