#include "admin/api/removal.h"

#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <map>
#include <set>
#include <string_view>

#include "admin/api/object_edit.h"
#include "admin/api/object_fields.h"
#include "admin/api/query.h"
#include "providers/provider.h"
#include "routing/pattern.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using store::Object;
using store::ObjectChange;
using Done = std::expected<void, ApiAnswer>;

// Of one removal with all that depends on it; more is a mistake, or wants smaller steps.
constexpr size_t kCascadeMax = 10'000;
constexpr std::string_view kOrOpen = ", or ask for ?open=true (--open)";
constexpr size_t kNamedMax = 10;  // of what still refers to it, in the message

std::string called(const Object& object) {
  return "the " + object.kind + " '" + object.name + "' (" + object.id + ")";
}

class Planner {
 public:
  Planner(const ApiContext& context, const ApiRequest& request)
      : context_(context), cascade_(Query(request.query).flag("cascade")), open_(Query(request.query).flag("open")) {}

  std::expected<RemovalPlan, ApiAnswer> plan(const Object& object) {
    if (auto done = find_teams(object); !done) return std::unexpected(std::move(done).error());
    if (auto done = collect(object); !done) return std::unexpected(std::move(done).error());
    if (auto done = collect_by_name(); !done) return std::unexpected(std::move(done).error());
    if (!cascade_ && !in_the_way_.empty()) return std::unexpected(refusal(object));
    if (object.kind == "price") {
      if (auto done = find_longer_prices(object); !done) return std::unexpected(std::move(done).error());
    }
    if (auto done = close_keys(); !done) return std::unexpected(std::move(done).error());
    if (auto done = trim_users(); !done) return std::unexpected(std::move(done).error());
    return std::move(plan_);
  }

  // What goes by the object's name, or by a model's connection too, when it is `after` from now on, and does not
  // follow.
  Done check_rename(const Object& object, const Object& after) {
    if (object.kind == "key") return check_hidden_key(object.id, "");
    if (object.kind != "model" && object.kind != "connection") return {};
    going_.insert(object.id);
    renames_ = object.name != after.name;
    if (object.kind == "model") gone_models_.push_back(served(object));
    auto done = object.kind == "model" ? collect_by_name({served(after)}) : collect_prices(object.name);
    if (!done || in_the_way_.empty()) return done;
    const std::string why = renames_ ? " is called by that name by " : " is needed on its connection by ";
    return std::unexpected(api_error(409, "referenced",
                                     called(object) + why + those_in_the_way() + "; add a " + object.kind +
                                         (renames_ ? " of the new name" : " on the other connection") +
                                         ", let them name that, and remove this one"));
  }

 private:
  // A model as assignments and routes may call it.
  struct Served {
    std::string name;
    std::string connection;  // as references to it are kept: an id, or a name of the configuration file
  };
  // Its natural key is both.
  static Served served(const Object& model) {
    const size_t line = model.natural_key.rfind('\n');
    return {model.name, line == std::string::npos ? std::string() : model.natural_key.substr(line + 1)};
  }
  bool goes(std::string_view id) const { return going_.contains(std::string(id)); }
  Done each_of(std::string_view kind, const std::function<Done(const Object&)>& visit);
  Done find_teams(const Object& object);
  bool stays_in_a_team(const Object& user) const;
  Done trim_users();
  Done collect(const Object& object);
  Done take(const Object& object);
  Done collect_by_name(std::vector<Served> left = {});
  Done collect_nameless(const std::vector<Served>& left);
  Done collect_lists(const std::function<bool(std::string_view)>& lost);
  Done collect_prices(const std::string& connection);
  Done find_longer_prices(const Object& price);
  Done close_keys();
  Done close_key(const std::string& id_or_name);
  Done check_hidden_key(const std::string& id, std::string_view otherwise);
  Done check_key_of_file(const std::string& name, std::string_view otherwise) const;
  std::expected<bool, ApiAnswer> has_other_assignment(const std::string& key);
  std::string those_in_the_way() const;
  ApiAnswer refusal(const Object& object) const;
  ApiAnswer too_many(const Object& object, size_t count) const;

  const ApiContext& context_;
  const bool cascade_;
  const bool open_;
  bool renames_ = false;
  std::set<std::string> going_;                     // ids
  std::set<std::string, std::less<>> going_teams_;  // those of them that are teams, known before all others
  std::map<std::string, Object> leaving_;           // users who are in other teams, too
  std::vector<Served> gone_models_;
  std::set<std::string> keys_;  // of assignments that go: ids, or names of the configuration file
  std::vector<Object> in_the_way_;
  RemovalPlan plan_;
};

