#include "admin/api/openapi.h"

#include <string_view>

#include "admin/api/access.h"
#include "admin/api/object_api.h"
#include "admin/engines/engine_api.h"
#include "control/objects/object_kinds.h"
#include "json/writer.h"

namespace llmgw::admin {
namespace {

using control::ObjectKind;
using control::Setting;
using control::SettingType;

std::string schema_name(const ObjectKind& kind) {
  std::string name;
  bool upper = true;
  for (const char c : kind.name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    name += upper ? static_cast<char>(c - 32) : c;
    upper = false;
  }
  return name;
}

class Document {
 public:
  std::string write();

 private:
  using Writer = json::Writer;
  void paths();
  void schemas();
  void collection(const ObjectKind& kind);
  void object(const ObjectKind& kind);
  void rotation(const ObjectKind& kind);
  void audit();
  void whoami();
  void spend();
  void connection_test();
  void secrets();
  void health();
  void engines();
  void property(const Setting& setting);
  void object_schema(const ObjectKind& kind);
  void fields_schema(const ObjectKind& kind);
  void answer(std::string_view status, std::string_view description, std::string_view schema);
  void errors();
  void parameter(std::string_view name, std::string_view in, std::string_view type, std::string_view help);
  void body(const ObjectKind& kind);
  void operation(std::string_view method, std::string_view id, std::string_view summary, Action action,
                 std::string_view what);
  void reference(std::string_view schema) {
    w_.begin_object().member("$ref", "#/components/schemas/" + std::string(schema)).end_object();
  }

