#include "admin/api/team_scope.h"

#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "admin/api/object_fields.h"
#include "admin/api/object_lookup.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using Checked = std::expected<void, ApiAnswer>;

bool lists(const bj::object& object, std::string_view field, std::string_view text) {
  const bj::value* const value = object.if_contains({field.data(), field.size()});
  return value != nullptr && value->is_array() && std::ranges::any_of(value->get_array(), [&](const bj::value& each) {
           return each.is_string() && each.get_string() == bj::string_view(text.data(), text.size());
         });
}

// Whether a user, of the store by id or of the file by name, is in that team.
bool is_member(const ApiContext& context, std::string_view user, const std::string& team) {
  const auto found = find_object(context, *control::find_kind("user"), user);
  if (found) return lists(document_of(*found), "teams", team);
  const auto& users = context.file.users;
  const auto of_file = std::ranges::find(users, user, &control::UserConfig::name);
  return of_file != users.end() && std::ranges::find(of_file->teams, team) != of_file->teams.end();
}

}  // namespace

Checked keep_to_team(const ApiContext& context, const ApiRequest& request, const control::ObjectKind& kind,
                     bj::object& document) {
  if (access(request.actor.role, Action::write, kind.name) != Access::own_team) return {};
  const auto refuse = [&]() -> Checked {
    return std::unexpected(api_error(
        403, "forbidden", "a team admin may only write what belongs to team " + in_quotes(request.actor.team)));
  };
  auto team = find_object(context, *control::find_kind("team"), request.actor.team);
  const std::string own = team ? team->id : request.actor.team;
  if (kind.section == control::SectionId::key) {
    if (!document.contains("team")) document["team"] = own;
    // A user's limits and budget are used up by whoever has a key of that user.
    const std::string_view user = text_of(document, "user");
    return text_of(document, "team") == own && (user.empty() || is_member(context, user, own)) ? Checked{} : refuse();
  }
  if (kind.section == control::SectionId::user) {
    if (!document.contains("teams")) document["teams"] = bj::array{bj::value(own)};
    return document["teams"] == bj::array{bj::value(own)} ? Checked{} : refuse();
  }
  if (kind.section == control::SectionId::assignment) {
    const auto key = find_object(context, *control::find_kind("key"), text_of(document, "key"));
    if (key && text_of(document_of(*key), "team") == own) return {};
  }
  return refuse();
}

}  // namespace llmgw::admin
