#include "admin/engines/engine_api.h"

#include "base/text.h"
#include "json/writer.h"

namespace llmgw::admin {
namespace {

constexpr std::string_view kHeartbeat = "/heartbeat";

double seconds(base::Duration time) {
  return std::chrono::duration<double>(time).count();
}

ApiAnswer refused(const EngineCall& call) {
  if (!call.role.empty()) {
    return api_error(403, "forbidden", "the role " + std::string(call.role) + " may not change this: engines");
  }
  return api_error(401, "authentication",
                   "send the token of admin.engine_token, or an admin key that may change connections, as a bearer "
                   "token: Authorization: Bearer ...");
}

// Of what one engine says of itself: neither the token for registering nor a key of the admin API will do.
ApiAnswer not_its_token(std::string_view name) {
  return api_error(401, "authentication",
                   "send the token that the registration of '" + std::string(name) +
                       "' returned, as a bearer token: Authorization: Bearer eng-...; whoever has lost it registers "
                       "the engine again");
}

ApiAnswer put(EngineRegistry& engines, const EngineCall& call, base::Instant now) {
  auto offer = read_engine_offer(call.body);
  if (!offer) return api_error(400, "invalid_request", offer.error());
  if (call.context == nullptr) return api_error(503, "busy", "the gateway has no configuration yet; try again");
  if (auto refusal = refuse_engine(*offer, *call.context)) return std::move(*refusal);
  const auto registered = engines.put(*offer, now);
  if (!registered) return api_error(409, "too_many", "as many engines as there may be are registered");
  ApiAnswer answer{.status = static_cast<uint16_t>(registered->is_new ? 201 : 200), .body = {}, .changed = true};
  json::Writer writer(answer.body);
  writer.begin_object().member("name", offer->name).member("token", registered->token);
  writer.member("lifetime_seconds", seconds(offer->lifetime));
  const std::string heartbeat =
      std::string(kEnginesPath) + "/" + base::percent_encode(offer->name) + std::string(kHeartbeat);
  writer.member("heartbeat", heartbeat).end_object();
  return answer;
}

ApiAnswer list(const EngineRegistry& engines, base::Instant now) {
  ApiAnswer answer;
  json::Writer writer(answer.body);
  writer.begin_object().member("object", "list").key("data").begin_array();
  for (const EngineRegistry::Entry& entry : engines.list(now)) {
    writer.begin_object().member("name", entry.name).key("models").begin_array();
    for (const std::string& model : entry.models) writer.value(model);
    writer.end_array().member("lifetime_seconds", seconds(entry.lifetime));
    writer.member("seconds_left", seconds(entry.left)).end_object();
  }
  writer.end_array().end_object();
  return answer;
}

ApiAnswer heard(EngineRegistry::Heard heard, std::string_view name) {
  if (heard == EngineRegistry::Heard::wrong_token) return not_its_token(name);
  if (heard == EngineRegistry::Heard::unknown) {
    return api_error(404, "not_found", "no engine '" + std::string(name) + "' is registered; register it again");
  }
  return {.status = 200, .body = "{\"ok\":true}"};
}

}  // namespace

bool is_engines_path(std::string_view path) {
  return path == kEnginesPath || (path.starts_with(kEnginesPath) && path[kEnginesPath.size()] == '/');
}

ApiAnswer answer_engines(EngineRegistry& engines, const EngineCall& call, base::Instant now) {
  if (call.path == kEnginesPath) {
    if (call.method == http::Method::get) return call.may_read ? list(engines, now) : refused(call);
    if (call.method == http::Method::post) return call.may_register ? put(engines, call, now) : refused(call);
    return method_not_allowed("GET, POST");
  }
  std::string_view rest = call.path.substr(kEnginesPath.size() + 1);
  const bool heartbeat = call.method == http::Method::post && rest.ends_with(kHeartbeat);
  if (!heartbeat && call.method != http::Method::delete_) {
    return method_not_allowed("DELETE", ", and POST at .../heartbeat");
  }
  if (heartbeat) rest.remove_suffix(kHeartbeat.size());
  const auto name = base::percent_decode(rest);
  if (!name) return api_error(400, "invalid_request", "the path has a broken escape");
  if (heartbeat) return heard(engines.heartbeat(*name, call.token, now), *name);
  ApiAnswer answer = heard(engines.remove(*name, call.may_register ? nullptr : &call.token), *name);
  answer.changed = answer.status == 200;
  return answer;
}

}  // namespace llmgw::admin
