#include "control/objects/object_kinds.h"

#include <algorithm>

#include "store/vault/key_hash.h"

namespace llmgw::control {
namespace {

constexpr ReferenceField kOfModel[] = {{"connection", "connection"}};
constexpr ReferenceField kOfTeam[] = {{"organization", "organization"}};
constexpr ReferenceField kOfUser[] = {{"teams", "team"}};
constexpr ReferenceField kOfKey[] = {{"team", "team"}, {"user", "user"}};
constexpr ReferenceField kOfAssignment[] = {{"key", "key"}, {"model", "model"}, {"connection", "connection"}};
constexpr ReferenceField kOfAdminKey[] = {{"team", "team"}};

// Referred to before referring: the order in which a configuration is built.
constexpr ObjectKind kKinds[] = {
    {.name = "connection",
     .plural = "connections",
     .command = "connection",
     .id_prefix = "conn_",
     .section = SectionId::connection,
     .id_option = "--conn-id",
     .help = "a provider's endpoint and credential"},
    {.name = "model",
     .plural = "models",
     .command = "model",
     .id_prefix = "mdl_",
     .section = SectionId::model,
     .id_option = "--model-id",
     .references = kOfModel,
     .also_unique = "connection",
     .help = "a name clients may ask for, and the connection that serves it"},
    {.name = "organization",
     .plural = "organizations",
     .command = "org",
     .id_prefix = "org_",
     .section = SectionId::organization,
     .id_option = "--org-id",
     .help = "who pays"},
    {.name = "team",
     .plural = "teams",
     .command = "team",
     .id_prefix = "team_",
     .section = SectionId::team,
     .id_option = "--team-id",
     .references = kOfTeam,
     .help = "keys that belong together"},
    {.name = "user",
     .plural = "users",
     .command = "user",
     .id_prefix = "user_",
     .section = SectionId::user,
     .id_option = "--user-id",
     .references = kOfUser,
     .help = "a person who owns keys"},
    {.name = "key",
     .plural = "keys",
     .command = "vkey",
     .id_prefix = "vkey_",
     .section = SectionId::key,
     .id_option = "--vkey-id",
     .references = kOfKey,
     .key_prefix = store::kVirtualKeyPrefix,
     .help = "a virtual key: what a client sends"},
    {.name = "assignment",
     .plural = "assignments",
     .command = "assign",
     .id_prefix = "asg_",
     .section = SectionId::assignment,
     .id_option = "--assign-id",
     .references = kOfAssignment,
     .help = "a model for one key, under a name and limits of its own"},
    {.name = "price",
     .plural = "prices",
     .command = "price",
     .id_prefix = "price_",
     .section = SectionId::price,
     .id_option = "--price-id",
     .help = "what a provider's model costs"},
    {.name = "route",
     .plural = "routes",
     .command = "route",
     .id_prefix = "route_",
     .section = SectionId::route,
     .id_option = "--route-id",
     .help = "how calls for some models find an instance, and what happens when it fails"},
    {.name = "admin_key",
     .plural = "admin-keys",
     .command = "admin-key",
     .id_prefix = "akey_",
     .section = SectionId::admin_key,
     .id_option = "--admin-key-id",
     .references = kOfAdminKey,
     .key_prefix = store::kAdminKeyPrefix,
     .help = "a key for the admin API, with a role"},
};

const ObjectKind* find_by(std::string_view ObjectKind::* member, std::string_view value) {
  const auto* const found = std::ranges::find(kKinds, value, member);
  return found == std::end(kKinds) ? nullptr : found;
}

}  // namespace

std::span<const ObjectKind> object_kinds() {
  return kKinds;
}

const ObjectKind* find_kind(std::string_view name) {
  return find_by(&ObjectKind::name, name);
}
const ObjectKind* find_kind_by_plural(std::string_view plural) {
  return find_by(&ObjectKind::plural, plural);
}
const ObjectKind* find_kind_by_command(std::string_view command) {
  return find_by(&ObjectKind::command, command);
}

bool is_object_id(const ObjectKind& kind, std::string_view text) {
  constexpr size_t kIdLetters = 21;
  return text.starts_with(kind.id_prefix) && text.size() == kind.id_prefix.size() + kIdLetters;
}

std::string price_name(std::string_view provider, std::string_view model, uint64_t above_tokens) {
  std::string name = std::string(provider) + "/" + std::string(model);
  if (above_tokens > 0) name += "/above-" + std::to_string(above_tokens);
  return name;
}

std::string route_name(std::span<const std::string> models) {
  std::string name;
  for (const std::string& model : models) name.append(name.empty() ? "" : ",").append(model);
  return name;
}

bool is_sealed(const Setting& setting) {
  // A proxy's URL may hold a password.
  return setting.secret() || setting.key == "proxy";
}

}  // namespace llmgw::control