Done Planner::each_of(std::string_view kind, const std::function<Done(const Object&)>& visit) {
  for (std::string after;;) {
    const auto page = context_.store.list({.kind = kind, .after = after, .limit = store::ObjectStore::kPageMax});
    if (!page) return std::unexpected(store_failed(page.error()));
    for (const Object& object : page->objects) {
      if (auto done = visit(object); !done) return done;
    }
    if (!page->more) return {};
    after = page->objects.back().id;
  }
}

Done Planner::find_teams(const Object& object) {
  if (object.kind == "team") going_teams_.insert(object.id);
  if (object.kind != "organization") return {};
  const auto dependents = context_.store.referrers(object.id);
  if (!dependents) return std::unexpected(store_failed(dependents.error()));
  for (const Object& each : *dependents) {
    if (each.kind == "team") going_teams_.insert(each.id);
  }
  return {};
}

bool Planner::stays_in_a_team(const Object& user) const {
  const bj::object document = document_of(user);
  return std::ranges::any_of(texts_of(document, "teams"),
                             [&](std::string_view team) { return !going_teams_.contains(team); });
}

// First of all, so that nothing refers to the teams when they go.
Done Planner::trim_users() {
  for (auto& [id, user] : leaving_) {
    bj::object document = document_of(user);
    bj::array left;
    for (const std::string_view team : texts_of(document, "teams")) {
      if (!going_teams_.contains(team)) left.push_back(bj::string(team));
    }
    document["teams"] = std::move(left);
    auto references = context_.store.references(id);
    if (!references) return std::unexpected(store_failed(references.error()));
    std::erase_if(*references, [&](const std::string& to) { return going_teams_.contains(to); });
    plan_.trimmed_users.push_back(user.name);
    ObjectChange change{.action = ObjectChange::Action::update, .object = user, .references = std::move(*references)};
    change.object.document = bj::serialize(document);
    change.expected_version = user.version;
    plan_.changes.insert(plan_.changes.begin(), std::move(change));
  }
  return {};
}

ApiAnswer Planner::too_many(const Object& object, size_t count) const {
  return api_error(409, "referenced",
                   called(object) + " cannot be removed at once: " + std::to_string(count) +
                       " objects depend on it or go before it, and one removal takes at most " +
                       std::to_string(kCascadeMax) +
                       "; remove some of them first, each by itself (llm-gateway vkey list, user list, ... name them)");
}

// What depends on it first.
Done Planner::collect(const Object& object) {
  if (!going_.insert(object.id).second) return {};
  const auto dependents = context_.store.referrers(object.id);
  if (!dependents) return std::unexpected(store_failed(dependents.error()));
  if (dependents->size() > kCascadeMax) return std::unexpected(too_many(object, dependents->size()));
  for (const Object& each : *dependents) {
    if (each.kind == "user" && object.kind == "team" && stays_in_a_team(each)) {
      if (leaving_.emplace(each.id, each).second) in_the_way_.push_back(each);
      continue;
    }
    // An assignment is part of its key.
    const bool is_part = each.kind == "assignment" && object.kind == "key";
    if (!is_part && !goes(each.id)) in_the_way_.push_back(each);
    if (auto done = collect(each); !done) return done;
  }
  if (object.kind == "connection") {
    if (auto done = collect_prices(object.name); !done) return done;
  }
  return take(object);
}

Done Planner::take(const Object& object) {
  if (plan_.changes.size() >= kCascadeMax) {
    return std::unexpected(too_many(object, plan_.changes.size()));
  }
  if (object.kind == "model") gone_models_.push_back(served(object));
  if (object.kind == "assignment") keys_.emplace(text_of(document_of(object), "key"));
  plan_.changes.push_back({.action = ObjectChange::Action::remove, .object = {.id = object.id}});
  return {};
}

// Assignments and routes may go by a model's name, which others may serve as well: those in `left`, and all that stay.
Done Planner::collect_by_name(std::vector<Served> left) {
  if (gone_models_.empty()) return {};
  for (const auto& model : context_.file.models) left.push_back({model.name, model.connection});
  auto listed = each_of("model", [&](const Object& model) -> Done {
    if (!goes(model.id)) left.push_back(served(model));
    return {};
  });
  return listed ? collect_nameless(left) : listed;
}

