// Organizations, teams, users, keys and assignments of a configuration -> the snapshot's. Control thread only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "admission/meter_table.h"
#include "control/snapshot.h"

namespace llmgw::control {

class GovernanceBuilder {
 public:
  // `snapshot` has its models and their table; `config` has passed load_config.
  GovernanceBuilder(const Config& config, Snapshot& snapshot, admission::MeterTable& meters, ConfigErrors& errors)
      : config_(config), snapshot_(snapshot), meters_(meters), errors_(errors) {}

  // Fills in everything but the keys' hashes; principals are in the order of config.keys.
  void build();

 private:
  using Names = std::unordered_map<std::string_view, uint32_t>;

  void add_model_scopes();
  void add_organizations();
  void add_teams();
  void add_users();
  void add_principals();
  void add_assignments();
  Assignment make_assignment(const AssignmentConfig& from);
  std::shared_ptr<const Scope::LimitSet> limit_set(const admission::Limits& limits);
  const ModelFilter& filter(const std::vector<std::string>& patterns);
  uint32_t add_scope(ScopeKind kind, std::string_view name, const LimitFields& from) {
    return add_scope(kind, name, from.limits(), from.id, from.named_since);
  }
  uint32_t add_scope(ScopeKind kind, std::string_view name, const admission::Limits& limits, const std::string& id,
                     int64_t named_since);
  static uint32_t find(const Names& names, std::string_view name);

  const Config& config_;
  Snapshot& snapshot_;
  admission::MeterTable& meters_;
  admission::ZoneCache zones_;
  ConfigErrors& errors_;
  // By everything that a Limits has, in its order; -1: no budget.
  using LimitKey = std::tuple<double, uint64_t, uint64_t, uint32_t, int64_t, admission::BudgetPeriod, std::string,
                              admission::UnpricedCalls>;
  std::map<LimitKey, std::shared_ptr<const Scope::LimitSet>> limit_sets_;
  std::map<std::vector<std::string>, ModelFilter> filters_;
  Names organizations_;
  Names teams_;
  Names users_;
  std::vector<const AssignmentConfig*> sorted_;  // by key, then alias
};

}  // namespace llmgw::control
