#include "app/route_command.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <ostream>
#include <span>
#include <sstream>

#include "app/remote.h"
#include "app/service/config_path.h"
#include "app/service/route_ask.h"
#include "app/service/service.h"
#include "routing/simulation/simulation.h"

namespace llmgw::app {
namespace {

constexpr base::Duration kExplainTimeout = std::chrono::seconds(5);

// How often the policy would have done what the log says was done.
struct Agreement {
  uint64_t decided = 0;
  uint64_t agreed = 0;
};

// `speeds`: of the connections of the log, where it tells them.
Agreement compare_with_log(std::span<const routing::TraceCall> calls, routing::SimulationOptions options,
                           std::span<const std::optional<double>> speeds) {
  if (speeds.empty()) return {};
  options.instances = static_cast<uint32_t>(speeds.size());
  options.follow_log = true;
  for (const auto& speed : speeds) options.speeds.push_back(speed.value_or(options.prefill_tokens_per_second));
  const routing::SimulationResult result = routing::simulate(calls, options);
  return {.decided = result.decided, .agreed = result.agreed};
}

void print_agreement(const Agreement& agreement, std::string_view policy, std::ostream& out) {
  if (agreement.decided == 0) return;
  std::array<char, 128> line;
  const int length = std::snprintf(
      line.data(), line.size(), "%-15.*s %9llu of %llu logged decisions (%.1f %%)\n", static_cast<int>(policy.size()),
      policy.data(), static_cast<unsigned long long>(agreement.agreed),
      static_cast<unsigned long long>(agreement.decided), 100.0 * double(agreement.agreed) / double(agreement.decided));
  out.write(line.data(), length);
}

void print_row(const routing::SimulationResult& result, const Agreement& log, std::string_view policy, bool json,
               std::ostream& out) {
  std::array<char, 512> line;
  const char* const format =
      json ? "{\"policy\":\"%.*s\",\"ttft_mean_s\":%.4f,\"ttft_p50_s\":%.4f,\"ttft_p90_s\":%.4f,\"ttft_p99_s\":%.4f,"
             "\"goodput\":%.4f,\"hit_rate\":%.4f,\"misjudged\":%.4f,\"fairness\":%.4f,\"refused\":%llu,"
             "\"requests\":%llu,\"decided\":%llu,\"agreed\":%llu}\n"
           : "%-15.*s %9.2f %8.2f %8.2f %8.2f %9.3f %9.3f %9.3f %9.3f %8llu\n";
  const int length = std::snprintf(
      line.data(), line.size(), format, static_cast<int>(policy.size()), policy.data(), result.mean_s, result.p50_s,
      result.p90_s, result.p99_s, result.goodput, result.hit, result.expected_error, result.fairness,
      static_cast<unsigned long long>(result.refused), static_cast<unsigned long long>(result.calls),
      static_cast<unsigned long long>(log.decided), static_cast<unsigned long long>(log.agreed));
  out.write(line.data(), length);
}

}  // namespace

std::vector<std::string> route_policies() {
  const auto names = routing::policy_names();
  return {names.begin(), names.end()};
}

int run_route_explain(const RouteExplainArguments& arguments, std::ostream& out, std::ostream& err) {
  const gateway::ExplainAsk ask{.model = arguments.model,
                                .key = arguments.key,
                                .owned_by = arguments.owned_by,
                                .policy = arguments.policy,
                                .prompt_tokens = arguments.prompt_tokens,
                                .json = arguments.json};
  if (!arguments.offline) {
    return call_and_print({.config = arguments.config, .data_dir = arguments.data_dir},
                          "explain " + write_explain_ask(ask), kExplainTimeout);
  }
  const auto path = choose_config_path(arguments.config, real_path_environment());
  if (!path) {
    err << "llm-gateway route explain: " << path.error() << "\n";
    return kExitUsage;
  }
  control::Reloader reloader(path->path, 0);
  if (auto loaded = reloader.load(); !loaded) {
    err << control::format_errors(loaded.error(), path->path);
    return kExitUsage;
  }
  gateway::RoutingState routing;
  const auto text = gateway::explain_route(*reloader.snapshot(), routing, ask, base::real_now());
  if (!text) {
    err << "llm-gateway route explain: " << text.error()
        << "\n--offline looks at the configuration file alone; without it the running gateway is asked, which has the "
           "store's objects, too\n";
    return kExitFailed;
  }
  out << *text;
  return kExitOk;
}

int run_route_simulate(const RouteSimulateArguments& arguments, std::ostream& out, std::ostream& err) {
  std::ifstream file(arguments.trace, std::ios::binary);
  if (!file) {
    err << "llm-gateway route simulate: cannot read " << arguments.trace << "\n";
    return kExitUsage;
  }
  std::stringstream text;
  text << file.rdbuf();
  const auto calls = routing::read_trace(text.str());
  if (!calls) {
    err << "llm-gateway route simulate: " << arguments.trace << " " << calls.error() << "\n";
    return kExitUsage;
  }
  routing::SimulationOptions options;
  options.instances = arguments.instances;
  options.blocks = arguments.blocks;
  options.block_tokens = arguments.block_tokens;
  options.speed = arguments.speed;
  const auto prefill_speed = arguments.prefill_speed ? arguments.prefill_speed : routing::told_speed(*calls);
  options.prefill_tokens_per_second = prefill_speed.value_or(options.prefill_tokens_per_second);
  options.decode_tokens_per_second = arguments.decode_speed;
  options.goal_s = arguments.goal;
  options.learn_cache = arguments.learn_cache;
  options.seed = arguments.seed;
  options.hold = arguments.queue != "engine";
  options.queue.order = routing::queue_order_by_name(arguments.queue).value_or(routing::QueueOrder::slo);
  options.queue.waiting_max = arguments.queue_max;
  options.requests_max = arguments.max_in_flight;
  options.queue.refuse_hopeless = arguments.refuse_hopeless;
  if (!arguments.json) {
    out << calls->size() << (calls->size() == 1 ? " request, " : " requests, ") << options.instances << " instances of "
        << options.blocks << " blocks, arrival speed " << options.speed << ", goal " << options.goal_s << " s, queue "
        << arguments.queue
        << "\n\npolicy          TTFT mean      p50      p90      p99   goodput  hit rate misjudged  fairness  "
           "refused\n";
  }
  auto speeds = routing::told_speeds(*calls);
  if (arguments.prefill_speed) std::ranges::fill(speeds, std::nullopt);
  std::vector<std::pair<std::string_view, Agreement>> agreements;
  for (const std::string_view name : routing::policy_names()) {
    if (!arguments.all && name != arguments.policy) continue;
    options.policy = routing::policy_by_name(name).value_or(routing::PolicyKind::adaptive);
    agreements.emplace_back(name, compare_with_log(*calls, options, speeds));
    print_row(routing::simulate(*calls, options), agreements.back().second, name, arguments.json, out);
  }
  if (arguments.json || agreements.front().second.decided == 0) return kExitOk;
  out << "\nwould have sent the calls where they went:\n";
  for (const auto& [name, agreement] : agreements) print_agreement(agreement, name, out);
  return kExitOk;
}

}  // namespace llmgw::app
