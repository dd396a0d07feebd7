#include "admin/api/object_api.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <optional>

#include "admin/api/object_edit.h"
#include "admin/api/object_fields.h"
#include "admin/api/object_view.h"
#include "admin/api/query.h"
#include "admin/api/removal.h"
#include "admin/api/secrets_rotation.h"
#include "admin/api/team_scope.h"
#include "admin/probe/try_connection.h"
#include "admin/spend/spend_report.h"
#include "base/text.h"
#include "control/objects/object_identity.h"
#include "json/writer.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using control::ObjectKind;
using http::Method;
using store::ObjectChange;

// What is asked for in a URL's query, by what it is asked of.
using Parameters = std::span<const Parameter>;
constexpr auto kNumber = Parameter::Kind::number;
constexpr auto kFlag = Parameter::Kind::flag;
constexpr Parameter kOfLists[] = {{"limit", kNumber, 1, store::ObjectStore::kPageMax}, {"after"}, {"name"}};
constexpr Parameter kOfAudit[] = {{"limit", kNumber, 1, store::ObjectStore::kPageMax - 1},
                                  {"before", kNumber, 1, INT64_MAX}};
constexpr Parameter kOfRemoval[] = {{"cascade", kFlag}, {"open", kFlag}};

// A change that somebody else's overtakes is drafted again from what there is then. Each time one of the others was
// made: of several who change the same at once everybody comes to it.
constexpr int kTriesMax = 10;

constexpr std::string_view kOfTheFile = "it stands in the configuration file; change it there";

// By how they sound: "a user".
std::string with_article(std::string_view name) {
  const bool vowel = std::string_view("aeio").find(name.front()) != std::string_view::npos;
  return (vowel ? "an " : "a ") + std::string(name);
}

std::string list_of(const std::vector<std::string>& objects, bool more, std::string_view last_id) {
  std::string body;
  json::Writer writer(body);
  writer.begin_object().member("object", "list").member("has_more", more).text_or_null("last_id", last_id);
  writer.key("data").begin_array();
  for (const std::string& each : objects) writer.raw(each);
  writer.end_array().end_object();
  return body;
}

// Nothing was changed: it says how that one is.
ApiAnswer already_there(const ObjectKind& kind, const std::string& name) {
  return api_error(409, "conflict",
                   "there is already such " + with_article(kind.name) + ": '" + name + "'; to change it: PATCH " +
                       std::string(kApiRoot) + std::string(kind.plural) + "/" + base::percent_encode(name) +
                       ", or llm-gateway " + std::string(kind.command) + " update '" + name + "'");
}

