#include "admin/litellm/shapes.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <span>

#include "admin/api/object_edit.h"
#include "admin/api/object_view.h"
#include "admin/api/query.h"
#include "base/text.h"
#include "control/objects/object_document.h"
#include "control/units.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using http::Method;

enum class Form : uint8_t { same, dollars, period, duration };

struct FieldPair {
  std::string_view theirs;
  std::string_view ours;
  Form form = Form::same;
};

constexpr FieldPair kLimits[] = {{"max_budget", "budget", Form::dollars},
                                 {"budget_duration", "budget_period", Form::period},
                                 {"tpm_limit", "tpm"},
                                 {"rpm_limit", "rpm"},
                                 {"max_parallel_requests", "concurrency"},
                                 {"models", "models"}};
constexpr FieldPair kKey[] = {{"key_alias", "name"}, {"key", "key"},   {"team_id", "team"},
                              {"user_id", "user"},   {"tags", "tags"}, {"duration", "expires", Form::duration},
                              {"blocked", "blocked"}};
constexpr FieldPair kTeam[] = {{"team_id", "name"}, {"organization_id", "organization"}};
constexpr FieldPair kUser[] = {{"user_id", "name"}, {"user_email", "email"}, {"teams", "teams"}};

struct PeriodPair {
  std::string_view theirs;
  std::string_view ours;
};
constexpr PeriodPair kPeriods[] = {{"1h", "hour"}, {"1d", "day"},    {"24h", "day"},
                                   {"7d", "week"}, {"30d", "month"}, {"1mo", "month"}};

std::unexpected<ApiAnswer> invalid(const std::string& message) {
  return std::unexpected(api_error(400, "invalid_request", message));
}

std::string_view view(const bj::value& value) {
  return value.is_string() ? std::string_view(value.get_string().data(), value.get_string().size())
                           : std::string_view();
}

// Their value as ours.
std::expected<bj::value, ApiAnswer> to_ours(const FieldPair& pair, const bj::value& value, int64_t now_ms) {
  const std::string field(pair.theirs);
  switch (pair.form) {
    case Form::same: return value;
    case Form::dollars:
      if (!value.is_number()) return invalid(field + ": expected a number of US dollars");
      return bj::value(fmt::format("{:.9f}", value.to_number<double>()));
    case Form::period: {
      const auto* const found = std::ranges::find(kPeriods, view(value), &PeriodPair::theirs);
      if (found != std::end(kPeriods)) return bj::value(bj::string_view(found->ours.data(), found->ours.size()));
      return invalid(field +
                     ": budgets here last 1h, 1d, 7d or 30d: an hour, a day, a week or a month of the calendar");
    }
    case Form::duration: {
      const auto length = control::parse_duration(view(value));
      if (!length) return invalid(field + ": expected a duration such as \"30d\"");
      const int64_t end_ms = now_ms + std::chrono::duration_cast<std::chrono::milliseconds>(*length).count();
      std::string time = format_time_ms(end_ms);
      return bj::value(time.replace(time.find('.'), 4, ""));
    }
  }
  return value;
}

class Shapes {
 public:
  Shapes(const ApiContext& context, const ApiRequest& request) : context_(context), request_(request) {}

  ApiAnswer generate_key();
  ApiAnswer key_info();
  ApiAnswer new_team();
  ApiAnswer new_user();
  ApiAnswer model_info();

 private:
  using Object = std::expected<bj::object, ApiAnswer>;

  Object body() const;
  // Takes what has a counterpart out of `from`.
  Object translate(bj::object& from, std::span<const FieldPair> own) const;
  Object read(const ApiAnswer& answer) const;
  ApiAnswer call(Method method, const std::string& path, std::string body) const;
  // Ours as theirs.
  bj::object describe(const bj::object& object, std::span<const FieldPair> own) const;
  bj::object describe_key(const bj::object& object) const;
  std::expected<store::Object, ApiAnswer> find_key(std::string_view key) const;
  std::optional<ApiAnswer> add_aliases(const bj::object& from, const bj::object& key) const;
  Object make_key(bj::object from) const;

