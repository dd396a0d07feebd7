#include "admin/probe/try_connection.h"

#include <algorithm>
#include <boost/json.hpp>
#include <iterator>
#include <vector>

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

base::Result<void> load_kind(store::ObjectStore& from, std::string_view kind, std::vector<store::Object>& to) {
  for (std::string after;;) {
    TRY(page, from.list({.kind = kind, .after = after, .limit = store::ObjectStore::kPageMax}));
    std::ranges::move(page.objects, std::back_inserter(to));
    if (!page.more) return {};
    after = to.back().id;
  }
}

ApiAnswer answer_of(const std::string& connection, const std::expected<ProbeResult, std::string>& result) {
  if (!result) return api_error(400, "invalid_request", result.error());
  boost::system::error_code error;
  bj::value body = bj::parse(result->body, error);
  if (error) body = bj::string(result->body);
  const bj::object shown{{"connection", bj::string(connection)},
                         {"model", bj::string(result->model)},
                         {"ok", result->status == 200},
                         {"status", result->status},
                         {"milliseconds", result->milliseconds},
                         {"recorded", result->recorded},
                         {"answer", std::move(body)}};
  return {.status = 200, .body = bj::serialize(shown)};
}

}  // namespace

ApiAnswer test_connection(const ApiContext& context, const ApiRequest& request, const std::string& id_or_name) {
  const auto body = read_fields(request.body);
  if (!body) return body.error();
  std::string model;
  for (const auto& [field, value] : *body) {
    if (field == "model") continue;
    return api_error(400, "invalid_request", "'" + std::string(field) + "' is unknown; there is only model");
  }
  if (const bj::value* const given = body->if_contains("model")) {
    if (!given->is_string()) return api_error(400, "invalid_request", "model: expected the provider's name of a model");
    model = std::string(given->get_string());
  }
  auto connection = name_of(context, id_or_name);
  if (!connection) return connection.error();
  // Nothing else has a part in the call and what it costs, and there may be very many keys.
  std::vector<store::Object> objects;
  for (const std::string_view kind : {"connection", "model", "price"}) {
    if (const auto loaded = load_kind(context.store, kind, objects); !loaded) return store_failed(loaded.error());
  }
  const auto config = std::make_shared<const control::Config>(
      control::ObjectMerger(context.file, objects, context.secrets, context.environment).config());
  ApiAnswer answer;
  answer.rest = [config, connection = std::move(*connection), model = std::move(model)](std::stop_token stop) {
    return answer_of(connection, probe_connection(*config, connection, model, std::move(stop)));
  };
  return answer;
}

}  // namespace llmgw::admin