Done Planner::collect_nameless(const std::vector<Served>& left) {
  // `connection`: the only one that counts; empty: all.
  const auto is_in = [](const std::vector<Served>& models, std::string_view name, std::string_view connection) {
    return std::ranges::any_of(models, [&](const Served& model) {
      if (!connection.empty() && model.connection != connection) return false;
      return model.name == name || routing::matches(model.name, name) || routing::matches(name, model.name);
    });
  };
  // An id is no name, whatever the patterns: it goes with its own model.
  const auto lost_on = [&, &kind = *control::find_kind("model")](std::string_view name, std::string_view connection) {
    return !control::is_object_id(kind, name) && is_in(gone_models_, name, connection) &&
           !is_in(left, name, connection);
  };
  const auto lost = [&](std::string_view name) { return lost_on(name, {}); };
  // What is assigned on one connection no other serves.
  auto assignments = each_of("assignment", [&](const Object& each) -> Done {
    const bj::object document = document_of(each);
    if (goes(each.id) || !lost_on(text_of(document, "model"), text_of(document, "connection"))) return {};
    in_the_way_.push_back(each);
    going_.insert(each.id);
    return take(each);
  });
  if (!assignments) return assignments;
  if (auto lists = renames_ ? collect_lists(lost) : Done{}; !lists) return lists;
  return each_of("route", [&](const Object& each) -> Done {
    const bj::object document = document_of(each);
    const auto models = texts_of(document, "models");
    const auto fallbacks = texts_of(document, "fallbacks");
    const bool any = std::ranges::any_of(models, lost) || std::ranges::any_of(fallbacks, lost) ||
                     std::ranges::any_of(texts_of(document, "mirror"), lost);
    if (!any || goes(each.id)) return {};
    in_the_way_.push_back(each);
    if (std::ranges::none_of(models, [&](std::string_view name) { return is_in(left, name, {}); })) {
      going_.insert(each.id);
      return take(each);
    }
    plan_.trimmed_routes.push_back(each.name);
    return {};
  });
}

// Who may call models by name may call it no more under another. What is removed nobody may call: their lists stay.
Done Planner::collect_lists(const std::function<bool(std::string_view)>& lost) {
  for (const std::string_view kind : {"organization", "team", "user", "key"}) {
    auto listed = each_of(kind, [&](const Object& each) -> Done {
      if (std::ranges::any_of(texts_of(document_of(each), "models"), lost)) in_the_way_.push_back(each);
      return {};
    });
    if (!listed) return listed;
  }
  return {};
}

// Prices go by a connection's name, alone or with a tier or "tools" behind it: without them its calls cost something
// else, or nobody knows what, and another connection of the name would have them. A provider's word means the provider.
Done Planner::collect_prices(const std::string& connection) {
  if (providers::find_provider(connection) != nullptr || connection == "*") return {};
  const auto& of_file = context_.file.connections;
  if (std::ranges::find(of_file, connection, &control::ConnectionConfig::name) != of_file.end()) return {};
  return each_of("price", [&](const Object& each) -> Done {
    const bj::object document = document_of(each);
    const std::string_view by = text_of(document, "provider");
    if (by != connection && !by.starts_with(connection + ":")) return {};
    in_the_way_.push_back(each);
    going_.insert(each.id);
    return take(each);
  });
}

std::expected<bool, ApiAnswer> Planner::has_other_assignment(const std::string& key) {
  if (control::is_object_id(*control::find_kind("key"), key)) {
    const auto referrers = context_.store.referrers(key);
    if (!referrers) return std::unexpected(store_failed(referrers.error()));
    return std::ranges::any_of(*referrers,
                               [&](const Object& each) { return each.kind == "assignment" && !goes(each.id); });
  }
  bool any = false;
  auto listed = each_of("assignment", [&](const Object& each) -> Done {
    any = any || (!goes(each.id) && text_of(document_of(each), "key") == key);
    return {};
  });
  if (!listed) return std::unexpected(std::move(listed).error());
  return any;
}

// What the same model costs for longer prompts stays, and is no price of all prompts from then on.
Done Planner::find_longer_prices(const Object& price) {
  const bj::object base = document_of(price);
  if (price.name != control::price_name(text_of(base, "provider"), text_of(base, "model"), 0)) return {};
  return each_of("price", [&](const Object& each) -> Done {
    const bj::object other = document_of(each);
    const bool same =
        text_of(other, "provider") == text_of(base, "provider") && text_of(other, "model") == text_of(base, "model");
    if (same && !goes(each.id)) plan_.left_prices.push_back(each.name);
    return {};
  });
}

