// What is wrong between organizations, teams, users, keys, assignments and models.
#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/did_you_mean.h"
#include "base/time_zone.h"
#include "control/config_loader.h"
#include "control/config_place.h"
#include "routing/pattern.h"
#include "store/redis/redis_url.h"

namespace llmgw::control {
namespace {

class GovernedChecker {
 public:
  GovernedChecker(const Config& config, ConfigErrors& errors) : config_(config), errors_(errors) {}

  void check() {
    index(config_.organizations, SectionId::organization, "organization", organizations_);
    index(config_.teams, SectionId::team, "team", teams_);
    index(config_.users, SectionId::user, "user", users_);
    for (const auto& key : config_.keys) keys_.emplace(key.name, &key);
    for (const auto& team : config_.teams) {
      check_reference(team, SectionId::team, "organization", team.organization, organizations_,
                      {"organizations", "organization", "org"});
    }
    for (const auto& user : config_.users) {
      for (const auto& team : user.teams)
        check_reference(user, SectionId::user, "teams", team, teams_, {"teams", "team", "team"});
    }
    for (const auto& key : config_.keys) check_key(key);
    check_time_zones();
    check_model_limits();
    check_assignments();
    if (config_.redis.url.empty()) return;
    const auto address = store::parse_redis_url(config_.redis.url.reveal());
    if (!address) fault(config_.redis, SectionId::redis, "url", address.error());
  }

 private:
  struct Table {
    std::string_view name;  // in a file
    std::string_view noun;
    std::string_view command;
  };

  template <class Section>
  using Index = std::unordered_map<std::string_view, const Section*>;

  template <class Section>
  void index(const std::vector<Section>& sections, SectionId id, std::string_view noun, Index<Section>& by_name) {
    for (const auto& section : sections) {
      if (section.name.empty()) continue;
      const auto [first, is_new] = by_name.emplace(section.name, &section);
      if (is_new) continue;
      fault(section, id, "name",
            "'" + section.name + "' is already the name of the " + std::string(noun) + on_line(first->second->at));
    }
  }

  template <class Section>
  void check_reference(const SectionBase& section, SectionId id, std::string_view key, std::string_view name,
                       const Index<Section>& there_are, const Table& table) {
    if (name.empty() || there_are.contains(name)) return;
    std::vector<std::string_view> names;
    for (const auto& [each, unused] : there_are) names.push_back(each);
    const std::string near = base::did_you_mean(name, names);
    fault(section, id, key,
          "there is no " + std::string(table.noun) + " '" + std::string(name) + "'" +
              (near.empty() ? add_or_list(section.at, table.name, table.command) : near));
  }

  void check_key(const KeyConfig& key);
  void check_time_zones();
  void check_model_limits();
  void check_assignments();
  void check_assigned_model(const AssignmentConfig& assignment);

  void fault(const SectionBase& section, SectionId id, std::string_view key, const std::string& message) {
    errors_.add(location_of(section, id, key),
                std::string(section_table(id).name) + "." + std::string(key) + ": " + message);
  }

