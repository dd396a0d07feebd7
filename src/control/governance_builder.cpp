#include "control/governance_builder.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include "control/config_loader.h"
#include "control/key_team.h"
#include "control/siphash.h"

namespace llmgw::control {

std::string_view to_string(ScopeKind kind) {
  static constexpr std::array<std::string_view, kScopeKindCount> kNames = {"organization", "team",       "user",
                                                                           "key",          "assignment", "model"};
  return kNames[static_cast<size_t>(kind)];
}

uint64_t scope_identity(ScopeKind kind, std::string_view name) {
  std::string text(to_string(kind));
  text.append("\n").append(name);
  // A fixed key: every gateway and every later version must find the same.
  return siphash128({.first = 0x6c6d6774'73636f70, .second = 1}, text).low;
}

namespace {

std::string_view alias_of(const AssignmentConfig& assignment) {
  return assignment.alias.empty() ? assignment.model : assignment.alias;
}

// The limits of entries of one name are one set, wherever they are written.
void merge(admission::Limits& into, const admission::Limits& from) {
  if (from.requests_per_second > 0) into.requests_per_second = from.requests_per_second;
  if (from.requests_per_minute > 0) into.requests_per_minute = from.requests_per_minute;
  if (from.tokens_per_minute > 0) into.tokens_per_minute = from.tokens_per_minute;
  if (from.concurrency > 0) into.concurrency = from.concurrency;
  if (from.unpriced == admission::UnpricedCalls::refuse) into.unpriced = from.unpriced;
  if (!from.budget) return;
  into.budget = from.budget;
  into.budget_period = from.budget_period;
  into.time_zone = from.time_zone;
}

}  // namespace

uint32_t GovernanceBuilder::find(const Names& names, std::string_view name) {
  const auto found = names.find(name);
  return found == names.end() ? kNone : found->second;
}

// A hundred thousand keys mostly have a handful of limits and of lists of models between them.
std::shared_ptr<const Scope::LimitSet> GovernanceBuilder::limit_set(const admission::Limits& limits) {
  const int64_t budget = limits.budget ? limits.budget->nano : -1;
  auto& set = limit_sets_[{limits.requests_per_second, limits.requests_per_minute, limits.tokens_per_minute,
                           limits.concurrency, budget, limits.budget_period, limits.time_zone, limits.unpriced}];
  if (set == nullptr) {
    set = std::make_shared<const Scope::LimitSet>(limits, admission::CompiledLimits::of(limits, zones_));
  }
  return set;
}

const ModelFilter& GovernanceBuilder::filter(const std::vector<std::string>& patterns) {
  const auto found = filters_.find(patterns);
  return found != filters_.end() ? found->second : filters_.emplace(patterns, ModelFilter(patterns)).first->second;
}

uint32_t GovernanceBuilder::add_scope(ScopeKind kind, std::string_view name, const admission::Limits& limits,
                                      const std::string& id, int64_t named_since) {
  if (!limits.any()) return kNone;
  const bool of_store = !id.empty();
  const uint64_t identity = scope_identity(kind, of_store ? id : name);
  snapshot_.scopes.push_back({.kind = kind,
                              .identity = identity,
                              .name = std::string(name),
                              .set = limit_set(limits),
                              .meter = meters_.get(identity),
                              .identity_by_name = of_store ? scope_identity(kind, name) : 0,
                              .named_since = named_since});
  return static_cast<uint32_t>(snapshot_.scopes.size() - 1);
}

void GovernanceBuilder::build() {
  add_model_scopes();
  add_organizations();
  add_teams();
  add_users();
  add_principals();
  add_assignments();
  // They may be very many, and stay as they are.
  snapshot_.scopes.shrink_to_fit();
}

void GovernanceBuilder::add_model_scopes() {
  std::unordered_map<std::string_view, admission::Limits> limits;
  for (const auto& model : config_.models) {
    if (model.limits().any()) merge(limits[model.name], model.limits());
  }
  Names scopes;
  for (auto& model : snapshot_.models) {
    const auto own = limits.find(model.name);
    if (own == limits.end()) continue;
    const auto [scope, is_new] = scopes.emplace(own->first, 0);
    if (is_new) scope->second = add_scope(ScopeKind::model, model.name, own->second, {}, 0);
    model.scope = scope->second;
  }
}

void GovernanceBuilder::add_organizations() {
  for (const auto& from : config_.organizations) {
    organizations_.emplace(from.name, static_cast<uint32_t>(snapshot_.organizations.size()));
    snapshot_.organizations.push_back({.name = from.name,
                                       .stored = {.id = from.id, .named_since = from.named_since},
                                       .models = filter(from.models),
                                       .scope = add_scope(ScopeKind::organization, from.name, from)});
  }
}

void GovernanceBuilder::add_teams() {
  for (const auto& from : config_.teams) {
    teams_.emplace(from.name, static_cast<uint32_t>(snapshot_.teams.size()));
    snapshot_.teams.push_back({.name = from.name,
                               .stored = {.id = from.id, .named_since = from.named_since},
                               .organization = find(organizations_, from.organization),
                               .models = filter(from.models),
                               .scope = add_scope(ScopeKind::team, from.name, from)});
  }
}

void GovernanceBuilder::add_users() {
  for (const auto& from : config_.users) {
    users_.emplace(from.name, static_cast<uint32_t>(snapshot_.users.size()));
    snapshot_.users.push_back({.name = from.name,
                               .stored = {.id = from.id, .named_since = from.named_since},
                               .email = from.email,
                               .models = filter(from.models),
                               .scope = add_scope(ScopeKind::user, from.name, from)});
  }
}

void GovernanceBuilder::add_principals() {
  sorted_.reserve(config_.assignments.size());
  for (const auto& assignment : config_.assignments) sorted_.push_back(&assignment);
  std::ranges::sort(sorted_, {}, [](const AssignmentConfig* each) {
    return std::tuple<std::string_view, std::string_view>(each->key, alias_of(*each));
  });
  for (const auto& from : config_.keys) {
    Principal principal{.name = from.name, .id = from.id, .named_since = from.named_since, .models = filter({})};
    const auto own = std::ranges::equal_range(sorted_, std::string_view(from.name), {},
                                              [](const AssignmentConfig* each) { return std::string_view(each->key); });
    principal.first_assignment = static_cast<uint32_t>(own.begin() - sorted_.begin());
    principal.assignment_count = static_cast<uint32_t>(own.size());
    if (from.models) principal.models = filter(*from.models);
    if (!from.models && principal.assignment_count == 0) principal.models = filter({"*"});
    principal.user = find(users_, from.user);
    const auto of_user = principal.user == kNone ? std::span<const std::string>() : config_.users[principal.user].teams;
    principal.team = find(teams_, team_of_key(from.team, of_user));
    if (principal.team != kNone) principal.organization = snapshot_.teams[principal.team].organization;
    principal.blocked = from.blocked;
    principal.expires = from.expires.value_or(Timestamp{INT64_MAX});
    principal.tags = from.tags;
    principal.priority = from.priority;
    principal.priority_max = from.priority_max;
    principal.weight = from.weight;
    principal.policy_header = from.policy_header;
    const auto governed_by = [&](uint32_t scope) {
      if (scope != kNone) principal.scopes[principal.scope_count++] = scope;
    };
    if (principal.organization != kNone) governed_by(snapshot_.organizations[principal.organization].scope);
    if (principal.team != kNone) governed_by(snapshot_.teams[principal.team].scope);
    if (principal.user != kNone) governed_by(snapshot_.users[principal.user].scope);
    governed_by(add_scope(ScopeKind::key, from.name, from));
    snapshot_.principals.push_back(std::move(principal));
  }
}

Assignment GovernanceBuilder::make_assignment(const AssignmentConfig& from) {
  const auto alias = alias_of(from);
  Assignment assignment{.alias = std::string(alias),
                        .model = from.model,
                        .group = {},
                        .scope = add_scope(ScopeKind::assignment, from.key + "/" + std::string(alias), from)};
  const auto group = snapshot_.resolve(from.model);
  if (!group) {
    errors_.add(location_of(from, SectionId::assignment, "model"), "assignments.model: there is no such model");
    return assignment;
  }
  assignment.group = *group;
  if (from.connection.empty()) return assignment;
  const auto served = std::ranges::find_if(group->targets, [&](const routing::Target& target) {
    return snapshot_.connections[snapshot_.models[target.id].connection].name == from.connection;
  });
  if (served == group->targets.end()) {
    errors_.add(location_of(from, SectionId::assignment, "connection"),
                "assignments.connection: this connection does not serve the model");
    return assignment;
  }
  assignment.group.targets = {served, 1};
  return assignment;
}

void GovernanceBuilder::add_assignments() {
  snapshot_.assignments.reserve(sorted_.size());
  for (const auto* from : sorted_) snapshot_.assignments.push_back(make_assignment(*from));
}

}  // namespace llmgw::control
