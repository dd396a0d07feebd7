#include "admin/probe/try_connection.h"

#include <algorithm>
#include <boost/json.hpp>

#include "admin/api/object_edit.h"
#include "admin/api/object_view.h"
#include "admin/probe/connection_probe.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;

// "file:3" and names of the configuration file, else the store's.
std::expected<std::string, ApiAnswer> name_of(const ApiContext& context, const std::string& id_or_name) {
  const control::ObjectKind& kind = *control::find_kind("connection");
  for (const FileObject& each : show_file_objects(context.file, kind)) {
    if (each.id == id_or_name || each.name == id_or_name) return each.name;
  }
  auto object = find_object(context, kind, id_or_name);
  if (!object) return std::unexpected(std::move(object).error());
  return std::move(object->name);
}

ApiAnswer answer_of(const std::string& connection, const std::expected<ProbeResult, std::string>& result) {
  if (!result) return api_error(400, "invalid_request", result.error());
  boost::system::error_code error;
  bj::value body = bj::parse(result->body, error);
  if (error) body = bj::string(result->body);
  const bj::object shown{{"connection", bj::string(connection)}, {"model", bj::string(result->model)},
                         {"ok", result->status == 200},          {"status", result->status},
                         {"milliseconds", result->milliseconds}, {"answer", std::move(body)}};
  return {.status = 200, .body = bj::serialize(shown)};
}

}  // namespace

ApiAnswer test_connection(const ApiContext& context, const ApiRequest& request, const std::string& id_or_name) {
  boost::system::error_code error;
  const bj::value body = bj::parse(request.body.empty() ? "{}" : request.body, error);
  if (error || !body.is_object()) return api_error(400, "invalid_request", "the body must be a JSON object");
  std::string model;
  if (const bj::value* const given = body.get_object().if_contains("model")) {
    if (!given->is_string()) return api_error(400, "invalid_request", "model: expected the provider's name of a model");
    model = std::string(given->get_string());
  }
  auto connection = name_of(context, id_or_name);
  if (!connection) return connection.error();
  auto everything = context.store.load_all();
  if (!everything) return store_failed(everything.error());
  // Nothing else has a part in the call, and there may be very many keys.
  std::erase_if(everything->objects,
                [](const store::Object& each) { return each.kind != "connection" && each.kind != "model"; });
  const auto config = std::make_shared<const control::Config>(
      control::ObjectMerger(context.file, everything->objects, context.secrets, context.environment).config());
  ApiAnswer answer;
  answer.rest = [config, connection = std::move(*connection), model = std::move(model)](std::stop_token stop) {
    return answer_of(connection, probe_connection(*config, connection, model, std::move(stop)));
  };
  return answer;
}

}  // namespace llmgw::admin
