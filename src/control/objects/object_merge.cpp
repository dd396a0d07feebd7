#include "control/objects/object_merge.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "control/config_doubts.h"
#include "control/config_loader.h"
#include "control/config_place.h"
#include "control/objects/object_identity.h"
#include "routing/pattern.h"

namespace llmgw::control {
namespace {

namespace bj = boost::json;

constexpr size_t kHashSecretBytes = 32;
constexpr size_t kErrorsMax = 1'000'000;  // one for each object there may be

// Calls visit(a.connections, b.connections), ... for every kind of object, referred to before referring.
template <class A, class B, class Visit>
void for_each_kind(A& a, B& b, Visit visit) {
  visit(a.connections, b.connections);
  visit(a.models, b.models);
  visit(a.organizations, b.organizations);
  visit(a.teams, b.teams);
  visit(a.users, b.users);
  visit(a.keys, b.keys);
  visit(a.assignments, b.assignments);
  visit(a.prices, b.prices);
  visit(a.routes, b.routes);
  visit(a.admin_keys, b.admin_keys);
}

bool is_served(const Config& config, std::string_view name, bool as_pattern) {
  return std::ranges::any_of(config.models, [&](const ModelConfig& model) {
    return model.name == name || (as_pattern ? routing::matches(name, model.name) : routing::matches(model.name, name));
  });
}

}  // namespace

store::ObjectChange make_hash_secret(const store::Vault& vault) {
  const base::Secret secret = store::random_secret(kHashSecretBytes);
  bj::object document;
  document["secret"] = vault.seal(sealing_place(kHashSecretId, "secret"), secret.reveal());
  return {.object = {.id = std::string(kHashSecretId),
                     .kind = "internal",
                     .name = "key_hash",
                     .natural_key = "key_hash",
                     .document = bj::serialize(document)}};
}

base::Result<ObjectSecrets> open_secrets(std::shared_ptr<const store::Vault> vault,
                                         std::span<const store::Object> objects) {
  const auto found = std::ranges::find(objects, kHashSecretId, &store::Object::id);
  if (found == objects.end()) return base::fail(base::ErrorCode::not_found, "the store has no secret for hashing keys");
  boost::system::error_code error;
  const bj::value document = bj::parse(found->document, error);
  const bj::value* sealed = nullptr;
  if (!error && document.is_object()) sealed = document.get_object().if_contains("secret");
  if (sealed == nullptr || !sealed->is_string()) {
    return base::fail(base::ErrorCode::protocol, "the store's secret for hashing keys cannot be read");
  }
  const auto& text = sealed->get_string();
  TRY(secret, vault->open(sealing_place(kHashSecretId, "secret"), {text.data(), text.size()}));
  return ObjectSecrets{std::move(vault), store::KeyHasher(secret)};
}

ObjectSecrets secrets_of_none() {
  ObjectSecrets secrets;
  const base::Secret key = store::random_secret(store::Vault::kKeyBytes);
  if (auto vault = store::Vault::create({&key, 1})) {
    secrets.vault = std::make_shared<const store::Vault>(std::move(*vault));
  }
  return secrets;
}

ObjectMerger::ObjectMerger(const Config& file, std::span<const store::Object> objects, const ObjectSecrets& secrets,
                           const Environment& environment)
    : file_(file), environment_(environment), stored_{}, merged_{} {
  // What a store says is a value, not the name of a variable or a file of this machine.
  environment_.stored = true;
  items_.reserve(objects.size());
  for (const store::Object& object : objects) {
    const ObjectKind* const kind = find_kind(object.kind);
    if (kind == nullptr) continue;  // the store's own, or a newer program's
    by_id_.emplace(object.id, items_.size());
    items_.push_back({.object = &object, .kind = kind, .problem = {}});
  }
  read(secrets);
  hide_those_of_the_file();
  keep_engines_apart();
  hide_keys_of_the_file(secrets.hasher);
  check();
}

std::optional<ReferenceTarget> ObjectMerger::resolve(std::string_view id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return std::nullopt;
  const store::Object& object = *items_[found->second].object;
  ReferenceTarget target{.name = object.name};
  if (items_[found->second].kind->section != SectionId::model) return target;
  // Its natural key is its name and its connection.
  const size_t line = object.natural_key.rfind('\n');
  if (line == std::string::npos) return target;
  const std::string connection = object.natural_key.substr(line + 1);
  const auto of_store = resolve(connection);
  target.connection = of_store ? of_store->name : connection;
  return target;
}

void ObjectMerger::read(const ObjectSecrets& secrets) {
  TomlValue document;
  document.kind = TomlKind::table;
  for (const ObjectKind& kind : object_kinds()) {
    TomlMember& member = document.members.emplace_back();
    member.key = section_table(kind.section).name;
    member.value.kind = TomlKind::array;
  }
  const auto resolver = [this](const ObjectKind&, std::string_view id) { return resolve(id); };
  std::vector<DocumentFault> faults;
  for (size_t i = 0; i < items_.size(); ++i) {
    Item& item = items_[i];
    const Location at{kStoreLine + static_cast<uint32_t>(i), 1};
    faults.clear();
    auto table =
        document_to_table(*item.kind, item.object->id, item.object->document, at, *secrets.vault, resolver, faults);
    for (const DocumentFault& fault : faults) {
      item.problem +=
          (item.problem.empty() ? "" : "; ") + (fault.field.empty() ? "" : fault.field + ": ") + fault.message;
    }
    const auto place = static_cast<size_t>(item.kind - object_kinds().data());
    document.members[place].value.items.push_back(std::move(table));
  }
  ConfigErrors errors(kErrorsMax);
  stored_ = load_sections(document, environment_, errors);
  document = {};
  blame(errors);
  const auto note_ids = [this](auto& sections) {
    for (auto& each : sections) {
      const store::Object& object = *item_at(each.at)->object;
      each.id = object.id;
      each.named_since = named_since(object);
    }
  };
  note_ids(stored_.organizations);
  note_ids(stored_.teams);
  note_ids(stored_.users);
  note_ids(stored_.keys);
  note_ids(stored_.assignments);
  // An assignment is called by its key, too.
  std::unordered_map<std::string_view, int64_t> keys;
  for (const KeyConfig& key : stored_.keys) keys.emplace(key.name, key.named_since);
  for (AssignmentConfig& each : stored_.assignments) {
    const auto key = keys.find(each.key);
    if (key != keys.end()) each.named_since = std::max(each.named_since, key->second);
  }
  for (KeyConfig& key : stored_.keys) key.hashes = keys_of(item_at(key.at)->object->document);
  for (AdminKeyConfig& key : stored_.admin_keys) key.hashes = keys_of(item_at(key.at)->object->document);
}

void ObjectMerger::hide_those_of_the_file() {
  for_each_kind(file_, stored_, [&](const auto& of_file, const auto& of_store) {
    std::unordered_set<std::string> in_file;
    for (const auto& each : of_file) in_file.insert(identity(each));
    std::unordered_set<std::string> taken = in_file;
    for (const auto& each : of_store) {
      const std::string own = identity(each);
      if (taken.insert(own).second) continue;
      Item& item = *item_at(each.at);
      if (!item.problem.empty()) continue;
      item.hidden = true;
      item.problem = in_file.contains(own) ? kHiddenByFile : "there is another of the same name, which is used instead";
    }
  });
}

// Models say by name where they are: those of an engine that is not used must not come to stand on a connection of
// somebody else's that has its name.
void ObjectMerger::keep_engines_apart() {
  for (Item& item : items_) {
    if (!item.problem.empty() || !item.object->id.starts_with(kEngineModelId)) continue;
    const std::string& key = item.object->natural_key;
    const auto own = by_id_.find(std::string(kEngineConnectionId) + key.substr(key.rfind('\n') + 1));
    if (own == by_id_.end() || !items_[own->second].problem.empty()) item.problem = "its engine is not used";
  }
}

// The same key cannot be two people's.
void ObjectMerger::hide_keys_of_the_file(const store::KeyHasher& hasher) {
  const auto hide = [&](const auto& of_file, const auto& of_store) {
    std::set<store::KeyHash> taken;
    for (const auto& each : of_file) {
      if (!each.key.empty()) taken.insert(hasher.hash(each.key.reveal()));
    }
    for (const auto& each : of_store) {
      for (const HashedKey& key : each.hashes) {
        if (taken.insert(key.hash).second) continue;
        if (Item& item = *item_at(each.at); item.problem.empty()) item.problem = kSameKey;
      }
    }
  };
  hide(file_.keys, stored_.keys);
  hide(file_.admin_keys, stored_.admin_keys);
}

ObjectMerger::Item* ObjectMerger::item_at(Location at) {
  const size_t index = at.line - kStoreLine;
  return at.line < kStoreLine || index >= items_.size() ? nullptr : &items_[index];
}

bool ObjectMerger::blame(const ConfigErrors& errors) {
  bool any = false;
  for (const ConfigError& error : errors.all()) {
    Item* const item = item_at(error.at);
    if (item == nullptr || !item->problem.empty()) continue;
    // By the field: of a store nobody knows the table.
    const std::string table = std::string(section_table(item->kind->section).name) + ".";
    item->problem = error.message.substr(error.message.starts_with(table) ? table.size() : 0);
    any = true;
  }
  for_each_kind(merged_, merged_, [&](auto& sections, auto&) {
    std::erase_if(sections, [&](const auto& each) {
      const Item* const item = item_at(each.at);
      return item != nullptr && !item->problem.empty();
    });
  });
  restrict_keys();
  return any;
}

// A key without assignments may call every model; one whose assignments cannot be used may call none but what it is
// told.
void ObjectMerger::restrict_keys() {
  for (const Item& item : items_) {
    if (item.problem.empty() || item.hidden || item.kind->section != SectionId::assignment) continue;
    boost::system::error_code error;
    const bj::value document = bj::parse(item.object->document, error);
    const bj::value* const key = !error && document.is_object() ? document.get_object().if_contains("key") : nullptr;
    if (key == nullptr || !key->is_string()) continue;
    const std::string_view id(key->get_string().data(), key->get_string().size());
    const auto target = resolve(id);
    for (KeyConfig& each : merged_.keys) {
      if (each.name == (target ? std::string_view(target->name) : id) && !each.models) each.models.emplace();
    }
  }
}

// A route of the store goes on without a model that was removed: calls for its others must not lose their fallbacks.
void ObjectMerger::trim_routes() {
  for (RouteConfig& route : merged_.routes) {
    Item* const item = item_at(route.at);
    if (item == nullptr) continue;
    const auto gone = [&](const std::string& name, bool as_pattern) {
      if (is_served(merged_, name, as_pattern)) return false;
      item->warning += (item->warning.empty() ? "" : "; ") + ("there is no model '" + name + "'");
      return true;
    };
    const auto trim = [&](std::vector<std::string>& names, bool as_pattern) {
      std::erase_if(names, [&](const std::string& name) { return gone(name, as_pattern); });
    };
    // Where none is left, the check says so.
    const bool any =
        std::ranges::any_of(route.models, [&](const auto& name) { return is_served(merged_, name, true); });
    if (any) trim(route.models, true);
    trim(route.fallbacks, false);
    if (!route.mirror.empty() && gone(route.mirror, false)) route.mirror.clear();
  }
}

void ObjectMerger::check() {
  merged_ = file_;
  for_each_kind(merged_, stored_, [&](auto& all, auto& of_store) {
    for (auto& each : of_store) {
      if (item_at(each.at)->problem.empty()) all.push_back(std::move(each));
    }
    of_store.clear();
  });
  restrict_keys();
  // A connection that is taken out takes its models with it, and they their assignments.
  constexpr int kRoundsMax = 10;
  for (int round = 0; round < kRoundsMax; ++round) {
    trim_routes();
    ConfigErrors errors(kErrorsMax);
    check_config(merged_, environment_, errors);
    if (!blame(errors)) return;
  }
}

std::vector<ObjectNote> ObjectMerger::notes() const {
  std::vector<ObjectNote> notes;
  for (const Item& item : items_) {
    if (item.problem.empty() && item.warning.empty()) continue;
    notes.push_back({.id = item.object->id,
                     .kind = item.object->kind,
                     .name = item.object->name,
                     .problem = item.problem.empty() ? item.warning : item.problem,
                     .hidden = item.hidden,
                     .partial = item.problem.empty()});
  }
  return notes;
}

std::vector<ObjectNote> ObjectMerger::doubts() {
  std::vector<ObjectNote> notes;
  for (const ConfigError& each : find_doubts(merged_).all()) {
    const Item* const item = item_at(each.at);
    if (item == nullptr) continue;
    notes.push_back({.id = item->object->id,
                     .kind = item->object->kind,
                     .name = item->object->name,
                     .problem = each.message,
                     .doubt = true});
  }
  return notes;
}

}  // namespace llmgw::control
