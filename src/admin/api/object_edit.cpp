#include "admin/api/object_edit.h"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>

#include "admin/api/object_fields.h"
#include "admin/api/object_judge.h"
#include "admin/api/object_view.h"
#include "admin/api/team_scope.h"
#include "control/config_loader.h"
#include "control/objects/object_document.h"
#include "control/units.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using control::ObjectKind;
using control::ReferenceField;
using control::Setting;

constexpr size_t kKeyBytesMin = 8;  // as settings.cpp has it for [[keys]]
constexpr size_t kKeyBytesMax = 512;
constexpr size_t kKeysAtOnceMax = 5;  // another rotation within their overlap is refused
constexpr base::Duration kOverlapDefault = std::chrono::hours(24);
constexpr base::Duration kOverlapMax = std::chrono::hours(24 * 365);
constexpr size_t kReferencesMax = 64;  // teams of a user; everything else has three at most

// Fields that answers have and requests may repeat as they are: they cannot be changed.
constexpr std::string_view kAnswerOnly[] = {"id",         "kind",       "version",  "created_at",
                                            "updated_at", "problem",    "source",   "connection_name",
                                            "key_name",   "model_name", "key_hint", "previous_keys"};

bj::string_view bjs(std::string_view text) {
  return {text.data(), text.size()};
}

int64_t seconds_now(const ApiRequest& request) {
  return request.now_ms / 1000;
}

// In seconds, as keys end: the first that is not before the overlap is over. Without one they are over now.
int64_t end_of_overlap(const ApiRequest& request, base::Duration overlap) {
  if (overlap == base::Duration{0}) return seconds_now(request);
  return std::chrono::ceil<std::chrono::seconds>(std::chrono::milliseconds(request.now_ms) + overlap).count();
}

ApiAnswer too_many_keys() {
  return api_error(409, "conflict",
                   std::to_string(kKeysAtOnceMax) +
                       " keys are good already, and one of them would end at once; wait until one is over, or rotate "
                       "with overlap \"0s\" (--overlap 0s), which ends all of them");
}

class ObjectEditor {
 public:
  ObjectEditor(const ApiContext& context, const ApiRequest& request, const control::ObjectKind& kind)
      : context_(context), request_(request), kind_(kind), scope_(context, request.actor) {}

  std::expected<Draft, ApiAnswer> create(bj::object fields);
  std::expected<Draft, ApiAnswer> update(const store::Object& before, const bj::object& patch);
  // Another key; the ones before are good until `until` (seconds since 1970), at once no more if that is now.
  std::expected<Draft, ApiAnswer> rotate(const store::Object& before, int64_t until);

 private:
  using Checked = std::expected<void, ApiAnswer>;
  Checked refuse_reserved(const bj::object& fields) const;
  Checked refuse_read_only(const store::Object& before, const bj::object& patch) const;
  Checked refuse_bare_items(const bj::object& fields) const;
  Checked refuse_past(const bj::object& fields, const bj::object& before) const;
  Checked take_key(bj::object& document, Draft& draft);
  Checked seal(bj::object& document, std::string_view id) const;
  static Checked refuse_source(const std::string& field, std::string_view text);
  Checked seal_text(bj::value& value, std::string_view id, const std::string& field) const;
  // What the object refers to before the change, which it may go on to, whoever sees it.
  void hold(const bj::object& before);
  Checked refer(bj::object& document, store::ObjectChange& change);
  Checked refer_to(const control::ReferenceField& field, bj::value& value, store::ObjectChange& change);
  Checked identify(const bj::object& document, store::Object& object);
  std::expected<Draft, ApiAnswer> finish(bj::object document, Draft draft);

  const ApiContext& context_;
  const ApiRequest& request_;
  const control::ObjectKind& kind_;
  const TeamScope scope_;
  std::vector<std::string> held_;  // as documents refer: ids, or names of the file's
};

ObjectEditor::Checked ObjectEditor::refuse_reserved(const bj::object& fields) const {
  for (const auto& [key, value] : fields) {
    if (key.starts_with('$')) return invalid_request("a field's name cannot begin with '$'");
  }
  return {};
}