  std::string out_;
  Writer w_{out_};
};

void Document::property(const Setting& setting) {
  w_.key(setting.key).begin_object();
  switch (setting.type) {
    case SettingType::boolean: w_.member("type", "boolean"); break;
    case SettingType::integer: w_.member("type", "integer"); break;
    case SettingType::number: w_.member("type", "number"); break;
    case SettingType::list:
      w_.member("type", "array").key("items").begin_object().member("type", "string").end_object();
      break;
    case SettingType::header_table:
      w_.member("type", "object").key("additionalProperties").begin_object().member("type", "string").end_object();
      break;
    case SettingType::choice:
      w_.member("type", "string").key("enum").begin_array();
      for (const auto choice : setting.choices) w_.value(choice);
      w_.end_array();
      break;
    default: w_.member("type", "string"); break;
  }
  w_.member("description", setting.help);
  if (control::is_sealed(setting)) w_.member("writeOnly", true);
  w_.end_object();
}

void Document::fields_schema(const ObjectKind& kind) {
  w_.key("properties").begin_object();
  for (const Setting& setting : control::section_table(kind.section).settings) property(setting);
  if (kind.section == control::SectionId::connection) {
    w_.key("tls").begin_object().member("type", "object").member("additionalProperties", false);
    w_.key("properties").begin_object();
    for (const Setting& setting : control::section_table(control::SectionId::connection_tls).settings) {
      property(setting);
    }
    w_.end_object().end_object();
  }
}

void Document::object_schema(const ObjectKind& kind) {
  const std::string name = schema_name(kind);
  w_.key(name).begin_object().member("type", "object").member("additionalProperties", false);
  fields_schema(kind);
  const auto text = [&](std::string_view field, std::string_view help) {
    w_.key(field).begin_object().member("type", "string").member("description", help).end_object();
  };
  text("id", "Never given to another object.");
  text("kind", kind.name);
  w_.key("source").begin_object().member("type", "string").key("enum").begin_array();
  w_.value("store").value("file").end_array().end_object();
  w_.key("version").begin_object().member("type", "integer").member("description", "Its ETag's number.").end_object();
  text("created_at", "RFC 3339.");
  text("updated_at", "RFC 3339.");
  text("problem", "Why it is not used.");
  if (kind.has_key()) {
    text("key_hint", "The first and last characters of its newest key.");
    w_.raw_member("previous_keys",
                  R"({"type":"array","description":"Keys from before a rotation that are still good","items":)"
                  R"({"type":"object","additionalProperties":false,"required":["until"],"properties":{"key_hint":)"
                  R"({"type":"string"},"until":{"type":"string","description":"RFC 3339"}}}})");
  }
  for (const control::ReferenceField& field : kind.references) {
    text(std::string(field.field) + "_name", "The name of what it refers to.");
  }
  w_.end_object().key("required").begin_array().value("id").value("kind").value("source").end_array().end_object();
  w_.key(name + "Fields").begin_object().member("type", "object").member("additionalProperties", false);
  fields_schema(kind);
  w_.end_object().end_object();
  w_.key(name + "List").begin_object().member("type", "object").key("properties").begin_object();
  w_.key("object").begin_object().member("const", "list").end_object();
  w_.key("has_more").begin_object().member("type", "boolean").end_object();
  w_.key("last_id").begin_object().key("type").begin_array().value("string").value("null").end_array().end_object();
  w_.key("data").begin_object().member("type", "array").key("items");
  reference(name);
  w_.end_object().end_object();
  w_.key("required").begin_array().value("object").value("has_more").value("data").end_array().end_object();
}

void Document::schemas() {
  for (const ObjectKind& kind : control::object_kinds()) object_schema(kind);
  w_.raw_member(
      "Error",
      R"({"type":"object","required":["error"],"properties":{"error":{"type":"object",)"
      R"("required":["message","type"],"properties":{"message":{"type":"string"},"type":{"type":"string"}}}}})");
  w_.raw_member(
      "Removed",
      R"({"type":"object","required":["id","deleted","removed"],"additionalProperties":false,"properties":)"
      R"({"id":{"type":"string"},"kind":{"type":"string"},"deleted":{"const":true},)"
      R"("removed":{"type":"array","items":{"type":"string"}},)"
      R"("closed_keys":{"type":"array","items":{"type":"string"},"description":"Names of keys whose last )"
      R"(assignment it was: they may call nothing any more"},)"
      R"("routes_left":{"type":"array","items":{"type":"string"},"description":"Routes that go on without it"},)"
      R"("prices_left":{"type":"array","items":{"type":"string"},"description":"Prices of the same model, for longer )"
      R"(prompts alone"},)"
      R"("users_left":{"type":"array","items":{"type":"string"},"description":"Users who stay in other teams"}}})");
  w_.raw_member("AuditList",
                R"({"type":"object","required":["object","has_more","data"],"properties":{"object":{"const":"list"},)"
                R"("has_more":{"type":"boolean"},"last_id":{"type":["string","null"]},"data":{"type":"array","items":)"
                R"({"type":"object","additionalProperties":false,"required":["id","at","actor","action"],"properties":)"
                R"({"id":{"type":"integer"},"at":{"type":"string"},"actor":{"type":"string"},)"
                R"("address":{"type":"string"},"action":{"type":"string"},"kind":{"type":"string"},)"
                R"("object_id":{"type":"string"},"object_name":{"type":"string"},"detail":{}}}}}})");
  w_.raw_member("Whoami",
                R"({"type":"object","additionalProperties":false,"required":["name","role","team"],"properties":)"
                R"({"name":{"type":"string"},"role":{"type":"string"},"team":{"type":["string","null"]}}})");
  w_.raw_member("SpendList",
                R"({"type":"object","required":["object","has_more","data"],"properties":{"object":{"const":"list"},)"
                R"("has_more":{"type":"boolean"},"data":{"type":"array","items":{"type":"object","required":)"
                R"(["calls","nano_dollars","usd"],"properties":{"calls":{"type":"integer"},)"
                R"("nano_dollars":{"type":"integer"},"usd":{"type":"string"}}}}}})");
  w_.raw_member(
      "ConnectionTest",
      R"({"type":"object","additionalProperties":false,"required":["connection","model","ok","status",)"
      R"("milliseconds","recorded","answer"],"properties":{"connection":{"type":"string"},"model":{"type":"string"},)"
      R"("ok":{"type":"boolean"},"status":{"type":"integer"},"milliseconds":{"type":"integer"},)"
      R"("recorded":{"type":"boolean","description":"In the ledger, tagged test"},"answer":{}}})");
  w_.raw_member("Ok", R"({"type":"object","required":["ok"],"properties":{"ok":{"const":true}}})");
  w_.raw_member("Health",
                R"({"type":"object","required":["object","data"],"properties":{"object":{"const":"list"},"data":)"
                R"({"type":"array","items":{"type":"object","required":["connection","provider","state","load",)"
                R"("queue","engine","models"],"properties":{"connection":{"type":"string"},"provider":)"
                R"({"type":"string"},"state":{"enum":["up","out","probing","ramp","doubted"]},"paused_seconds":)"
                R"({"type":"number"},"load":{"type":"object"},"queue":{"type":"object"},"engine":{"type":"object"},)"
                R"("models":{"type":"array","items":{"type":"object"}}}}}}})");
  w_.raw_member("EngineOffer",
                R"({"type":"object","required":["name","endpoint","models"],"properties":{"name":{"type":"string"},)"
                R"("endpoint":{"type":"string"},"provider":{"type":"string","default":"vllm"},"models":)"
                R"({"type":"array","items":{"anyOf":[{"type":"string"},{"type":"object","properties":{"name":)"
                R"({"type":"string"},"remote":{"type":"string"}}}]}},"lifetime":{"type":"string","default":"15s"}},)"
                R"("description":"And every field of a connection that is no credential"})");
  w_.raw_member("Registered",
                R"({"type":"object","required":["name","token","lifetime_seconds","heartbeat"],"properties":)"
                R"({"name":{"type":"string"},"token":{"type":"string"},"lifetime_seconds":{"type":"number"},)"
                R"("heartbeat":{"type":"string"}}})");
  w_.raw_member("EngineList",
                R"({"type":"object","required":["object","data"],"properties":{"object":{"const":"list"},"data":)"
                R"({"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"models":)"
                R"({"type":"array","items":{"type":"string"}},"lifetime_seconds":{"type":"number"},)"
                R"("seconds_left":{"type":"number"}}}}}})");
  w_.raw_member("Resealed",
                R"({"type":"object","additionalProperties":false,"required":["resealed","key_id"],"properties":)"
                R"({"resealed":{"type":"integer"},"key_id":{"type":"string"}}})");
}