// RFC 9110, section 13.1.1: "*", or a list of entity tags. A weak one (W/"...") matches nothing here, and the tags of
// objects have no comma.
bool matches(std::string_view if_match, std::string_view etag) {
  for (std::string_view left = if_match; !left.empty();) {
    const size_t end = std::min(left.find(','), left.size());
    const std::string_view tag = base::trim(left.substr(0, end));
    if (tag == etag || tag == "*") return true;
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return false;
}

class Handler {
 public:
  Handler(const ApiContext& context, const ApiRequest& request)
      : context_(context), request_(request), scope_(context, request.actor) {}

  ApiAnswer handle();
  // Nothing was changed, for what it was drafted from is no more.
  bool overtaken() const { return overtaken_; }

 private:
  ApiAnswer on_collection(const ObjectKind& kind);
  ApiAnswer on_object(const ObjectKind& kind, const std::string& id_or_name);
  ApiAnswer list(const ObjectKind& kind);
  ApiAnswer create(const ObjectKind& kind);
  ApiAnswer show(const ObjectKind& kind, const store::Object& object);
  ApiAnswer update(const ObjectKind& kind, const store::Object& object);
  ApiAnswer remove(const ObjectKind& kind, const store::Object& object);
  ApiAnswer rotate(const ObjectKind& kind, const store::Object& object);
  ApiAnswer audit();
  ApiAnswer rotate_all();
  ApiAnswer do_to(const ObjectKind& kind, const std::string& id_or_name, std::string_view what);
  ApiAnswer finish(const ObjectKind& kind, Draft draft, std::string_view action, uint16_t status);
  ApiAnswer not_found(const ObjectKind& kind, const std::string& id_or_name, const ApiAnswer& found) const;
  std::optional<ApiAnswer> refused(Action action, std::string_view what) const;
  std::optional<ApiAnswer> misasked(Parameters known) const;
  std::optional<ApiAnswer> shared_with_others(const ObjectKind& kind, const store::Object& object) const;
  std::optional<ApiAnswer> beyond_team(const RemovalPlan& plan) const;
  std::optional<ApiAnswer> precondition(const store::Object& object) const;
  ApiAnswer give_way();
  store::AuditEntry entry(std::string_view action, std::string detail) const;

  const ApiContext& context_;
  const ApiRequest& request_;
  TeamScope scope_;
  bool overtaken_ = false;
};

std::optional<ApiAnswer> Handler::refused(Action action, std::string_view what) const {
  if (access(request_.actor.role, action, what) != Access::denied) return std::nullopt;
  const std::string verb = action == Action::read ? "read" : "change";
  return api_error(
      403, "forbidden",
      "the role " + std::string(role_name(request_.actor.role)) + " may not " + verb + " this: " + std::string(what));
}

std::optional<ApiAnswer> Handler::misasked(Parameters known) const {
  const auto problem = query_problem(request_.query, known);
  if (!problem) return std::nullopt;
  return api_error(400, "invalid_request", *problem);
}

// A user of several teams is seen by the admins of each, and changed by none of them: it would be changed for all.
std::optional<ApiAnswer> Handler::shared_with_others(const ObjectKind& kind, const store::Object& object) const {
  if (kind.section != control::SectionId::user) return std::nullopt;
  if (access(request_.actor.role, Action::write, kind.name) != Access::own_team) return std::nullopt;
  const bj::object document = document_of(object);
  const bj::value* const teams = document.if_contains("teams");
  if (teams != nullptr && teams->is_array() && teams->get_array().size() == 1) return std::nullopt;
  return api_error(403, "forbidden",
                   "the user " + in_quotes(object.name) + " is in other teams, too; an admin of all teams may do this");
}

// What a team admin removes takes nothing with it that is not the team's.
std::optional<ApiAnswer> Handler::beyond_team(const RemovalPlan& plan) const {
  if (request_.actor.role != AdminRole::team_admin) return std::nullopt;
  for (const ObjectChange& change : plan.changes) {
    const auto object = context_.store.get(change.object.id);
    if (!object) return store_failed(object.error());
    if (!*object) continue;
    const ObjectKind* const kind = control::find_kind((*object)->kind);
    if (kind != nullptr && scope_.owns(*kind, **object)) continue;
    return api_error(403, "forbidden",
                     "something that is not of team " + in_quotes(request_.actor.team) +
                         " depends on it; an admin of all teams may remove it");
  }
  return std::nullopt;
}

std::optional<ApiAnswer> Handler::precondition(const store::Object& object) const {
  if (request_.if_match.empty() || matches(request_.if_match, etag_of(object))) return std::nullopt;
  return api_error(412, "conflict",
                   "somebody changed it meanwhile: its ETag is " + etag_of(object) + " now; read it again");
}

// The answer of the last try.
ApiAnswer Handler::give_way() {
  overtaken_ = true;
  return api_error(409, "conflict", "others change it, or what depends on it, all the time; nothing was changed");
}

store::AuditEntry Handler::entry(std::string_view action, std::string detail) const {
  return {.at_ms = request_.now_ms,
          .actor = request_.actor.name,
          .address = request_.actor.address,
          .action = std::string(action),
          .detail = std::move(detail)};
}

ApiAnswer Handler::list(const ObjectKind& kind) {
  const Query query(request_.query);
  const size_t limit = query.number("limit").value_or(kPageDefault);
  const std::string name = query.text("name");
  std::string after = query.text("after");
  std::vector<std::string> data;
  std::string last;
  bool more = false;
  const auto add = [&](std::string id, std::string json) {
    last = std::move(id);
    data.push_back(std::move(json));
  };
  // An id of one that was removed meanwhile is a place all the same.
  if (!after.empty() && !after.starts_with("file:") && !control::is_object_id(kind, after)) {
    return api_error(400, "invalid_request", "after: expected the last_id of the page before");
  }
  // First the file's, whose ids are their places; then the store's.
  constexpr std::string_view kFilePrefix = "file:";
  if (after.empty() || after.starts_with(kFilePrefix)) {
    auto of_file = show_file_objects(context_.file, kind);
    if (access(request_.actor.role, Action::read, kind.name) != Access::granted) of_file.clear();
    const auto given = base::parse_decimal(after.empty() ? "0" : after.substr(kFilePrefix.size()));
    if (!given) return api_error(400, "invalid_request", "after: expected the last_id of the page before");
    size_t place = *given;
    for (; place < of_file.size() && data.size() < limit; ++place) {
      if (name.empty() || of_file[place].name == name) add(of_file[place].id, std::move(of_file[place].json));
    }
    more = place < of_file.size();
    after.clear();
  }
  const ProblemFinder problems(context_, kind);
  // What the actor may not see is passed over; what is behind a full page may be that, so it is looked for.
  while (!more) {
    const auto page = context_.store.list({.kind = kind.name, .name = name, .after = after, .limit = limit});
    if (!page) return store_failed(page.error());
    for (const store::Object& object : page->objects) {
      if (!scope_.owns(kind, object)) continue;
      more = data.size() == limit;
      if (more) break;
      add(object.id, problems.mark(show_object(context_, kind, object, request_.now_ms), object));
    }
    if (!page->more) break;
    after = page->objects.back().id;
  }
  return {.status = 200, .body = list_of(data, more, last)};
}

ApiAnswer Handler::finish(const ObjectKind& kind, Draft draft, std::string_view action, uint16_t status) {
  // What was asked for, by the names of the fields: values may be secret.
  bj::array fields;
  boost::system::error_code error;
  if (const bj::value body = bj::parse(request_.body, error); !error && body.is_object()) {
    for (const auto& [key, value] : body.get_object()) fields.push_back(bj::value(key));
  }
  const store::AuditEntry audited = entry(action, bj::serialize(bj::object{{"fields", fields}}));
  const auto result = context_.store.apply({&draft.change, 1}, {&audited, 1}, request_.now_ms);
  if (!result) return store_failed(result.error());
  switch (result->outcome) {
    case store::Applied::done: break;
    case store::Applied::taken: return already_there(kind, draft.change.object.name);
    case store::Applied::version_mismatch: return give_way();
    case store::Applied::missing: return api_error(404, "not_found", "it was removed meanwhile");
    case store::Applied::not_unique: return api_error(409, "conflict", control::kSameKey);
    default: return api_error(409, "conflict", "what it refers to was removed meanwhile");
  }
  const store::Object& object = result->objects.front();
  ApiAnswer answer{.status = status,
                   .body = show_object(context_, kind, object, request_.now_ms, draft.made_key.reveal())};
  answer.etag = etag_of(object);
  answer.changed = true;
  return answer;
}

ApiAnswer Handler::create(const ObjectKind& kind) {
  auto draft = draft_creation(context_, request_, kind);
  return draft ? finish(kind, std::move(*draft), "create", 201) : draft.error();
}

ApiAnswer Handler::show(const ObjectKind& kind, const store::Object& object) {
  std::string shown = show_object(context_, kind, object, request_.now_ms);
  return {.status = 200, .body = ProblemFinder(context_, kind).mark(std::move(shown), object), .etag = etag_of(object)};
}

ApiAnswer Handler::update(const ObjectKind& kind, const store::Object& object) {
  if (auto failed = precondition(object)) return *failed;
  auto draft = draft_update(context_, request_, kind, object);
  if (!draft) return draft.error();
  const store::Object& after = draft->change.object;
  if (after.name != object.name || after.natural_key != object.natural_key) {
    if (auto checked = check_rename(context_, request_, object, after); !checked) return checked.error();
  }
  return finish(kind, std::move(*draft), "update", 200);
}

ApiAnswer Handler::rotate(const ObjectKind& kind, const store::Object& object) {
  if (auto failed = precondition(object)) return *failed;
  auto draft = draft_rotation(context_, request_, kind, object);
  return draft ? finish(kind, std::move(*draft), "rotate", 200) : draft.error();
}

ApiAnswer Handler::remove(const ObjectKind& kind, const store::Object& object) {
  if (auto failed = precondition(object)) return *failed;
  auto plan = plan_removal(context_, request_, object);
  if (!plan) return plan.error();
  if (auto denied = beyond_team(*plan)) return *denied;
  std::vector<store::AuditEntry> audit;
  for (ObjectChange& change : plan->changes) {
    if (change.object.id == object.id) change.expected_version = object.version;
    const bool removes = change.action == ObjectChange::Action::remove;
    const bool user = change.object.kind == "user";
    audit.push_back(removes ? entry("remove", "{}")
                            : entry("update", user ? R"({"fields":["teams"]})" : R"({"fields":["models"]})"));
  }
  const auto result = context_.store.apply(plan->changes, audit, request_.now_ms);
  if (!result) return store_failed(result.error());
  if (result->outcome != store::Applied::done) return give_way();
  ApiAnswer answer{.status = 200, .body = {}};
  json::Writer writer(answer.body);
  writer.begin_object().member("id", object.id).member("kind", kind.name).member("deleted", true);
  writer.key("removed").begin_array();
  for (size_t i = 0; i < plan->changes.size(); ++i) {
    if (plan->changes[i].action == ObjectChange::Action::remove) writer.value(result->objects[i].id);
  }
  writer.end_array();
  const auto names = [&writer](std::string_view member, const std::vector<std::string>& all) {
    if (all.empty()) return;
    writer.key(member).begin_array();
    for (const std::string& each : all) writer.value(each);
    writer.end_array();
  };
  names("closed_keys", plan->closed_keys);
  names("routes_left", plan->trimmed_routes);
  names("users_left", plan->trimmed_users);
  names("prices_left", plan->left_prices);
  writer.end_object();
  answer.changed = true;
  return answer;
}

ApiAnswer Handler::audit() {
  if (auto denied = refused(Action::read, kAuditLog)) return *denied;
  if (request_.method != Method::get) return method_not_allowed("GET");
  if (auto wrong = misasked(kOfAudit)) return *wrong;
  const Query query(request_.query);
  const size_t limit = query.number("limit").value_or(kPageDefault);
  auto entries = context_.store.audit(static_cast<int64_t>(query.number("before").value_or(0)), limit + 1);
  if (!entries) return store_failed(entries.error());
  const bool more = entries->size() > limit;
  if (more) entries->pop_back();
  std::vector<std::string> data;
  for (const store::AuditEntry& each : *entries) {
    std::string& json = data.emplace_back();
    json::Writer writer(json);
    writer.begin_object().member("id", each.id).member("at", format_time_ms(each.at_ms)).member("actor", each.actor);
    writer.member("address", each.address).member("action", each.action).member("kind", each.kind);
    writer.member("object_id", each.object_id).member("object_name", each.object_name);
    writer.raw_member("detail", each.detail.empty() ? "null" : each.detail).end_object();
  }
  const std::string last = entries->empty() ? std::string() : std::to_string(entries->back().id);
  return {.status = 200, .body = list_of(data, more, last)};
}

ApiAnswer Handler::on_collection(const ObjectKind& kind) {
  if (request_.method == Method::get) {
    if (auto denied = refused(Action::read, kind.name)) return *denied;
    if (auto wrong = misasked(kOfLists)) return *wrong;
    return list(kind);
  }
  if (request_.method != Method::post) return method_not_allowed("GET, POST");
  if (auto denied = refused(Action::write, kind.name)) return *denied;
  if (auto wrong = misasked({})) return *wrong;
  return create(kind);
}

// With the nearest name, for who may see all names.
ApiAnswer Handler::not_found(const ObjectKind& kind, const std::string& id_or_name, const ApiAnswer& found) const {
  if (found.status != 404) return found;
  if (access(request_.actor.role, Action::read, kind.name) != Access::granted) return found;
  if (file_has(context_.file, kind, id_or_name)) return api_error(409, "read_only", kOfTheFile);
  return api_error(404, "not_found", no_such_object(context_, kind, id_or_name));
}

ApiAnswer Handler::on_object(const ObjectKind& kind, const std::string& id_or_name) {
  const Action action = request_.method == Method::get ? Action::read : Action::write;
  if (auto denied = refused(action, kind.name)) return *denied;
  if (auto wrong = misasked(request_.method == Method::delete_ ? Parameters(kOfRemoval) : Parameters())) return *wrong;
  if (action == Action::read || id_or_name.starts_with("file:")) {
    for (const FileObject& each : show_file_objects(context_.file, kind)) {
      if (each.id != id_or_name && each.name != id_or_name) continue;
      if (access(request_.actor.role, Action::read, kind.name) != Access::granted) break;
      if (action == Action::read) return {.status = 200, .body = each.json};
      return api_error(409, "read_only", kOfTheFile);
    }
  }
  const auto object = scope_.find(kind, id_or_name);
  if (!object) return not_found(kind, id_or_name, object.error());
  if (auto denied = action == Action::write ? shared_with_others(kind, *object) : std::nullopt) return *denied;
  switch (request_.method) {
    case Method::get: return show(kind, *object);
    case Method::patch: return update(kind, *object);
    case Method::delete_: return remove(kind, *object);
    default: return method_not_allowed("GET, PATCH, DELETE");
  }
}

ApiAnswer Handler::rotate_all() {
  if (auto denied = refused(Action::write, kSecrets)) return *denied;
  if (request_.method != Method::post) return method_not_allowed("POST");
  if (auto wrong = misasked({})) return *wrong;
  return rotate_secrets(context_, request_);
}

// POST .../{id}/rotate, .../{id}/test
ApiAnswer Handler::do_to(const ObjectKind& kind, const std::string& id_or_name, std::string_view what) {
  const bool rotates = what == "rotate" && kind.has_key();
  const bool tests = what == "test" && kind.section == control::SectionId::connection;
  if (!rotates && !tests) {
    return api_error(404, "not_found", "there is no such thing to do with a " + std::string(kind.name));
  }
  if (request_.method != Method::post) return method_not_allowed("POST");
  if (auto denied = refused(Action::write, kind.name)) return *denied;
  if (auto wrong = misasked({})) return *wrong;
  if (tests) return test_connection(context_, request_, id_or_name);
  const auto object = scope_.find(kind, id_or_name);
  if (!object) return not_found(kind, id_or_name, object.error());
  return rotate(kind, *object);
}

ApiAnswer Handler::handle() {
  std::string_view rest = request_.path;
  if (!rest.starts_with(kApiRoot)) return api_error(404, "not_found", "the admin API is under /admin/v1/");
  rest.remove_prefix(kApiRoot.size());
  std::vector<std::string> parts;
  for (bool more = true; more;) {
    const size_t slash = rest.find('/');
    more = slash != std::string_view::npos;
    auto part = base::percent_decode(rest.substr(0, slash));
    if (!part) return api_error(400, "invalid_request", "the path has a broken %-escape");
    parts.push_back(std::move(*part));
    if (more) rest.remove_prefix(slash + 1);
  }
  if (parts.size() > 1 && parts.back().empty()) parts.pop_back();
  if (parts[0] == "audit" && parts.size() == 1) return audit();
  if (parts[0] == "secrets" && parts.size() == 2 && parts[1] == "rotate") return rotate_all();
  if (parts[0] == "spend" && parts.size() == 1) {
    if (request_.method != Method::get) return method_not_allowed("GET");
    return report_spend(context_, request_);
  }
  const ObjectKind* const kind = control::find_kind_by_plural(parts[0]);
  if (kind == nullptr || parts.size() > 3) {
    std::string known;
    for (const ObjectKind& each : control::object_kinds()) known.append(known.empty() ? "" : ", ").append(each.plural);
    return api_error(404, "not_found",
                     "there is nothing here; under /admin/v1/ are " + known +
                         ", engines, health, spend, audit, secrets/rotate, whoami and openapi.json");
  }
  if (parts.size() == 1) return on_collection(*kind);
  if (parts.size() == 2) return on_object(*kind, parts[1]);
  return do_to(*kind, parts[1], parts[2]);
}

}  // namespace

