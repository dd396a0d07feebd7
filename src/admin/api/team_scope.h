// What a team admin may write. Blocking: reads the store.
#pragma once

#include <expected>

#include "admin/api/object_api.h"

namespace boost::json {
// NOLINTNEXTLINE(readability-identifier-naming): Boost's own name
class object;
}  // namespace boost::json

namespace llmgw::admin {

// What a team admin writes belongs to the team: it is filled in where nothing is said, and refused where something else
// is. `document` refers to objects of the store by their ids. Whoever may write in all teams is not asked.
std::expected<void, ApiAnswer> keep_to_team(const ApiContext& context, const ApiRequest& request,
                                            const control::ObjectKind& kind, boost::json::object& document);

}  // namespace llmgw::admin
