#include "admin/engines/engine_check.h"

#include <algorithm>
#include <string>

#include "control/reload.h"
#include "gateway/upstream_connector.h"

namespace llmgw::admin {
namespace {

// A connection's name is what its models say, so an engine of the same name would put its models there.
bool has_connection(const EngineContext& context, std::string_view name) {
  if (std::ranges::find(context.file.connections, name, &control::ConnectionConfig::name) !=
      context.file.connections.end()) {
    return true;
  }
  return context.stored != nullptr && std::ranges::any_of(context.stored->objects, [&](const store::Object& object) {
           return object.kind == "connection" && object.name == name;
         });
}

ApiAnswer faulty(const control::ObjectNote& note) {
  const bool of_model = note.kind == "model";
  return api_error(400, "invalid_request", (of_model ? "models: '" + note.name + "': " : "") + note.problem);
}

}  // namespace

std::optional<ApiAnswer> refuse_engine(const EngineOffer& offer, const EngineContext& context) {
  // What models say of their connection may be its id, so no name may look like one.
  if (control::is_object_id(*control::find_kind("connection"), offer.name)) {
    return api_error(400, "invalid_request", "name: looks like the id of a connection; choose another");
  }
  if (has_connection(context, offer.name)) {
    return api_error(409, "conflict",
                     "name: " + in_quotes(offer.name) + " is a connection already, and no engine's; choose another");
  }
  // Alone: a fault of anything else is not this engine's, and there may be very many keys.
  control::Config alone{};
  alone.server = context.file.server;
  alone.upstream = context.file.upstream;
  alone.upstream_tls = context.file.upstream_tls;
  alone.server.allow_anonymous = true;
  const control::StoredObjects own{.objects = engine_objects(offer), .secrets = control::secrets_of_none()};
  const auto merged = control::merge_snapshot(alone, &own, context.environment, {.hash_key = {1, 2}});
  if (!merged) return api_error(400, "invalid_request", merged.error().all().front().message);
  for (const control::ObjectNote& note : merged->notes) {
    if (!note.doubt) return faulty(note);
  }
  for (const control::Connection& connection : merged->snapshot->connections) {
    if (const auto checked = gateway::UpstreamConnector::check(connection); !checked) {
      return api_error(400, "invalid_request", checked.error());
    }
  }
  return std::nullopt;
}

}  // namespace llmgw::admin
