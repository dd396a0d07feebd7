#include "gateway/engines/explain.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>

#include "base/did_you_mean.h"
#include "base/rng.h"
#include "gateway/instance_identity.h"
#include "routing/policy/policy.h"

namespace llmgw::gateway {
namespace {

using control::Connection;
using control::Model;
using control::Route;

// A prompt's usual share of a call's tokens.
constexpr uint64_t kPromptPerOutput = 3;

// An alias is a name of its key alone.
std::string no_such_model(const control::Snapshot& snapshot, const ExplainAsk& ask) {
  std::string text =
      "no connection serves the model '" + ask.model + "'" + (ask.key.empty() ? "" : " for the key '" + ask.key + "'");
  for (const control::Principal& key : snapshot.principals) {
    for (uint32_t i = 0; i < key.assignment_count; ++i) {
      if (snapshot.assignments[key.first_assignment + i].alias != ask.model || key.name == ask.key) continue;
      return text + "; it is an alias of the key '" + key.name + "': add --key " + key.name;
    }
  }
  std::vector<std::string_view> names;
  for (const control::Model& model : snapshot.models) names.push_back(model.name);
  return text + base::did_you_mean(ask.model, names);
}

std::expected<routing::Group, std::string> find_group(const control::Snapshot& snapshot, const ExplainAsk& ask) {
  std::optional<routing::Group> group;
  if (ask.key.empty()) {
    group = snapshot.resolve(ask.model, ask.owned_by);
  } else {
    const auto owner = std::ranges::find(snapshot.principals, ask.key, &control::Principal::name);
    if (owner == snapshot.principals.end()) return std::unexpected("there is no key '" + ask.key + "'");
    if (auto resolved = snapshot.resolve(*owner, ask.model, ask.owned_by)) group = resolved->group;
  }
  if (!group || group->targets.empty()) return std::unexpected(no_such_model(snapshot, ask));
  return *group;
}

// The instances of a group, with all that a choice needs.
struct Field {
  const Route* route = nullptr;
  std::vector<const Connection*> connections;
  std::vector<routing::InstanceHandle> handles;
  std::vector<routing::Candidate> candidates;
};

Field make_field(const control::Snapshot& snapshot, RoutingState& routing, const ExplainAsk& ask,
                 const routing::Group& group) {
  Field field;
  for (const routing::Target& target : group.targets) {
    const Model& model = snapshot.models[target.id];
    if (!ask.owned_by.empty() && model.owned_by != ask.owned_by) continue;
    const Connection& connection = snapshot.connections[model.connection];
    auto instance = routing.instances.acquire(instance_identity(connection));
    auto own = routing.instances.acquire(model_identity(snapshot, model));
    if (!instance.valid() || !own.valid()) continue;
    if (field.route == nullptr) field.route = &snapshot.routes[model.route];
    const auto* price =
        model.price != nullptr
            ? model.price
            : snapshot.prices.find(connection.name, connection.upstream.provider->name, model.upstream_name(ask.model));
    field.candidates.push_back({.slot = instance.slot(),
                                .model_slot = own.slot(),
                                .priority = connection.priority,
                                .weight = connection.weight,
                                .price = price_of_call(price, ask.prompt_tokens),
                                .gate = field.route->limits(connection.max_in_flight, connection.is_engine)});
    field.connections.push_back(&connection);
    field.handles.push_back(std::move(instance));
    field.handles.push_back(std::move(own));
  }
  return field;
}

void add_line(std::string& text, const Field& field, const routing::Score& score, const RoutingState& routing,
              bool chosen) {
  const routing::Candidate& candidate = field.candidates[score.candidate];
  const routing::GateState& gate = routing.instances.gate(candidate.slot);
  const int32_t waiting = gate.waiting_requests.load(std::memory_order_relaxed);
  std::array<char, 32> cost{"-"};
  if (score.considered) std::snprintf(cost.data(), cost.size(), "%.6g", score.cost);
  const uint32_t most = routing::requests_limit(gate, candidate.gate);
  std::array<char, 256> line;
  const int length = std::snprintf(
      line.data(), line.size(), "%-24.24s %-9s %8u %9d %7s %8d %10lld %12s%s\n",
      field.connections[score.candidate]->name.c_str(), std::string(to_string(score.fitness)).c_str(),
      candidate.priority, score.requests_in_flight - waiting, most == 0 ? "-" : std::to_string(most).c_str(), waiting,
      static_cast<long long>(score.tokens_in_flight), cost.data(), chosen ? "  <- taken" : "");
  text.append(line.data(), static_cast<size_t>(std::clamp(length, 0, static_cast<int>(line.size()) - 1)));
}

}  // namespace

float price_of_call(const control::PriceTable::Tiers* price, uint32_t prompt_tokens) {
  if (price == nullptr) return std::numeric_limits<float>::max();
  chat::Usage usage;
  usage.input = prompt_tokens;
  usage.output = prompt_tokens / kPromptPerOutput;
  return static_cast<float>(accounting::cost_of(price->at(prompt_tokens), usage));
}

std::expected<std::string, std::string> explain_route(const control::Snapshot& snapshot, RoutingState& routing,
                                                      const ExplainAsk& ask, base::Instant now) {
  auto group = find_group(snapshot, ask);
  if (!group) return std::unexpected(std::move(group).error());
  const Field field = make_field(snapshot, routing, ask, *group);
  if (field.candidates.empty()) {
    return std::unexpected("the model '" + ask.model + "' is not offered by '" + ask.owned_by + "'");
  }
  routing::Settings settings = field.route->settings;
  settings.sticky = false;  // a look pins nothing
  if (!ask.policy.empty()) {
    const auto policy = routing::policy_by_name(ask.policy);
    if (!policy) return std::unexpected("'" + ask.policy + "' is no policy");
    settings.policy = *policy;
  }
  base::Rng rng(1);
  routing::Chooser chooser(routing.instances, routing.index, routing.sessions, rng);
  std::vector<routing::Score> scores;
  const auto choice = chooser.choose(settings, field.candidates,
                                     {.now = now, .prompt_tokens = std::max(ask.prompt_tokens, 1U)}, &scores);
  std::string text = "model " + ask.model + ", policy " +
                     std::string(routing::policy_names()[static_cast<size_t>(settings.policy)]) + ", a prompt of " +
                     std::to_string(ask.prompt_tokens) + " tokens that nobody has cached\n\n" +
                     "instance                 state     priority at work   limit  waiting    tokens         cost\n";
  for (const routing::Score& score : scores) {
    add_line(text, field, score, routing, choice && choice->candidate == score.candidate);
  }
  if (!choice) text += "\nno instance would be asked: the call would be refused, or go to a fallback\n";
  if (choice && choice->last_resort) text += "\nnone is fit; one is tried all the same (last_resort)\n";
  return text;
}

}  // namespace llmgw::gateway
