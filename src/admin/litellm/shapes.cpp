#include "admin/litellm/shapes.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "admin/api/object_edit.h"
#include "admin/api/object_fields.h"
#include "admin/api/query.h"
#include "admin/api/team_scope.h"
#include "admin/litellm/fields.h"
#include "admin/litellm/spend_logs.h"
#include "base/text.h"
#include "control/objects/object_document.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using http::Method;

std::string_view view(const bj::value& value) {
  return value.is_string() ? std::string_view(value.get_string().data(), value.get_string().size())
                           : std::string_view();
}

bj::array names_of(const std::vector<std::string>& names) {
  bj::array array;
  for (const std::string& name : names) array.push_back(bj::string(name));
  return array;
}

class Shapes {
 public:
  Shapes(const ApiContext& context, const ApiRequest& request)
      : context_(context), request_(request), scope_(context, request.actor) {}

  ApiAnswer generate_key();
  ApiAnswer update_key();
  ApiAnswer delete_keys();
  ApiAnswer block_key() { return set_blocked(true); }
  ApiAnswer unblock_key() { return set_blocked(false); }
  ApiAnswer key_info();
  ApiAnswer new_team();
  ApiAnswer team_info() { return info("team", LitellmKind::team); }
  ApiAnswer new_user();
  ApiAnswer user_info() { return info("user", LitellmKind::user); }
  ApiAnswer model_info();
  ApiAnswer logs();

 private:
  using Object = std::expected<bj::object, ApiAnswer>;

  struct Taken {
    bj::object fields;
    std::vector<std::string> ignored;
  };
  // `keep_null`: in a change, null takes a field away; else it is as if it were not there.
  Object body(bool keep_null = false) const;
  // What has a counterpart, as ours.
  std::expected<Taken, ApiAnswer> take(LitellmKind kind, const bj::object& from, bool keep_null = false) const;
  bj::object describe(LitellmKind kind, const bj::object& object) const;
  bj::object by_name(bj::object object) const;
  // What was left out of what was asked for, or is something else in what was made of it.
  static bj::array ignored(const Taken& taken, const bj::object& made);
  Object read(const ApiAnswer& answer) const;
  ApiAnswer call(Method method, const std::string& path, std::string body) const;
  bj::object describe_key(const bj::object& object) const;
  std::expected<store::Object, ApiAnswer> find_key(std::string_view key) const;
  std::optional<ApiAnswer> add_aliases(const bj::object& from, const bj::object& key) const;
  Object make_key(bj::object from) const;
  std::expected<std::vector<store::Object>, ApiAnswer> keys_to_delete(const bj::object& from) const;
  ApiAnswer set_blocked(bool blocked);
  ApiAnswer info(std::string_view kind, LitellmKind fields);
  bj::array keys_of(const std::string& id) const;
  void add_keys(bj::array& to, const std::string& id, const std::string& team) const;

  const ApiContext& context_;
  const ApiRequest& request_;
  TeamScope scope_;
};

// Others are called as they were when they were made: /team/new answers the name that a team was given.
bj::object Shapes::by_name(bj::object object) const {
  for (const std::string field : {"team", "user", "organization"}) {
    if (const bj::value* const name = object.if_contains(field + "_name")) object[field] = bj::value(*name);
  }
  bj::value* const teams = object.if_contains("teams");
  if (teams == nullptr || !teams->is_array()) return object;
  for (bj::value& each : teams->get_array()) {
    const auto team = context_.store.get(view(each));
    // A team admin learns no other's name.
    if (team && *team && scope_.owns(*control::find_kind("team"), **team)) each = (*team)->name;
  }
  return object;
}

bj::object Shapes::describe(LitellmKind kind, const bj::object& object) const {
  return bj::parse(show_fields(kind, bj::serialize(by_name(object)))).get_object();
}