void Document::answer(std::string_view status, std::string_view description, std::string_view schema) {
  w_.key(status).begin_object().member("description", description);
  w_.key("content").begin_object().key("application/json").begin_object().key("schema");
  reference(schema);
  w_.end_object().end_object().end_object();
}

void Document::errors() {
  answer("default", "What is wrong, and what was expected", "Error");
}

void Document::parameter(std::string_view name, std::string_view in, std::string_view type, std::string_view help) {
  w_.begin_object().member("name", name).member("in", in).member("required", in == "path");
  w_.member("description", help).key("schema").begin_object().member("type", type).end_object().end_object();
}

void Document::operation(std::string_view method, std::string_view id, std::string_view summary, Action action,
                         std::string_view what) {
  w_.key(method).begin_object().member("operationId", id).member("summary", summary);
  w_.key("x-roles").begin_array();
  for (const AdminRole role : {AdminRole::owner, AdminRole::admin, AdminRole::team_admin, AdminRole::viewer}) {
    if (access(role, action, what) != Access::denied) w_.value(role_name(role));
  }
  w_.end_array();
}

void Document::body(const ObjectKind& kind) {
  w_.key("requestBody").begin_object().member("required", true).key("content").begin_object();
  w_.key("application/json").begin_object().key("schema");
  reference(schema_name(kind) + "Fields");
  w_.end_object().end_object().end_object();
}

void Document::collection(const ObjectKind& kind) {
  const std::string name(kind.name);
  w_.key(std::string(kApiRoot) + std::string(kind.plural)).begin_object();
  operation("get", "list_" + name, "A page of them: " + std::string(kind.help), Action::read, kind.name);
  w_.key("parameters").begin_array();
  parameter("limit", "query", "integer", "Objects a page: 1 to 1000, 100 where it is not given");
  parameter("after", "query", "string", "last_id of the page before");
  parameter("name", "query", "string", "Only those of that name");
  w_.end_array().key("responses").begin_object();
  answer("200", "A page", schema_name(kind) + "List");
  errors();
  w_.end_object().end_object();
  operation("post", "create_" + name, "Makes one", Action::write, kind.name);
  body(kind);
  w_.key("responses").begin_object();
  answer("201", kind.has_key() ? "The object, with its key: this once" : "The object", schema_name(kind));
  errors();
  w_.end_object().end_object().end_object();
}

