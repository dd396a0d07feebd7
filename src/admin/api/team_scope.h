// What of the store is a team admin's. Blocking: reads the store.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "admin/api/object_api.h"

namespace boost::json {
// NOLINTNEXTLINE(readability-identifier-naming): Boost's own name
class object;
}  // namespace boost::json

namespace llmgw::admin {

// Of one request: what its actor may see and change. Whoever may read all of a kind owns all of it here. One thread.
class TeamScope {
 public:
  // Both outlive it.
  TeamScope(const ApiContext& context, const Actor& actor) : context_(context), actor_(actor) {}

  // Whether an object is the team's: the team, its users, its keys (control::team_of_key()) and their assignments.
  bool owns(const control::ObjectKind& kind, const store::Object& object) const;
  // The same of the configuration file's objects, by their names.
  bool owns_of_file(const control::ObjectKind& kind, std::string_view name) const;
  // find_object() among what is the team's: what is of others is as if it were not there.
  std::expected<store::Object, ApiAnswer> find(const control::ObjectKind& kind, std::string_view id_or_name) const;
  // What a team admin writes belongs to the team: it is filled in where nothing says so, and refused where something
  // else does. `document` refers to objects of the store by their ids; `is_new`: of one that is just made.
  std::expected<void, ApiAnswer> keep(const control::ObjectKind& kind, boost::json::object& document,
                                      bool is_new) const;

 private:
  // As documents refer to it: by the id of the store's, or by the name of the file's.
  const std::string& own() const;
  bool is_own(std::string_view team) const { return team == own() || team == actor_.team; }
  bool owns_key(const boost::json::object& document) const;

  const ApiContext& context_;
  const Actor& actor_;
  mutable std::optional<std::string> own_;  // once it was asked for
};

// The team that a key of the store is of, by its document: an id, or a name of the file; empty: none.
std::string team_of_key(const ApiContext& context, const boost::json::object& key);

}  // namespace llmgw::admin