// What was read may be sent back whole; with another value it would seem to be changed.
ObjectEditor::Checked ObjectEditor::refuse_read_only(const store::Object& before, const bj::object& patch) const {
  boost::system::error_code error;
  bj::value shown;
  for (const std::string_view field : kAnswerOnly) {
    const bj::value* const value = patch.if_contains(bjs(field));
    // Why it is not used may have become something else since it was read, and says nothing of what it shall be.
    if (value == nullptr || field == "problem") continue;
    if (shown.is_null()) shown = bj::parse(show_object(context_, kind_, before, request_.now_ms), error);
    const bj::value* const own = shown.is_object() ? shown.get_object().if_contains(bjs(field)) : nullptr;
    if (own == nullptr && value->is_null()) continue;
    if (own == nullptr || *own != *value) {
      return invalid_request(std::string(field) + ": is read only; leave it out, or send it as it was read");
    }
  }
  return {};
}

// Who sends the name of a place means what is there: kept as it came, the name would be the secret.
ObjectEditor::Checked ObjectEditor::refuse_source(const std::string& field, std::string_view text) {
  if (text.starts_with("env:") || text.starts_with("file:")) {
    return invalid_request(field +
                           ": env: and file: are read by the command line and in the configuration file only; send the "
                           "value itself");
  }
  if (text.starts_with("${")) {
    return invalid_request(field + ": ${...} is read in the configuration file only; send the value itself");
  }
  return {};
}

// A file may have "x" for ["x"]; here a list is what the OpenAPI document says.
ObjectEditor::Checked ObjectEditor::refuse_bare_items(const bj::object& fields) const {
  for (const Setting& setting : control::section_table(kind_.section).settings) {
    if (setting.type != control::SettingType::list) continue;
    const bj::value* const value = fields.if_contains(bjs(setting.key));
    if (value == nullptr || value->is_array() || value->is_null()) continue;
    const std::string item = value->is_string() ? bj::serialize(*value) : "\"...\"";
    return invalid_request(std::string(setting.key) + ": expected a list of texts, such as [" + item + "]");
  }
  return {};
}

// A key that was over before it began would look like one that is refused for another reason.
ObjectEditor::Checked ObjectEditor::refuse_past(const bj::object& fields, const bj::object& before) const {
  const std::string_view expires = kind_.has_key() ? text_of(fields, "expires") : std::string_view();
  if (expires.empty() || expires == text_of(before, "expires")) return {};
  const auto time = control::parse_timestamp(expires);
  if (!time || time->seconds > seconds_now(request_)) return {};
  return invalid_request("expires: " + std::string(expires) + " has passed; to refuse a key from now on, block it");
}

ObjectEditor::Checked ObjectEditor::take_key(bj::object& document, Draft& draft) {
  if (!kind_.has_key()) return {};
  const bool given = document.contains("key");
  if (!given) {
    if (document.contains("$keys")) return {};
    draft.made_key = store::make_key(kind_.key_prefix);
  } else {
    const std::string_view key = text_of(document, "key");
    if (auto refused = refuse_source("key", key); !refused) return refused;
    const bool visible = std::ranges::all_of(key, [](char c) { return c > ' ' && c < 0x7f; });
    if (key.size() < kKeyBytesMin || key.size() > kKeyBytesMax || !visible) {
      return invalid_request(
          "key: at least 8 characters, at most 512, all visible ASCII without blanks; leave it out to have "
          "one made");
    }
    draft.made_key = base::Secret(key);
    document.erase("key");
  }
  bj::object entry;
  const std::string hash = store::to_hex(context_.secrets.hasher.hash(draft.made_key.reveal()));
  // One that came with the request may be another's, whatever it looks like; one that was made just now cannot.
  if (given) draft.change.unique_text = hash;
  entry["hash"] = hash;
  document["$hint"] = store::key_hint(draft.made_key.reveal());
  entry["hint"] = document["$hint"];
  document["$keys"] = bj::array{entry};
  return {};
}