  const ApiContext& context_;
  const ApiRequest& request_;
};

Shapes::Object Shapes::read(const ApiAnswer& answer) const {
  if (answer.status >= 400) return std::unexpected(answer);
  boost::system::error_code error;
  bj::value value = bj::parse(answer.body, error);
  if (error || !value.is_object()) return std::unexpected(api_error(500, "internal", "not an object"));
  return std::move(value.get_object());
}

Shapes::Object Shapes::body() const {
  boost::system::error_code error;
  bj::value value = bj::parse(request_.body.empty() ? "{}" : request_.body, error);
  if (error || !value.is_object()) return invalid("the body must be a JSON object");
  bj::object fields = std::move(value.get_object());
  // What is null is as if it were not there.
  for (auto* at = fields.begin(); at != fields.end();) at = at->value().is_null() ? fields.erase(at) : at + 1;
  return fields;
}

ApiAnswer Shapes::call(Method method, const std::string& path, std::string body) const {
  ApiRequest request = request_;
  request.method = method;
  request.path = std::string(kApiRoot) + path;
  request.query.clear();
  request.if_match.clear();
  request.body = std::move(body);
  return handle_objects(context_, request);
}

Shapes::Object Shapes::translate(bj::object& from, std::span<const FieldPair> own) const {
  bj::object fields;
  for (const auto pairs : {own, std::span<const FieldPair>(kLimits)}) {
    for (const FieldPair& pair : pairs) {
      const auto* const found = from.find({pair.theirs.data(), pair.theirs.size()});
      if (found == from.end()) continue;
      auto value = to_ours(pair, found->value(), request_.now_ms);
      if (!value) return std::unexpected(std::move(value).error());
      // No models means all of them there.
      const bool all = pair.ours == "models" && value->is_array() && value->get_array().empty();
      if (!all) fields[{pair.ours.data(), pair.ours.size()}] = std::move(*value);
      from.erase(found);
    }
  }
  return fields;
}

bj::object Shapes::describe(const bj::object& object, std::span<const FieldPair> own) const {
  bj::object out;
  for (const auto pairs : {own, std::span<const FieldPair>(kLimits)}) {
    for (const FieldPair& pair : pairs) {
      const bj::string_view theirs(pair.theirs.data(), pair.theirs.size());
      const bj::value* const found = object.if_contains({pair.ours.data(), pair.ours.size()});
      out[theirs] = nullptr;
      if (found == nullptr) continue;
      out[theirs] = *found;
      if (pair.form == Form::dollars) out[theirs] = std::strtod(std::string(view(*found)).c_str(), nullptr);
      if (pair.form != Form::period) continue;
      const auto* const period = std::ranges::find(kPeriods, view(*found), &PeriodPair::ours);
      if (period != std::end(kPeriods)) out[theirs] = bj::string_view(period->theirs.data(), period->theirs.size());
    }
  }
  if (out["models"].is_null()) out["models"] = bj::array();
  return out;
}

bj::object Shapes::describe_key(const bj::object& object) const {
  bj::object out = describe(object, kKey);
  const bj::value* const hint = object.if_contains("key_hint");
  out["key_name"] = hint != nullptr ? *hint : bj::value();
  out["token"] = object.at("id");
  out["token_id"] = object.at("id");
  out["expires"] = object.contains("expires") ? object.at("expires") : bj::value();
  out.erase("duration");
  return out;
}

// {"their name for it": "a model"}: assignments.
std::optional<ApiAnswer> Shapes::add_aliases(const bj::object& from, const bj::object& key) const {
  for (const auto& [alias, model] : from) {
    const bj::object assignment{{"key", key.at("id")}, {"alias", bj::string(alias)}, {"model", model}};
    ApiAnswer answer = call(Method::post, "assignments", bj::serialize(assignment));
    if (answer.status >= 400) return answer;
  }
  return std::nullopt;
}