  const Config& config_;
  ConfigErrors& errors_;
  Index<OrganizationConfig> organizations_;
  Index<TeamConfig> teams_;
  Index<UserConfig> users_;
  Index<KeyConfig> keys_;
};

void GovernedChecker::check_key(const KeyConfig& key) {
  check_reference(key, SectionId::key, "team", key.team, teams_, {"teams", "team", "team"});
  check_reference(key, SectionId::key, "user", key.user, users_, {"users", "user", "user"});
  const auto user = users_.find(key.user);
  if (user != users_.end() && !key.team.empty() && !user->second->teams.empty() &&
      std::ranges::find(user->second->teams, key.team) == user->second->teams.end()) {
    fault(key, SectionId::key, "team",
          "its user '" + key.user + "' is not a member of this team; add it to the user's teams");
  }
  for (const auto& tag : key.tags) {
    if (tag.size() > kTagBytesMax || tag.find(',') != std::string::npos) {
      fault(key, SectionId::key, "tags",
            "a tag has at most " + std::to_string(kTagBytesMax) + " bytes and no comma, which separates tags");
    }
  }
}

void GovernedChecker::check_time_zones() {
  std::unordered_map<std::string_view, bool> known = {{"UTC", true}};
  const auto check = [&](const auto& sections, SectionId id) {
    for (const auto& section : sections) {
      const auto [zone, is_new] = known.emplace(section.time_zone, false);
      if (is_new) zone->second = base::TimeZone::load(section.time_zone).has_value();
      if (zone->second) continue;
      fault(section, id, "time_zone",
            "no such time zone on this machine; write a name such as \"Europe/Berlin\" (Debian's package tzdata has "
            "them)");
    }
  };
  check(config_.organizations, SectionId::organization);
  check(config_.teams, SectionId::team);
  check(config_.users, SectionId::user);
  check(config_.keys, SectionId::key);
  check(config_.assignments, SectionId::assignment);
  check(config_.models, SectionId::model);
}

// Entries of one name are one group with one set of limits.
void GovernedChecker::check_model_limits() {
  std::unordered_map<std::string_view, const ModelConfig*> limited;
  for (const auto& model : config_.models) {
    if (!model.limits().any()) continue;
    const auto [first, is_new] = limited.emplace(model.name, &model);
    if (is_new || first->second->limits() == model.limits()) continue;
    fault(model, SectionId::model, "name",
          "'" + model.name + "' has other limits" + on_line(first->second->at) +
              "; limits belong to the name, so write them in one entry of it");
  }
}

void GovernedChecker::check_assigned_model(const AssignmentConfig& assignment) {
  if (routing::is_pattern(assignment.model)) {
    return fault(assignment, SectionId::assignment, "model",
                 "is a pattern; name one model, or write the pattern into the key's models");
  }
  bool served = false;
  bool by_connection = assignment.connection.empty();
  std::vector<std::string_view> names;
  for (const auto& model : config_.models) {
    names.push_back(model.name);
    if (model.name != assignment.model && !routing::matches(model.name, assignment.model)) continue;
    served = true;
    by_connection = by_connection || model.connection == assignment.connection;
  }
  if (!served) {
    const std::string near = base::did_you_mean(assignment.model, names);
    fault(assignment, SectionId::assignment, "model",
          "there is no model '" + assignment.model + "'" +
              (near.empty() ? add_or_list(assignment.at, "models", "model") : near));
  } else if (!by_connection) {
    fault(assignment, SectionId::assignment, "connection",
          "the connection '" + assignment.connection + "' does not serve the model '" + assignment.model + "'");
  }
}

void GovernedChecker::check_assignments() {
  std::unordered_map<std::string, const AssignmentConfig*> seen;
  for (const auto& assignment : config_.assignments) {
    check_reference(assignment, SectionId::assignment, "key", assignment.key, keys_, {"keys", "key", "vkey"});
    if (assignment.model.empty()) continue;
    check_assigned_model(assignment);
    if (routing::is_pattern(assignment.alias)) {
      fault(assignment, SectionId::assignment, "alias", "is a pattern; an alias is one name");
    }
    const auto& alias = assignment.alias.empty() ? assignment.model : assignment.alias;
    const auto [first, is_new] = seen.emplace(assignment.key + '\n' + alias, &assignment);
    if (is_new) continue;
    fault(assignment, SectionId::assignment, assignment.alias.empty() ? "model" : "alias",
          "the key '" + assignment.key + "' has '" + alias + "' already" +
              (is_stored(first->second->at) ? "" : "," + on_line(first->second->at)));
  }
}

}  // namespace

void check_governed(const Config& config, ConfigErrors& errors) {
  GovernedChecker(config, errors).check();
}

}  // namespace llmgw::control
