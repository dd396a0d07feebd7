#include "gateway/engines/explain.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>
#include <span>

#include "base/did_you_mean.h"
#include "base/rng.h"
#include "gateway/governance/demand.h"
#include "gateway/instance_identity.h"
#include "json/writer.h"
#include "routing/policy/policy.h"
#include "routing/prefix/block_hash.h"

namespace llmgw::gateway {
namespace {

using control::Connection;
using control::Model;
using control::Route;

// An alias is a name of its key alone.
std::string no_such_model(const control::Snapshot& snapshot, const ExplainAsk& ask) {
  if (const auto of_anybody = snapshot.resolve(ask.model); of_anybody && !of_anybody->targets.empty()) {
    return "the key '" + ask.key + "' may not use the model '" + ask.model + "'";
  }
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
  std::optional<routing::Group> of_anybody;
  if (ask.key.empty()) {
    of_anybody = snapshot.resolve(ask.model);
    group = snapshot.resolve(ask.model, ask.owned_by);
  } else {
    const auto owner = std::ranges::find(snapshot.principals, ask.key, &control::Principal::name);
    if (owner == snapshot.principals.end()) return std::unexpected("there is no key '" + ask.key + "'");
    if (auto resolved = snapshot.resolve(*owner, ask.model, ask.owned_by)) group = resolved->group;
    if (auto resolved = snapshot.resolve(*owner, ask.model)) of_anybody = resolved->group;
  }
  const bool other_owner = !ask.owned_by.empty() && of_anybody && !of_anybody->targets.empty();
  if (other_owner && (!group || std::ranges::none_of(group->targets, [&](const routing::Target& target) {
        return snapshot.models[target.id].owned_by == ask.owned_by;
      }))) {
    return std::unexpected("the model '" + ask.model + "' is not offered by '" + ask.owned_by + "'; owned_by is " +
                           owners_of(snapshot, *of_anybody) + " here");
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
    const auto price = model.price.any() ? model.price
                                         : snapshot.prices.find(connection.name, connection.upstream.provider->name,
                                                                model.upstream_name(ask.model));
    field.candidates.push_back({.slot = instance.slot(),
                                .model_slot = own.slot(),
                                .priority = connection.priority,
                                .weight = connection.weight,
                                .price = price_of_call(price, ask.prompt_tokens, kAssumedOutputTokens),
                                .gate = field.route->limits(connection.max_in_flight, connection.is_engine)});
    field.connections.push_back(&connection);
    field.handles.push_back(std::move(instance));
    field.handles.push_back(std::move(own));
  }
  return field;
}

// What is known of an instance, in words and numbers.
struct Line {
  std::string_view name = {};
  std::string_view state = {};
  uint32_t priority = 0;
  int32_t at_work = 0;
  uint32_t limit = 0;  // 0: none
  int32_t waiting = 0;
  int64_t tokens = 0;
  std::optional<double> queue = {};  // seconds; none: another priority was looked at
  std::optional<double> cost = {};   // none: nor was it compared by one
  bool priced = true;                // the cost is a price that somebody knows
  std::string_view verdict = {};     // empty: not chosen
};

// The chosen one may be full: the call then waits there, if it may.
std::string_view verdict_of(const Line& line, const routing::QueueOptions& queue) {
  using routing::QueueOrder;
  if (line.limit == 0 || line.at_work + line.waiting < static_cast<int32_t>(line.limit)) return "taken";
  if (line.waiting < static_cast<int32_t>(queue.waiting_max)) return "waits here";
  if (queue.order == QueueOrder::priority || queue.order == QueueOrder::fair) {
    return "its line is full: refused, or waits in the place of another";
  }
  return "its line is full: refused";
}

Line line_of(const Field& field, const routing::Score& score, const RoutingState& routing,
             const routing::Settings& settings, base::Instant now) {
  const routing::Candidate& candidate = field.candidates[score.candidate];
  const routing::GateState& gate = routing.instances.gate(candidate.slot);
  Line line{.name = field.connections[score.candidate]->name,
            .state = fitness_word(score, candidate, routing.instances, settings.health, now),
            .priority = candidate.priority,
            .limit = routing::requests_limit(gate, candidate.gate),
            .waiting = gate.waiting_requests.load(std::memory_order_relaxed),
            .tokens = score.tokens_in_flight};
  line.at_work = score.requests_in_flight - line.waiting;
  if (score.considered) line.queue = score.queue;
  if (score.compared) line.cost = score.cost;
  line.priced = settings.policy != routing::PolicyKind::cost || candidate.price != kUnpriced;
  return line;
}

void add_text(std::string& text, const Line& line) {
  std::array<char, 32> cost{"-"};
  if (line.cost) std::snprintf(cost.data(), cost.size(), line.priced ? "%.6g" : "unpriced", *line.cost);
  std::array<char, 32> queue{"-"};
  if (line.queue) std::snprintf(queue.data(), queue.size(), "%.3g", *line.queue);
  std::array<char, 256> row;
  const int length = std::snprintf(row.data(), row.size(), "%-24.24s %-9s %8u %9d %7s %8d %10lld %8s %12s%s%s\n",
                                   std::string(line.name).c_str(), std::string(line.state).c_str(), line.priority,
                                   line.at_work, line.limit == 0 ? "-" : std::to_string(line.limit).c_str(),
                                   line.waiting, static_cast<long long>(line.tokens), queue.data(), cost.data(),
                                   line.verdict.empty() ? "" : "  <- ", std::string(line.verdict).c_str());
  text.append(row.data(), static_cast<size_t>(std::clamp(length, 0, static_cast<int>(row.size()) - 1)));
}

void add_json(json::Writer& w, const Line& line) {
  w.begin_object().member("instance", line.name).member("state", line.state).member("priority", line.priority);
  w.member("at_work", line.at_work).key("limit");
  line.limit == 0 ? w.null() : w.value(line.limit);
  w.member("waiting", line.waiting).member("tokens", line.tokens).key("queue_seconds");
  line.queue ? w.value(*line.queue) : w.null();
  w.key("cost");
  line.cost&& line.priced ? w.value(*line.cost) : w.null();
  if (!line.verdict.empty()) w.member("verdict", line.verdict);
  w.end_object();
}

// What the choice was made for, and what came of it.
struct Explanation {
  const ExplainAsk& ask;
  std::string_view policy;
  std::vector<Line> lines;
  bool chosen = false;
  bool last_resort = false;
  std::vector<std::string_view> fallbacks = {};
  std::vector<std::string_view> passed_over = {};  // fallbacks that the key may not use
};

void add_names(std::string& text, std::string_view title, std::span<const std::string_view> names) {
  if (names.empty()) return;
  text.append("\n").append(title).append(": ");
  for (const std::string_view name : names) text.append(name == names.front() ? "" : ", ").append(name);
  text += "\n";
}

void add_names(json::Writer& w, std::string_view member, std::span<const std::string_view> names) {
  w.key(member).begin_array();
  for (const std::string_view name : names) w.value(name);
  w.end_array();
}

std::string as_text(const Explanation& told) {
  std::string text =
      "model " + told.ask.model + ", policy " + std::string(told.policy) + ", a prompt of " +
      std::to_string(told.ask.prompt_tokens) + " tokens that nobody has cached\n\n" +
      "instance                 state     priority at work   limit  waiting    tokens  queue s         cost\n";
  for (const Line& line : told.lines) add_text(text, line);
  if (!told.chosen) text += "\nno instance would be asked: the call would be refused, or go to a fallback\n";
  add_names(text, "fallbacks, in turn", told.fallbacks);
  add_names(text, "fallbacks that the key may not use, passed over", told.passed_over);
  if (told.last_resort) text += "\nnone is fit; one is tried all the same (last_resort)\n";
  return text;
}

std::string as_json(const Explanation& told) {
  std::string text;
  json::Writer w(text);
  w.begin_object().member("model", told.ask.model).member("policy", told.policy);
  w.member("prompt_tokens", told.ask.prompt_tokens).key("chosen");
  const auto chosen = std::ranges::find_if(told.lines, [](const Line& line) { return !line.verdict.empty(); });
  chosen == told.lines.end() ? w.null() : w.value(chosen->name);
  w.member("last_resort", told.last_resort).key("instances").begin_array();
  for (const Line& line : told.lines) add_json(w, line);
  w.end_array();
  add_names(w, "fallbacks", told.fallbacks);
  add_names(w, "passed_over", told.passed_over);
  w.end_object();
  return text + "\n";
}

// The models that may answer instead, as the key may use them.
void add_fallbacks(Explanation& told, const control::Snapshot& snapshot, const Route& route) {
  const std::string& key_name = told.ask.key;
  const auto key = std::ranges::find(snapshot.principals, key_name, &control::Principal::name);
  for (const std::string& name : route.fallbacks) {
    const bool allowed =
        key_name.empty() || key == snapshot.principals.end() || snapshot.resolve_fallback(*key, name).has_value();
    (allowed ? told.fallbacks : told.passed_over).push_back(name);
  }
}

// Of a call of that key that says nothing else of a session.
uint64_t session_of(const ExplainAsk& ask, const Route& route, routing::PolicyKind policy) {
  if (ask.key.empty()) return 0;
  if (route.session == control::SessionKind::key) return routing::hash_text(ask.key, routing::hash_text(ask.model));
  return policy == routing::PolicyKind::split ? routing::hash_text(ask.key) : 0;
}

}  // namespace

float price_of_call(const control::PriceTable::Prices& prices, uint32_t prompt_tokens, uint64_t output_tokens) {
  const accounting::Price* const price = prices.at(prompt_tokens);
  if (price == nullptr) return kUnpriced;
  chat::Usage usage;
  usage.input = prompt_tokens;
  usage.output = output_tokens;
  return static_cast<float>(accounting::cost_of(*price, usage));
}

std::string_view fitness_word(const routing::Score& score, const routing::Candidate& candidate,
                              const routing::InstanceTable& instances, const routing::HealthOptions& health,
                              base::Instant now) {
  if (score.fitness != routing::Fitness::out) return to_string(score.fitness);
  const auto state = [&](routing::Slot slot) { return health_state(instances.state(slot).health, now, health); };
  const auto own = state(candidate.slot);
  const auto model = candidate.model_slot == routing::kUnknown ? routing::HealthState::up : state(candidate.model_slot);
  const bool out = own == routing::HealthState::out || model == routing::HealthState::out;
  const bool ramps = own == routing::HealthState::ramp || model == routing::HealthState::ramp;
  return !out && ramps ? to_string(routing::HealthState::ramp) : to_string(score.fitness);
}

std::string owners_of(const control::Snapshot& snapshot, const routing::Group& group) {
  std::set<std::string_view> owners;
  for (const routing::Target& target : group.targets) owners.insert(snapshot.models[target.id].owned_by);
  std::string text;
  for (const std::string_view owner : owners) {
    if (!text.empty()) text += owner == *owners.rbegin() ? " or " : ", ";
    text.append("'").append(owner).append("'");
  }
  return text;
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
  const routing::Ask call{.now = now,
                          .prompt_tokens = std::max(ask.prompt_tokens, 1U),
                          .session = session_of(ask, *field.route, settings.policy)};
  const auto choice = chooser.choose(settings, field.candidates, call, &scores);
  Explanation told{.ask = ask,
                   .policy = routing::policy_names()[static_cast<size_t>(settings.policy)],
                   .lines = {},
                   .chosen = choice.has_value(),
                   .last_resort = choice && choice->last_resort};
  for (const routing::Score& score : scores) {
    told.lines.push_back(line_of(field, score, routing, settings, now));
    const bool chosen = choice && choice->candidate == score.candidate;
    if (chosen) told.lines.back().verdict = verdict_of(told.lines.back(), field.route->queue);
  }
  add_fallbacks(told, snapshot, *field.route);
  return ask.json ? as_json(told) : as_text(told);
}

}  // namespace llmgw::gateway