ObjectEditor::Checked ObjectEditor::seal_text(bj::value& value, std::string_view id, const std::string& field) const {
  if (!value.is_string()) return {};  // the loader says what is expected
  const std::string_view text{value.get_string().data(), value.get_string().size()};
  if (text.starts_with(store::kSealedPrefix)) return {};
  if (auto refused = refuse_source(field, text); !refused) return refused;
  const bool is_plain_proxy = field == "proxy" && text.find('@') == std::string_view::npos;
  if (!is_plain_proxy && !text.empty()) {
    value = context_.secrets.vault->seal(control::sealing_place(id, field), text);
  }
  return {};
}

ObjectEditor::Checked ObjectEditor::seal(bj::object& document, std::string_view id) const {
  for (const Setting& setting : control::section_table(kind_.section).settings) {
    if (!control::is_sealed(setting)) continue;
    bj::value* const value = document.if_contains(bjs(setting.key));
    if (value == nullptr) continue;
    const std::string field(setting.key);
    if (!value->is_object()) {
      if (auto sealed = seal_text(*value, id, field); !sealed) return sealed;
      continue;
    }
    for (auto& [key, each] : value->get_object()) {
      if (auto sealed = seal_text(each, id, field + "." + std::string(key.data(), key.size())); !sealed) return sealed;
    }
  }
  return {};
}

void ObjectEditor::hold(const bj::object& before) {
  for (const ReferenceField& field : kind_.references) {
    for (const std::string_view text : texts_of(before, field.field)) held_.emplace_back(text);
  }
}

// What the actor does not see is as if it were not there: else a team admin would learn here who is in other teams.
ObjectEditor::Checked ObjectEditor::refer_to(const ReferenceField& field, bj::value& value,
                                             store::ObjectChange& change) {
  if (!value.is_string()) return {};
  const std::string_view text{value.get_string().data(), value.get_string().size()};
  const ObjectKind& target = *control::find_kind(field.kind);
  const bool is_id = control::is_object_id(target, text);
  // Of an assignment a model's name means all connections that serve it.
  if (!is_id && target.section == control::SectionId::model) return {};
  const bool is_held = std::ranges::find(held_, text) != held_.end();
  const auto found = is_held ? find_object(context_, target, text) : scope_.find(target, text);
  if (!found) {
    // One of the configuration file is called by its name.
    if (found.error().status == 404 && !is_id) {
      if (file_has(context_.file, target, text) && (is_held || scope_.owns_of_file(target, text))) return {};
      const bool may_see = access(request_.actor.role, Action::read, target.name) == Access::granted;
      return invalid_request(std::string(field.field) + ": " +
                             (may_see ? no_such_object(context_, target, text)
                                      : "there is no " + std::string(target.name) + " " + in_quotes(text)));
    }
    ApiAnswer answer = found.error();
    if (answer.status == 404) answer.status = 400;
    return std::unexpected(std::move(answer));
  }
  value = found->id;
  if (std::ranges::find(change.references, found->id) == change.references.end()) {
    change.references.push_back(found->id);
  }
  if (change.references.size() > kReferencesMax) return invalid_request(std::string(field.field) + ": more than 64");
  return {};
}

ObjectEditor::Checked ObjectEditor::refer(bj::object& document, store::ObjectChange& change) {
  for (const ReferenceField& field : kind_.references) {
    bj::value* const value = document.if_contains(bjs(field.field));
    if (value == nullptr) continue;
    if (!value->is_array()) {
      if (auto referred = refer_to(field, *value, change); !referred) return referred;
      continue;
    }
    for (bj::value& each : value->get_array()) {
      if (auto referred = refer_to(field, each, change); !referred) return referred;
    }
  }
  return {};
}