Shapes::Object Shapes::make_key(bj::object from) const {
  bj::object aliases;
  if (auto* const found = from.find("aliases"); found != from.end()) {
    if (found->value().is_object()) aliases = found->value().get_object();
    from.erase(found);
  }
  auto fields = translate(from, kKey);
  if (!fields) return fields;
  if (!fields->contains("name")) (*fields)["name"] = store::make_object_id("key-", request_.now_ms);
  auto made = read(call(Method::post, "keys", bj::serialize(*fields)));
  if (!made) return made;
  if (auto failed = add_aliases(aliases, *made)) {
    static_cast<void>(call(Method::delete_, "keys/" + std::string(view(made->at("id"))), ""));
    return std::unexpected(std::move(*failed));
  }
  bj::object out = describe_key(*made);
  out["key"] = made->at("key");
  out["aliases"] = aliases;
  out["spend"] = 0.0;
  bj::array ignored;
  for (const auto& each : from) ignored.push_back(bj::string(each.key()));
  out["ignored"] = std::move(ignored);
  return out;
}

ApiAnswer Shapes::generate_key() {
  auto from = body();
  if (!from) return from.error();
  auto made = make_key(std::move(*from));
  if (!made) return made.error();
  return {.status = 200, .body = bj::serialize(*made), .changed = true};
}

std::expected<store::Object, ApiAnswer> Shapes::find_key(std::string_view key) const {
  const control::ObjectKind& kind = *control::find_kind("key");
  auto named = find_object(context_, kind, key);
  if (named) return named;
  const store::KeyHash hash = context_.secrets.hasher.hash(key);
  auto everything = context_.store.load_all();
  if (!everything) return std::unexpected(store_failed(everything.error()));
  for (store::Object& object : everything->objects) {
    if (object.kind != kind.name) continue;
    for (const control::HashedKey& each : control::keys_of(object.document)) {
      if (each.hash == hash) return std::move(object);
    }
  }
  return std::unexpected(api_error(404, "not_found", "there is no such key"));
}

ApiAnswer Shapes::key_info() {
  const std::string key = Query(request_.query).text("key");
  if (key.empty()) return api_error(400, "invalid_request", "say which key: /key/info?key=...");
  const auto object = find_key(key);
  if (!object) return object.error();
  // Through the API once more: it knows what this caller may see.
  const auto shown = read(call(Method::get, "keys/" + object->id, ""));
  if (!shown) return shown.error();
  bj::object info = describe_key(*shown);
  info.erase("key");
  info["created_at"] = shown->at("created_at");
  info["updated_at"] = shown->at("updated_at");
  return {.status = 200, .body = bj::serialize(bj::object{{"key", object->id}, {"info", info}})};
}

ApiAnswer Shapes::new_team() {
  auto from = body();
  if (!from) return from.error();
  // Their id is what others call the team by; without one, its alias is.
  if (!from->contains("team_id")) {
    // A copy: to add a member moves the others.
    const bj::value* const alias = from->if_contains("team_alias");
    bj::value id = alias != nullptr ? *alias : bj::value(store::make_object_id("team-", request_.now_ms));
    from->emplace("team_id", std::move(id));
  }
  from->erase("team_alias");
  auto fields = translate(*from, kTeam);
  if (!fields) return fields.error();
  const auto made = read(call(Method::post, "teams", bj::serialize(*fields)));
  if (!made) return made.error();
  bj::object out = describe(*made, kTeam);
  out["team_alias"] = made->at("name");
  out["spend"] = 0.0;
  bj::array ignored;
  for (const auto& each : *from) ignored.push_back(bj::string(each.key()));
  out["ignored"] = std::move(ignored);
  return {.status = 200, .body = bj::serialize(out), .changed = true};
}

