// `llm-gateway route`: what the router would do. Main thread only.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace llmgw::app {

struct RouteSimulateArguments {
  std::string trace;
  uint32_t instances = 8;
  uint32_t blocks = 600;
  uint32_t block_tokens = 512;
  double speed = 1;
  double prefill_speed = 8000;
  double decode_speed = 0;
  double goal = 2;
  std::string policy = "adaptive";
  std::string queue = "slo";
  bool refuse_hopeless = false;
  bool learn_cache = false;
  bool all = false;
  bool json = false;
  uint64_t seed = 1;
};

std::vector<std::string> route_policies();

// Prints what a fleet behind the gateway's own routing would have done with a trace. Returns the exit status.
int run_route_simulate(const RouteSimulateArguments& arguments, std::ostream& out, std::ostream& err);

}  // namespace llmgw::app
