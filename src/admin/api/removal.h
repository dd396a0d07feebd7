// What goes with an object that is removed or renamed, and what would break: those that refer to it by id, and the
// assignments and routes that go by a model's name which nothing serves any more, and the prices of a connection. A key
// whose last assignment goes is closed, because one without assignments may call every model. A user who is in other
// teams, too, leaves the team that goes. Blocking: reads the store, writes nothing.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "admin/api/object_api.h"

namespace llmgw::admin {

struct RemovalPlan {
  std::vector<store::ObjectChange> changes;  // in an order in which every step leaves the store whole
  std::vector<std::string> closed_keys;      // names of keys that may call nothing any more
  std::vector<std::string> trimmed_routes;   // names of routes that go on for their other models
  std::vector<std::string> left_prices;      // names of those of the same model, for longer prompts alone
  std::vector<std::string> trimmed_users;    // names of users who stay in their other teams
};

// The error: what still refers to it, where the request does not say ?cascade=true.
std::expected<RemovalPlan, ApiAnswer> plan_removal(const ApiContext& context, const ApiRequest& request,
                                                   const store::Object& object);

// Whether an object may be called as `after` is from now on, and stand where that does. The error: what goes by its
// name and would not follow, as the assignments, routes and lists of models that name a model do, and prices that name
// a connection; of a model also the assignments that name it on the connection it leaves. Those that have its id are no
// hindrance.
std::expected<void, ApiAnswer> check_rename(const ApiContext& context, const ApiRequest& request,
                                            const store::Object& object, const store::Object& after);

}  // namespace llmgw::admin