ApiAnswer Shapes::new_user() {
  auto from = body();
  if (!from) return from.error();
  if (!from->contains("user_id") && from->contains("user_email")) {
    bj::value id = from->at("user_email");
    from->emplace("user_id", std::move(id));
  }
  if (!from->contains("user_id")) (*from)["user_id"] = store::make_object_id("user-", request_.now_ms);
  bool with_key = true;
  if (const auto* const wanted = from->find("auto_create_key"); wanted != from->end()) {
    with_key = !wanted->value().is_bool() || wanted->value().get_bool();
    from->erase(wanted);
  }
  bj::object for_key;
  for (const char* field : {"duration", "key_alias", "aliases"}) {
    auto* const found = from->find(field);
    if (found == from->end()) continue;
    for_key[field] = found->value();
    from->erase(found);
  }
  auto fields = translate(*from, kUser);
  if (!fields) return fields.error();
  const auto made = read(call(Method::post, "users", bj::serialize(*fields)));
  if (!made) return made.error();
  bj::object out = describe(*made, kUser);
  if (with_key) {
    for_key["user_id"] = made->at("id");
    auto key = make_key(std::move(for_key));
    if (!key) {
      static_cast<void>(call(Method::delete_, "users/" + std::string(view(made->at("id"))), ""));
      return key.error();
    }
    for (const char* field : {"key", "key_name", "token_id", "expires", "key_alias"}) out[field] = key->at(field);
  }
  out["spend"] = 0.0;
  bj::array ignored;
  for (const auto& each : *from) ignored.push_back(bj::string(each.key()));
  out["ignored"] = std::move(ignored);
  return {.status = 200, .body = bj::serialize(out), .changed = true};
}

ApiAnswer Shapes::model_info() {
  bj::array data;
  std::string after;
  do {
    ApiRequest request = request_;
    request.method = Method::get;
    request.path = std::string(kApiRoot) + "models";
    request.query = "limit=1000&after=" + base::percent_encode(after);
    const auto page = read(handle_objects(context_, request));
    if (!page) return page.error();
    for (const bj::value& each : page->at("data").get_array()) {
      const bj::object& model = each.get_object();
      const bj::value* const remote = model.if_contains("remote");
      const bj::value* connection = model.if_contains("connection_name");
      if (connection == nullptr) connection = model.if_contains("connection");
      bj::object parameters{{"model", remote != nullptr ? *remote : model.at("name")}};
      if (connection != nullptr) parameters["litellm_credential_name"] = *connection;
      data.push_back(bj::object{
          {"model_name", model.at("name")},
          {"litellm_params", parameters},
          {"model_info", bj::object{{"id", model.at("id")}, {"db_model", model.at("source") == bj::value("store")}}}});
    }
    const bool more = page->at("has_more").is_bool() && page->at("has_more").get_bool();
    after = more ? std::string(view(page->at("last_id"))) : std::string();
  } while (!after.empty());
  return {.status = 200, .body = bj::serialize(bj::object{{"data", std::move(data)}})};
}

struct Route {
  std::string_view path;
  Method method;
  ApiAnswer (Shapes::*answer)();
};
constexpr Route kRoutes[] = {
    {"/key/generate", Method::post, &Shapes::generate_key}, {"/key/info", Method::get, &Shapes::key_info},
    {"/user/new", Method::post, &Shapes::new_user},         {"/team/new", Method::post, &Shapes::new_team},
    {"/model/info", Method::get, &Shapes::model_info},      {"/v1/model/info", Method::get, &Shapes::model_info}};

}  // namespace

bool is_litellm_path(std::string_view path) {
  return std::ranges::find(kRoutes, path, &Route::path) != std::end(kRoutes);
}

ApiAnswer handle_litellm(const ApiContext& context, const ApiRequest& request) {
  const auto* const route = std::ranges::find(kRoutes, std::string_view(request.path), &Route::path);
  if (route == std::end(kRoutes)) return api_error(404, "not_found", "there is nothing here");
  if (route->method != request.method) {
    return api_error(405, "invalid_request", "here is only " + std::string(http::to_string(route->method)));
  }
  return (Shapes(context, request).*route->answer)();
}

}  // namespace llmgw::admin