void Document::object(const ObjectKind& kind) {
  const std::string name(kind.name);
  w_.key(std::string(kApiRoot) + std::string(kind.plural) + "/{id}").begin_object();
  w_.key("parameters").begin_array();
  parameter("id", "path", "string", "Its id or its name");
  w_.end_array();
  operation("get", "show_" + name, "One, with its ETag", Action::read, kind.name);
  w_.key("responses").begin_object();
  answer("200", "The object", schema_name(kind));
  errors();
  w_.end_object().end_object();
  operation("patch", "update_" + name, "Changes the fields that are given; null removes one (RFC 7396)", Action::write,
            kind.name);
  w_.key("parameters").begin_array();
  parameter("If-Match", "header", "string", "Only if its ETag is still this one; else 412");
  w_.end_array();
  body(kind);
  w_.key("responses").begin_object();
  answer("200", "The object as it is now", schema_name(kind));
  errors();
  w_.end_object().end_object();
  operation("delete", "remove_" + name, "Removes it", Action::write, kind.name);
  w_.key("parameters").begin_array();
  parameter("If-Match", "header", "string", "Only if its ETag is still this one; else 412");
  parameter("cascade", "query", "boolean", "true: and everything that cannot be without it; else that is 409");
  parameter("open", "query", "boolean", "true: a key whose last assignment goes may call every model, instead of none");
  w_.end_array().key("responses").begin_object();
  answer("200", "What was removed", "Removed");
  errors();
  w_.end_object().end_object().end_object();
}

void Document::rotation(const ObjectKind& kind) {
  w_.key(std::string(kApiRoot) + std::string(kind.plural) + "/{id}/rotate").begin_object();
  w_.key("parameters").begin_array();
  parameter("id", "path", "string", "Its id or its name");
  w_.end_array();
  operation("post", "rotate_" + std::string(kind.name), "Gives it another key, shown this once", Action::write,
            kind.name);
  w_.raw_member("requestBody",
                R"({"content":{"application/json":{"schema":{"type":"object","properties":{"overlap":{"type":"string",)"
                R"("description":"How long the old key stays good: \"24h\" where it is not given, \"0s\""}}}}}})");
  w_.key("responses").begin_object();
  answer("200", "The object, with its new key", schema_name(kind));
  errors();
  w_.end_object().end_object().end_object();
}

void Document::audit() {
  w_.key(std::string(kApiRoot) + "audit").begin_object();
  operation("get", "audit", "What was changed, and who was refused; newest first", Action::read, kAuditLog);
  w_.key("parameters").begin_array();
  parameter("limit", "query", "integer", "Entries a page");
  parameter("before", "query", "integer", "last_id of the page before");
  w_.end_array().key("responses").begin_object();
  answer("200", "A page", "AuditList");
  errors();
  w_.end_object().end_object().end_object();
}

void Document::whoami() {
  w_.key(std::string(kApiRoot) + "whoami").begin_object();
  operation("get", "whoami", "Whose key or session this is", Action::read, kWhoami);
  w_.key("responses").begin_object();
  answer("200", "Name, role, and of a team admin the team", "Whoami");
  errors();
  w_.end_object().end_object().end_object();
}

void Document::spend() {
  w_.key(std::string(kApiRoot) + "spend").begin_object();
  operation("get", "spend", "What calls used and cost, summed up from the ledger", Action::read, kSpend);
  w_.key("parameters").begin_array();
  parameter(
      "by", "query", "string",
      "What to sum by, separated by commas: day, organization, team, user, key, model, provider, connection, tags "
      "(all of a call together), tag (each: a call with three counts in three rows), end_user (who the client said the "
      "call was for)");
  parameter("from", "query", "string", "First moment: 2027-01-31 or 2027-01-31T12:00:00Z");
  parameter("tz", "query", "string", "Time zone of days and dates, such as Europe/Berlin; UTC without it");
  parameter("to", "query", "string", "First moment that is not meant any more");
  for (const std::string_view name : {"organization", "team", "user", "key", "model", "provider", "connection"}) {
    parameter(name, "query", "string", "Only calls with this name, or the id of such an object");
  }
  parameter("tag", "query", "string", "Only calls that have this tag");
  parameter("end_user", "query", "string", "Only calls for this end user");
  w_.end_array().key("responses").begin_object();
  answer("200", "The sums", "SpendList");
  errors();
  w_.end_object().end_object().end_object();
}