ObjectEditor::Checked ObjectEditor::identify(const bj::object& document, store::Object& object) {
  object.kind = kind_.name;
  if (kind_.has_name()) {
    object.name = text_of(document, "name");
    if (object.name.empty()) return invalid_request("name: expected a text of at least one character");
    if (control::is_object_id(kind_, object.name)) return invalid_request("name: looks like an id; choose another");
    object.natural_key = object.name;
    if (!kind_.also_unique.empty()) object.natural_key += "\n" + std::string(text_of(document, kind_.also_unique));
    return {};
  }
  if (kind_.section == control::SectionId::price) {
    const bj::value* const above = document.if_contains("above_tokens");
    const int64_t tokens = above != nullptr && above->is_int64() ? above->get_int64() : 0;
    object.name = control::price_name(text_of(document, "provider"), text_of(document, "model"),
                                      static_cast<uint64_t>(std::max<int64_t>(0, tokens)));
    object.natural_key = object.name;
    return {};
  }
  if (kind_.section == control::SectionId::route) {
    std::vector<std::string> models;
    for (const std::string_view model : texts_of(document, "models")) models.emplace_back(model);
    object.name = control::route_name(models);
    object.natural_key = object.name;
    return {};
  }
  // An assignment is called as clients call it.
  object.name = text_of(document, "alias");
  if (object.name.empty()) {
    const std::string_view model = text_of(document, "model");
    object.name = model;
    const auto found = find_object(context_, *control::find_kind("model"), model);
    if (found) object.name = found->name;
  }
  object.natural_key = std::string(text_of(document, "key")) + "\n" + object.name;
  return {};
}

std::expected<Draft, ApiAnswer> ObjectEditor::finish(bj::object document, Draft draft) {
  store::Object& object = draft.change.object;
  if (auto taken = take_key(document, draft); !taken) return std::unexpected(std::move(taken).error());
  if (auto referred = refer(document, draft.change); !referred) return std::unexpected(std::move(referred).error());
  const bool is_new = draft.change.action == store::ObjectChange::Action::insert;
  if (auto kept = scope_.keep(kind_, document, is_new); !kept) return std::unexpected(std::move(kept).error());
  // The team that was filled in is a reference, too.
  if (auto referred = refer(document, draft.change); !referred) return std::unexpected(std::move(referred).error());
  if (auto sealed = seal(document, object.id); !sealed) return std::unexpected(std::move(sealed).error());
  if (auto identified = identify(document, object); !identified) return std::unexpected(std::move(identified).error());
  object.document = bj::serialize(document);
  if (auto judged = judge_change(context_, kind_, draft.change); !judged)
    return std::unexpected(std::move(judged).error());
  return draft;
}

std::expected<Draft, ApiAnswer> ObjectEditor::create(bj::object fields) {
  if (auto fine = refuse_reserved(fields); !fine) return std::unexpected(std::move(fine).error());
  if (auto fine = refuse_past(fields, {}); !fine) return std::unexpected(std::move(fine).error());
  if (auto fine = refuse_bare_items(fields); !fine) return std::unexpected(std::move(fine).error());
  Draft draft;
  draft.change.action = store::ObjectChange::Action::insert;
  draft.change.object.id = store::make_object_id(kind_.id_prefix, request_.now_ms);
  return finish(std::move(fields), std::move(draft));
}

std::expected<Draft, ApiAnswer> ObjectEditor::update(const store::Object& before, const bj::object& patch) {
  if (auto fine = refuse_reserved(patch); !fine) return std::unexpected(std::move(fine).error());
  if (auto fine = refuse_read_only(before, patch); !fine) return std::unexpected(std::move(fine).error());
  if (auto fine = refuse_bare_items(patch); !fine) return std::unexpected(std::move(fine).error());
  const bj::object old = document_of(before);
  bj::object document = old;
  if (auto fine = refuse_past(patch, document); !fine) return std::unexpected(std::move(fine).error());
  for (const auto& [key, value] : patch) {
    const std::string_view field{key.data(), key.size()};
    if (std::ranges::find(kAnswerOnly, field) != std::end(kAnswerOnly)) continue;
    bj::value* const existing = document.if_contains(key);
    if (value.is_null()) {
      document.erase(key);
    } else if (value.is_string() && value.get_string() == bjs(control::kShownSecret)) {
      continue;  // as it was shown: not changed
    } else if (value.is_object() && existing != nullptr && existing->is_object()) {
      for (const auto& [inner, each] : value.get_object()) {
        if (each.is_null()) {
          existing->get_object().erase(inner);
        } else if (!(each.is_string() && each.get_string() == bjs(control::kShownSecret))) {
          existing->get_object()[inner] = each;
        }
      }
    } else {
      document[key] = value;
    }
  }
  for (const std::string_view name : {"name", "alias"}) {
    if (text_of(document, name) != text_of(old, name)) document[control::kNamedSince] = seconds_now(request_);
  }
  hold(old);
  Draft draft;
  draft.change.action = store::ObjectChange::Action::update;
  draft.change.object.id = before.id;
  draft.change.expected_version = before.version;
  const bool is_assignment = kind_.section == control::SectionId::assignment;
  auto finished = finish(std::move(document), std::move(draft));
  if (!finished || !is_assignment) return finished;
  // The key it came from might be left without any, and so with all models.
  if (text_of(document_of(finished->change.object), "key") == text_of(old, "key")) return finished;
  return invalid_request("key: an assignment stays with its key; add one for the other key and remove this one");
}