ApiAnswer api_error(uint16_t status, std::string_view type, std::string_view message) {
  const bj::object error{{"message", bj::string_view(message.data(), message.size())},
                         {"type", bj::string_view(type.data(), type.size())}};
  return {.status = status, .body = bj::serialize(bj::object{{"error", error}})};
}

ApiAnswer method_not_allowed(std::string_view methods, std::string_view more) {
  ApiAnswer answer = api_error(405, "invalid_request", "here is only " + std::string(methods) + std::string(more));
  answer.headers.emplace_back("allow", methods);
  return answer;
}

std::unexpected<ApiAnswer> invalid_request(std::string_view message) {
  return std::unexpected(api_error(400, "invalid_request", message));
}

std::string in_quotes(std::string_view text) {
  return "'" + std::string(text) + "'";
}

ApiAnswer store_away() {
  ApiAnswer answer = api_error(503, "store_unavailable",
                               "the database is away; calls are served as before, but nothing can be read or changed "
                               "here until it is back");
  answer.retry_after = 2;
  return answer;
}

Unused unused_of(std::span<const control::ObjectNote> notes) {
  Unused unused;
  for (const control::ObjectNote& note : notes) {
    if (!note.partial && !note.doubt) unused.emplace(note.id, note.problem);
  }
  return unused;
}

ApiAnswer handle_objects(const ApiContext& context, const ApiRequest& request) {
  for (int tries = 1;; ++tries) {
    Handler handler(context, request);
    ApiAnswer answer = handler.handle();
    // Who asked for one version is told at the next try that there is another.
    if (!handler.overtaken() || tries == kTriesMax) return answer;
  }
}

}  // namespace llmgw::admin