void Document::connection_test() {
  w_.key(std::string(kApiRoot) + "connections/{id}/test").begin_object();
  w_.key("parameters").begin_array();
  parameter("id", "path", "string", "Its id or its name");
  w_.end_array();
  operation("post", "test_connection", "Makes a real call through it, of a few tokens", Action::write, "connection");
  w_.raw_member("requestBody",
                R"({"content":{"application/json":{"schema":{"type":"object","properties":{"model":{"type":"string",)"
                R"("description":"A model the provider has, by its name; without it the first that is on it"}}}}}})");
  w_.key("responses").begin_object();
  answer("200", "What came of it: `status` is the provider's", "ConnectionTest");
  errors();
  w_.end_object().end_object().end_object();
}

void Document::secrets() {
  w_.key(std::string(kApiRoot) + "secrets/rotate").begin_object();
  operation("post", "rotate_secrets",
            "Seals all credentials under a new master key (where the configuration has it: its first)", Action::write,
            kSecrets);
  w_.key("responses").begin_object();
  answer("200", "How many objects were sealed anew", "Resealed");
  errors();
  w_.end_object().end_object().end_object();
}

void Document::health() {
  w_.key(std::string(kApiRoot) + "health").begin_object();
  operation("get", "health", "State, load and queue of every instance, and of every model there", Action::read,
            kHealth);
  w_.key("responses").begin_object();
  answer("200", "Every connection", "Health");
  errors();
  w_.end_object().end_object().end_object();
}

void Document::engines() {
  w_.key(std::string(kEnginesPath)).begin_object();
  operation("get", "list_engines", "Engines that registered themselves", Action::read, kEngines);
  w_.key("responses").begin_object();
  answer("200", "All of them", "EngineList");
  errors();
  w_.end_object().end_object();
  operation("post", "register_engine",
            "An engine, or its side-car, says that it is there; by an admin key, or the token of admin.engine_token",
            Action::write, kEngines);
  w_.key("requestBody").begin_object().member("required", true).key("content").begin_object();
  w_.key("application/json").begin_object().key("schema");
  reference("EngineOffer");
  w_.end_object().end_object().end_object().key("responses").begin_object();
  answer("200", "It was there, and is as it says now", "Registered");
  answer("201", "It is new", "Registered");
  answer("400", "A connection of the configuration could not be so, and why", "Error");
  answer("409", "Its name is that of a connection which is no engine's, or too many engines are registered", "Error");
  errors();
  w_.end_object().end_object().end_object();
  const auto named = [&](std::string_view path, std::string_view method, std::string_view id, std::string_view help) {
    w_.key(std::string(kEnginesPath) + "/{id}" + std::string(path)).begin_object();
    w_.key("parameters").begin_array();
    parameter("id", "path", "string", "Its name, as it was registered");
    w_.end_array();
    operation(method, id, help, Action::write, kEngines);
    w_.key("responses").begin_object();
    answer("200", "Done", "Ok");
    errors();
    w_.end_object().end_object().end_object();
  };
  named("/heartbeat", "post", "engine_heartbeat", "It is still there; by the token of its registration");
  named("", "delete", "remove_engine", "It goes; by the token of its registration, or an admin key");
}

void Document::paths() {
  for (const ObjectKind& kind : control::object_kinds()) {
    collection(kind);
    object(kind);
    if (kind.has_key()) rotation(kind);
  }
  connection_test();
  spend();
  whoami();
  audit();
  secrets();
  health();
  engines();
}

std::string Document::write() {
  w_.begin_object().member("openapi", "3.1.0");
  w_.key("info").begin_object().member("title", "llm-gateway admin API").member("version", LLMGW_VERSION).end_object();
  w_.raw_member("security", R"([{"admin_key":[]}])");
  w_.key("paths").begin_object();
  paths();
  w_.end_object().key("components").begin_object();
  w_.raw_member("securitySchemes",
                R"({"admin_key":{"type":"http","scheme":"bearer","description":"An admin key"
}
})");
  w_.key("schemas").begin_object();
  schemas();
  w_.end_object().end_object().end_object();
  return std::move(out_);
}

}  // namespace

std::string openapi_document() {
  return Document().write();
}

}  // namespace llmgw::admin