std::expected<Draft, ApiAnswer> ObjectEditor::rotate(const store::Object& before, int64_t until) {
  const bj::object old = document_of(before);
  bj::object document = old;
  const bj::value* const old_keys = old.if_contains("$keys");
  const bj::array before_keys = old_keys != nullptr && old_keys->is_array() ? old_keys->get_array() : bj::array();
  document.erase("$keys");
  const bj::value* const hint = old.if_contains("$hint");
  hold(old);
  Draft draft;
  draft.change.action = store::ObjectChange::Action::update;
  draft.change.object.id = before.id;
  draft.change.expected_version = before.version;
  if (auto taken = take_key(document, draft); !taken) return std::unexpected(std::move(taken).error());
  bj::array& keys = document["$keys"].get_array();
  for (const bj::value& each : before_keys) {
    if (!each.is_object() || until <= seconds_now(request_)) break;
    bj::object entry = each.get_object();
    const bj::value* const ends = entry.if_contains("until");
    const bool is_over = ends != nullptr && ends->is_int64() && ends->get_int64() <= seconds_now(request_);
    if (is_over) continue;
    if (keys.size() == kKeysAtOnceMax) return std::unexpected(too_many_keys());
    // The newest of an older version has no hint of its own.
    if (ends == nullptr && !entry.contains("hint") && hint != nullptr) entry["hint"] = *hint;
    if (ends == nullptr || !ends->is_int64() || ends->get_int64() > until) entry["until"] = until;
    keys.push_back(std::move(entry));
  }
  return finish(std::move(document), std::move(draft));
}

}  // namespace

std::expected<Draft, ApiAnswer> draft_creation(const ApiContext& context, const ApiRequest& request,
                                               const ObjectKind& kind) {
  auto fields = read_fields(request.body);
  if (!fields) return std::unexpected(std::move(fields).error());
  return ObjectEditor(context, request, kind).create(std::move(*fields));
}

std::expected<Draft, ApiAnswer> draft_update(const ApiContext& context, const ApiRequest& request,
                                             const ObjectKind& kind, const store::Object& before) {
  const auto patch = read_fields(request.body);
  if (!patch) return std::unexpected(patch.error());
  return ObjectEditor(context, request, kind).update(before, *patch);
}

std::expected<Draft, ApiAnswer> draft_rotation(const ApiContext& context, const ApiRequest& request,
                                               const ObjectKind& kind, const store::Object& before) {
  const auto body = read_fields(request.body);
  if (!body) return std::unexpected(body.error());
  for (const auto& [field, value] : *body) {
    if (field != "overlap") return invalid_request(in_quotes(field) + " is unknown; there is only overlap");
  }
  base::Duration overlap = kOverlapDefault;
  if (body->contains("overlap")) {
    const auto given = control::parse_duration(text_of(*body, "overlap"));
    if (!given || *given < base::Duration{0} || *given > kOverlapMax) {
      return invalid_request("overlap: expected a duration of at most a year, such as \"24h\" or \"0s\"");
    }
    overlap = *given;
  }
  return ObjectEditor(context, request, kind).rotate(before, end_of_overlap(request, overlap));
}

}  // namespace llmgw::admin
