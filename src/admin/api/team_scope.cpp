#include "admin/api/team_scope.h"

#include <algorithm>
#include <boost/json.hpp>
#include <vector>

#include "admin/api/object_fields.h"
#include "admin/api/object_lookup.h"
#include "control/key_team.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using Checked = std::expected<void, ApiAnswer>;

// Of a user of the store by id, or of the file by name. The file's hides the store's of its name.
std::vector<std::string> teams_of_user(const ApiContext& context, std::string_view user) {
  if (user.empty()) return {};
  const auto found = find_object(context, *control::find_kind("user"), user);
  const auto& users = context.file.users;
  const auto of_file = std::ranges::find(users, found ? found->name : user, &control::UserConfig::name);
  if (of_file != users.end()) return of_file->teams;
  if (!found) return {};
  const bj::object document = document_of(*found);
  const auto teams = texts_of(document, "teams");
  return {teams.begin(), teams.end()};
}

}  // namespace

std::string team_of_key(const ApiContext& context, const bj::object& key) {
  const std::string_view own = text_of(key, "team");
  if (!own.empty()) return std::string(own);
  return std::string(control::team_of_key(own, teams_of_user(context, text_of(key, "user"))));
}

const std::string& TeamScope::own() const {
  if (!own_) {
    const auto team = find_object(context_, *control::find_kind("team"), actor_.team);
    own_ = team ? team->id : actor_.team;
  }
  return *own_;
}

bool TeamScope::owns_key(const bj::object& document) const {
  return is_own(team_of_key(context_, document));
}

bool TeamScope::owns(const control::ObjectKind& kind, const store::Object& object) const {
  using enum control::SectionId;
  if (access(actor_.role, Action::read, kind.name) != Access::own_team) return true;
  if (kind.section == team) return object.id == own();
  const bj::object document = document_of(object);
  if (kind.section == key) return owns_key(document);
  if (kind.section == user) {
    return std::ranges::any_of(texts_of(document, "teams"), [this](std::string_view each) { return is_own(each); });
  }
  if (kind.section != assignment) return false;
  const std::string_view assigned = text_of(document, "key");
  return !assigned.empty() && find(*control::find_kind("key"), assigned).has_value();
}

bool TeamScope::owns_of_file(const control::ObjectKind& kind, std::string_view name) const {
  using enum control::SectionId;
  if (access(actor_.role, Action::read, kind.name) != Access::own_team) return true;
  if (kind.section == team) return is_own(name);
  const auto own_one = [this](std::string_view each) { return is_own(each); };
  if (kind.section == user) return std::ranges::any_of(teams_of_user(context_, name), own_one);
  if (kind.section != key) return false;
  const auto& keys = context_.file.keys;
  const auto found = std::ranges::find(keys, name, &control::KeyConfig::name);
  return found != keys.end() && is_own(control::team_of_key(found->team, teams_of_user(context_, found->user)));
}

std::expected<store::Object, ApiAnswer> TeamScope::find(const control::ObjectKind& kind,
                                                        std::string_view id_or_name) const {
  return find_object(context_, kind, id_or_name, [&](const store::Object& object) { return owns(kind, object); });
}

Checked TeamScope::keep(const control::ObjectKind& kind, bj::object& document, bool is_new) const {
  using enum control::SectionId;
  if (access(actor_.role, Action::write, kind.name) != Access::own_team) return {};
  const auto only_if = [&](bool fits) -> Checked {
    if (fits) return {};
    return std::unexpected(
        api_error(403, "forbidden", "a team admin may only write what belongs to team " + in_quotes(actor_.team)));
  };
  if (kind.section == key) {
    // One that is the team's by its user stays so, also when something else of it is changed.
    if (!document.contains("team") && (is_new || !owns_key(document))) document["team"] = own();
    // A user's limits and budget are used up by whoever has a key of that user.
    const std::string_view user = text_of(document, "user");
    const bool of_member =
        user.empty() || std::ranges::any_of(teams_of_user(context_, user), [this](auto& each) { return is_own(each); });
    return only_if(owns_key(document) && of_member);
  }
  if (kind.section == user) {
    if (!document.contains("teams")) document["teams"] = bj::array{bj::value(own())};
    return only_if(document["teams"] == bj::array{bj::value(own())});
  }
  if (kind.section != assignment) return only_if(false);
  const std::string_view assigned = text_of(document, "key");
  return only_if(!assigned.empty() && find(*control::find_kind("key"), assigned).has_value());
}

}  // namespace llmgw::admin