Done Planner::close_keys() {
  if (open_) return {};
  for (const std::string& key : keys_) {
    if (key.empty()) continue;
    if (goes(key)) {
      if (auto checked = check_hidden_key(key, kOrOpen); !checked) return checked;
      continue;
    }
    const auto other = has_other_assignment(key);
    if (!other) return std::unexpected(other.error());
    if (*other) continue;
    if (auto closed = close_key(key); !closed) return closed;
  }
  return {};
}

// What is assigned to a key of the store that one of the file hides is the file's key's: without it that one is open.
Done Planner::check_hidden_key(const std::string& id, std::string_view otherwise) {
  const auto key = context_.store.get(id);
  if (!key) return std::unexpected(store_failed(key.error()));
  // Of most keys the file knows nothing, and then nobody looks through all assignments for each of them.
  if (!*key) return {};
  const auto& of_file = context_.file.keys;
  if (std::ranges::find(of_file, (*key)->name, &control::KeyConfig::name) == of_file.end()) return {};
  const auto referrers = context_.store.referrers(id);
  if (!referrers) return std::unexpected(store_failed(referrers.error()));
  if (std::ranges::find(*referrers, "assignment", &Object::kind) == referrers->end()) return {};
  const auto other = has_other_assignment((*key)->name);
  if (!other) return std::unexpected(other.error());
  return *other ? Done{} : check_key_of_file((*key)->name, otherwise);
}

Done Planner::check_key_of_file(const std::string& name, std::string_view otherwise) const {
  const auto& assignments = context_.file.assignments;
  if (std::ranges::find(assignments, name, &control::AssignmentConfig::key) != assignments.end()) return {};
  const auto of_file = std::ranges::find(context_.file.keys, name, &control::KeyConfig::name);
  if (of_file == context_.file.keys.end() || of_file->models) return {};
  return std::unexpected(
      api_error(409, "referenced",
                "with it the key '" + name +
                    "' of the configuration file would lose its last assignment, and could then call "
                    "every model; write models = [] there first" +
                    std::string(otherwise)));
}

Done Planner::close_key(const std::string& id_or_name) {
  auto key = find_object(context_, *control::find_kind("key"), id_or_name);
  const std::string name = key ? key->name : id_or_name;
  if (auto checked = check_key_of_file(name, kOrOpen); !checked) return checked;
  const auto is_it = [&](const auto& each) { return each.key == name; };
  if (!key || std::ranges::any_of(context_.file.assignments, is_it)) return {};
  bj::object document = document_of(*key);
  if (document.contains("models")) return {};
  document["models"] = bj::array();
  auto references = context_.store.references(key->id);
  if (!references) return std::unexpected(store_failed(references.error()));
  ObjectChange change{.action = ObjectChange::Action::update, .object = *key, .references = std::move(*references)};
  change.object.document = bj::serialize(document);
  change.expected_version = key->version;
  plan_.changes.insert(plan_.changes.begin(), std::move(change));
  plan_.closed_keys.push_back(name);
  return {};
}

std::string Planner::those_in_the_way() const {
  std::string text;
  for (size_t i = 0; i < std::min(in_the_way_.size(), kNamedMax); ++i) {
    text += (i == 0 ? "" : ", ") + called(in_the_way_[i]);
  }
  if (in_the_way_.size() > kNamedMax) text += " and " + std::to_string(in_the_way_.size() - kNamedMax) + " more";
  return text;
}

ApiAnswer Planner::refusal(const Object& object) const {
  return api_error(409, "referenced",
                   called(object) + " is still needed by " + those_in_the_way() +
                       "; remove them first, or ask for ?cascade=true (--cascade), which removes them too" +
                       (leaving_.empty() ? "" : "; a user who is in other teams only leaves"));
}

}  // namespace

std::expected<RemovalPlan, ApiAnswer> plan_removal(const ApiContext& context, const ApiRequest& request,
                                                   const store::Object& object) {
  return Planner(context, request).plan(object);
}

std::expected<void, ApiAnswer> check_rename(const ApiContext& context, const ApiRequest& request,
                                            const store::Object& object, const store::Object& after) {
  return Planner(context, request).check_rename(object, after);
}

}  // namespace llmgw::admin
