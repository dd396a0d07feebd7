// `llm-gateway route`: what the router would do. Main thread only.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace llmgw::app {

struct RouteSimulateArguments {
  std::string trace;
  uint32_t instances = 8;
  uint32_t blocks = 600;
  uint32_t block_tokens = 512;
  double speed = 1;
  std::optional<double> prefill_speed;  // without: as a log tells, or SimulationOptions' own
  double decode_speed = 0;
  double goal = 2;
  std::string policy = "adaptive";
  std::string queue = "slo";
  uint32_t queue_max = 1000;
  uint32_t max_in_flight = 0;
  bool refuse_hopeless = false;
  bool learn_cache = false;
  bool all = false;
  bool json = false;
  uint64_t seed = 1;
};

struct RouteExplainArguments {
  std::string config;    // --config, empty if not given
  std::string data_dir;  // --data-dir: of the gateway to ask
  bool offline = false;  // from the configuration alone: nothing is known of loads and health
  std::string model;
  std::string key;
  std::string owned_by;
  std::string policy;
  uint32_t prompt_tokens = 1000;
  bool json = false;
};

std::vector<std::string> route_policies();

// Prints which instance a call would go to, and what is known of the others. Returns the exit status.
int run_route_explain(const RouteExplainArguments& arguments, std::ostream& out, std::ostream& err);

// Prints what a fleet behind the gateway's own routing would have done with a trace. Returns the exit status.
int run_route_simulate(const RouteSimulateArguments& arguments, std::ostream& out, std::ostream& err);

}  // namespace llmgw::app
