// Organizations, teams, users, keys and assignments of a configuration -> the snapshot's. Control thread only.
#pragma once

#include <string_view>
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
  uint32_t add_scope(ScopeKind kind, std::string_view name, const admission::Limits& limits);
  static uint32_t find(const Names& names, std::string_view name);

  const Config& config_;
  Snapshot& snapshot_;
  admission::MeterTable& meters_;
  admission::ZoneCache zones_;
  ConfigErrors& errors_;
  Names organizations_;
  Names teams_;
  Names users_;
  std::vector<const AssignmentConfig*> sorted_;  // by key, then alias
};

}  // namespace llmgw::control