bj::array Shapes::ignored(const Taken& taken, const bj::object& made) {
  bj::array all = names_of(taken.ignored);
  const bj::value* const budget = taken.fields.if_contains("budget");
  if (budget != nullptr && !budget->is_null() && !made.contains("budget_period")) {
    all.push_back(
        "max_budget: without budget_duration it is for each month of the calendar here, not for good; there are "
        "budgets for 1h, 1d, 7d and 30d");
  }
  return all;
}

Shapes::Object Shapes::read(const ApiAnswer& answer) const {
  if (answer.status >= 400) return std::unexpected(answer);
  boost::system::error_code error;
  bj::value value = bj::parse(answer.body, error);
  if (error || !value.is_object()) return std::unexpected(api_error(500, "internal", "not an object"));
  return std::move(value.get_object());
}

Shapes::Object Shapes::body(bool keep_null) const {
  auto read = read_fields(request_.body);
  if (!read) return read;
  bj::object& fields = *read;
  if (keep_null) return read;
  for (auto* at = fields.begin(); at != fields.end();) at = at->value().is_null() ? fields.erase(at) : at + 1;
  return read;
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

std::expected<Shapes::Taken, ApiAnswer> Shapes::take(LitellmKind kind, const bj::object& from, bool keep_null) const {
  auto taken = take_fields(kind, bj::serialize(from), request_.now_ms, keep_null);
  if (!taken) return invalid_request(taken.error());
  return Taken{bj::parse(taken->fields).get_object(), std::move(taken->ignored)};
}

bj::object Shapes::describe_key(const bj::object& object) const {
  bj::object out = describe(LitellmKind::key, object);
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
  auto taken = take(LitellmKind::key, from);
  if (!taken) return std::unexpected(std::move(taken).error());
  bj::object& fields = taken->fields;
  if (!fields.contains("name")) fields["name"] = store::make_object_id("key-", request_.now_ms);
  auto made = read(call(Method::post, "keys", bj::serialize(fields)));
  if (!made) return made;
  if (auto failed = add_aliases(aliases, *made)) {
    static_cast<void>(call(Method::delete_, "keys/" + std::string(view(made->at("id"))), ""));
    return std::unexpected(std::move(*failed));
  }
  bj::object out = describe_key(*made);
  out["key"] = made->at("key");
  out["aliases"] = aliases;
  out["spend"] = 0.0;
  out["ignored"] = ignored(*taken, *made);
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
  auto named = scope_.find(kind, key);
  if (named) return named;
  const store::KeyHash hash = context_.secrets.hasher.hash(key);
  auto everything = context_.store.load_all();
  if (!everything) return std::unexpected(store_failed(everything.error()));
  for (store::Object& object : everything->objects) {
    if (object.kind != kind.name) continue;
    for (const control::HashedKey& each : control::keys_of(object.document)) {
      if (each.hash == hash && scope_.owns(kind, object)) return std::move(object);
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
  ApiAnswer answer{.status = 200, .body = bj::serialize(bj::object{{"key", object->id}, {"info", info}})};
  return with_spend(context_, request_.actor, std::move(answer), spender_of(control::ReportColumn::key, *object),
                    "info");
}

ApiAnswer Shapes::update_key() {
  auto from = body(true);
  if (!from) return from.error();
  const bj::value* const named = from->if_contains("key");
  if (named == nullptr || view(*named).empty()) {
    return api_error(400, "invalid_request", "key: say which, by the key, its id or its alias");
  }
  const auto object = find_key(view(*named));
  if (!object) return object.error();
  from->erase("key");
  auto taken = take(LitellmKind::key, *from, true);
  if (!taken) return taken.error();
  const auto changed = read(call(Method::patch, "keys/" + object->id, bj::serialize(taken->fields)));
  if (!changed) return changed.error();
  bj::object out = describe_key(*changed);
  out["key"] = object->id;
  out["ignored"] = ignored(*taken, *changed);
  return {.status = 200, .body = bj::serialize(out), .changed = true};
}

std::expected<std::vector<store::Object>, ApiAnswer> Shapes::keys_to_delete(const bj::object& from) const {
  std::vector<store::Object> keys;
  for (const char* const field : {"keys", "key_aliases"}) {
    const bj::value* const list = from.if_contains(field);
    if (list == nullptr) continue;
    if (!list->is_array()) return invalid_request(std::string(field) + ": expected a list of keys");
    for (const bj::value& each : list->get_array()) {
      auto object = find_key(view(each));
      if (!object) return std::unexpected(std::move(object).error());
      keys.push_back(std::move(*object));
    }
  }
  if (keys.empty()) return invalid_request("keys, or key_aliases: say which keys to delete");
  return keys;
}

// All of them are looked up first, so that a wrong name deletes none.
ApiAnswer Shapes::delete_keys() {
  const auto from = body();
  if (!from) return from.error();
  const auto keys = keys_to_delete(*from);
  if (!keys) return keys.error();
  bj::array deleted;
  for (const store::Object& key : *keys) {
    ApiAnswer answer = call(Method::delete_, "keys/" + key.id, "");
    if (answer.status >= 400) {
      answer.changed = !deleted.empty();
      return answer;
    }
    deleted.push_back(bj::string(key.id));
  }
  return {.status = 200, .body = bj::serialize(bj::object{{"deleted_keys", deleted}}), .changed = true};
}

ApiAnswer Shapes::set_blocked(bool blocked) {
  const auto from = body();
  if (!from) return from.error();
  const bj::value* const named = from->if_contains("key");
  if (named == nullptr) return api_error(400, "invalid_request", "key: say which, by the key, its id or its alias");
  const auto object = find_key(view(*named));
  if (!object) return object.error();
  const auto changed = read(call(Method::patch, "keys/" + object->id, bj::serialize(bj::object{{"blocked", blocked}})));
  if (!changed) return changed.error();
  return {.status = 200, .body = bj::serialize(describe_key(*changed)), .changed = true};
}

// All keys of a team or a user.
bj::array Shapes::keys_of(const std::string& id) const {
  bj::array keys;
  add_keys(keys, id, "");
  if (!control::is_object_id(*control::find_kind("team"), id)) return keys;
  const auto members = context_.store.referrers(id);
  if (!members) return keys;
  for (const store::Object& each : *members) {
    if (each.kind == "user") add_keys(keys, each.id, id);
  }
  return keys;
}

// The keys that refer to a team or a user; with `team` only those that are that team's without naming it.
void Shapes::add_keys(bj::array& to, const std::string& id, const std::string& team) const {
  const auto dependents = context_.store.referrers(id);
  if (!dependents) return;
  for (const store::Object& each : *dependents) {
    if (each.kind != "key") continue;
    const bj::object document = document_of(each);
    if (!team.empty() && (!text_of(document, "team").empty() || team_of_key(context_, document) != team)) continue;
    if (const auto shown = read(call(Method::get, "keys/" + each.id, ""))) to.push_back(describe_key(*shown));
  }
}

// /team/info?team_id=..., /user/info?user_id=...
ApiAnswer Shapes::info(std::string_view kind, LitellmKind fields) {
  const std::string parameter = std::string(kind) + "_id";
  const std::string which = Query(request_.query).text(parameter);
  if (which.empty()) {
    return api_error(400, "invalid_request",
                     "say which: /" + std::string(kind) + "/info?" + parameter + "=, by its id or its name");
  }
  const control::ObjectKind& of = *control::find_kind(kind);
  const auto shown = read(call(Method::get, std::string(of.plural) + "/" + base::percent_encode(which), ""));
  if (!shown) return shown.error();
  const std::string id(view(shown->at("id")));
  const std::string name(view(shown->at("name")));
  bj::object described = describe(fields, *shown);
  if (kind == "team") described["team_alias"] = shown->at("name");
  const std::string inside = std::string(kind) + "_info";
  bj::object out{{parameter, bj::string(name)}, {inside, std::move(described)}, {"keys", keys_of(id)}};
  if (kind == "user") out["teams"] = shown->contains("teams") ? by_name(*shown).at("teams") : bj::value(bj::array());
  if (kind == "team") out["team_memberships"] = bj::array();
  const auto column = kind == "team" ? control::ReportColumn::team : control::ReportColumn::user;
  const auto spender = find_spender(context_, column, id.starts_with("file:") ? name : id);
  if (!spender) return spender.error();
  return with_spend(context_, request_.actor, {.status = 200, .body = bj::serialize(out)}, *spender, inside);
}

ApiAnswer Shapes::logs() {
  const std::string key = Query(request_.query).text("api_key");
  if (key.empty()) return spend_logs(context_, request_, std::nullopt);
  // The ledger remembers keys that were deleted, by their ids and names.
  auto spender = find_spender(context_, control::ReportColumn::key, key);
  if (!spender) return spender.error();
  if (spender->id.empty() && !spender->of_file) {
    const auto object = find_key(key);
    if (!object && object.error().status != 404) return object.error();
    if (object) spender = spender_of(control::ReportColumn::key, *object);
  }
  return spend_logs(context_, request_, *spender);
}

ApiAnswer Shapes::new_team() {
  auto from = body();
  if (!from) return from.error();
  // Their id is what others call the team by; without one, its alias is.
  const bool renamed =
      from->contains("team_id") && from->contains("team_alias") && from->at("team_alias") != from->at("team_id");
  if (!from->contains("team_id")) {
    // A copy: to add a member moves the others.
    const bj::value* const alias = from->if_contains("team_alias");
    bj::value id = alias != nullptr ? *alias : bj::value(store::make_object_id("team-", request_.now_ms));
    from->emplace("team_id", std::move(id));
  }
  from->erase("team_alias");
  auto taken = take(LitellmKind::team, *from);
  if (!taken) return taken.error();
  if (renamed) taken->ignored.emplace_back("team_alias: a team has one name here, which is its team_id");
  const auto made = read(call(Method::post, "teams", bj::serialize(taken->fields)));
  if (!made) return made.error();
  bj::object out = describe(LitellmKind::team, *made);
  out["team_alias"] = made->at("name");
  out["spend"] = 0.0;
  out["ignored"] = ignored(*taken, *made);
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
  const auto taken = take(LitellmKind::user, *from);
  if (!taken) return taken.error();
  const auto made = read(call(Method::post, "users", bj::serialize(taken->fields)));
  if (!made) return made.error();
  bj::object out = describe(LitellmKind::user, *made);
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
  out["ignored"] = ignored(*taken, *made);
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
constexpr Route kRoutes[] = {{"/key/generate", Method::post, &Shapes::generate_key},
                             {"/key/update", Method::post, &Shapes::update_key},
                             {"/key/delete", Method::post, &Shapes::delete_keys},
                             {"/key/info", Method::get, &Shapes::key_info},
                             {"/key/block", Method::post, &Shapes::block_key},
                             {"/key/unblock", Method::post, &Shapes::unblock_key},
                             {"/user/new", Method::post, &Shapes::new_user},
                             {"/user/info", Method::get, &Shapes::user_info},
                             {"/team/new", Method::post, &Shapes::new_team},
                             {"/team/info", Method::get, &Shapes::team_info},
                             {"/model/info", Method::get, &Shapes::model_info},
                             {"/v1/model/info", Method::get, &Shapes::model_info},
                             {"/spend/logs", Method::get, &Shapes::logs}};

}  // namespace

bool is_litellm_path(std::string_view path) {
  return std::ranges::find(kRoutes, path, &Route::path) != std::end(kRoutes);
}

ApiAnswer handle_litellm(const ApiContext& context, const ApiRequest& request) {
  const auto* const route = std::ranges::find(kRoutes, std::string_view(request.path), &Route::path);
  if (route == std::end(kRoutes)) return api_error(404, "not_found", "there is nothing here");
  if (route->method != request.method) {
    return method_not_allowed(http::to_string(route->method));
  }
  return (Shapes(context, request).*route->answer)();
}

}  // namespace llmgw::admin
