#include "admin/api/object_judge.h"

#include <algorithm>
#include <boost/json.hpp>

#include "admin/api/object_fields.h"
#include "admin/api/object_lookup.h"
#include "control/objects/object_identity.h"
#include "routing/pattern.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using control::ObjectKind;
using control::ReferenceField;
using Checked = std::expected<void, ApiAnswer>;

class Judge {
 public:
  Judge(const ApiContext& context, const ObjectKind& kind) : context_(context), kind_(kind) {}

  Checked judge(const store::ObjectChange& change);

 private:
  // The object and what it cannot be without, up to the roots.
  Checked gather(const store::Object& object, const std::vector<std::string>& references,
                 std::vector<store::Object>& all);
  Checked gather_served(const store::Object& model, std::vector<store::Object>& all);
  Checked gather_models(const store::Object& object, std::vector<store::Object>& all);
  Checked gather_patterns(std::string_view name, std::vector<store::Object>& all);

  const ApiContext& context_;
  const ObjectKind& kind_;
};

Checked Judge::gather(const store::Object& object, const std::vector<std::string>& references,
                      std::vector<store::Object>& all) {
  all.push_back(object);
  for (const std::string& id : references) {
    if (std::ranges::find(all, id, &store::Object::id) != all.end()) continue;
    auto target = context_.store.get(id);
    if (!target) return std::unexpected(store_failed(target.error()));
    if (!*target) return invalid_request("there is no " + id);
    const ObjectKind* const kind = control::find_kind((*target)->kind);
    std::vector<std::string> further;
    const bj::object document = document_of(**target);
    for (const ReferenceField& field : kind == nullptr ? std::span<const ReferenceField>() : kind->references) {
      for (const std::string_view to : texts_of(document, field.field)) {
        if (control::is_object_id(*control::find_kind(field.kind), to)) further.emplace_back(to);
      }
    }
    if (auto gathered = gather(**target, further, all); !gathered) return gathered;
  }
  return {};
}

// A model with its connection, by which its natural key ends.
Checked Judge::gather_served(const store::Object& model, std::vector<store::Object>& all) {
  std::vector<std::string> connection;
  const std::string id = model.natural_key.substr(model.natural_key.rfind('\n') + 1);
  if (control::is_object_id(*control::find_kind("connection"), id)) connection.push_back(id);
  return gather(model, connection, all);
}

// An assignment by a model's name: whoever serves it must be in sight.
Checked Judge::gather_models(const store::Object& object, std::vector<store::Object>& all) {
  if (kind_.section != control::SectionId::assignment) return {};
  const bj::object document = document_of(object);
  const std::string_view name = text_of(document, "model");
  if (control::is_object_id(*control::find_kind("model"), name)) return {};  // it is a reference
  bool any = false;
  for (std::string after;;) {
    const auto page =
        context_.store.list({.kind = "model", .name = name, .after = after, .limit = store::ObjectStore::kPageMax});
    if (!page) return std::unexpected(store_failed(page.error()));
    any = any || !page->objects.empty();
    for (const store::Object& model : page->objects) {
      if (auto gathered = gather_served(model, all); !gathered) return gathered;
    }
    if (!page->more) break;
    after = page->objects.back().id;
  }
  return any ? Checked{} : gather_patterns(name, all);
}

// Served by none of that name: by one whose name is a pattern, or by nobody.
Checked Judge::gather_patterns(std::string_view name, std::vector<store::Object>& all) {
  const auto serves = [&](std::string_view model) { return model == name || routing::matches(model, name); };
  bool served = std::ranges::any_of(context_.file.models, serves, &control::ModelConfig::name);
  for (std::string after;;) {
    const auto page = context_.store.list({.kind = "model", .after = after, .limit = store::ObjectStore::kPageMax});
    if (!page) return std::unexpected(store_failed(page.error()));
    for (const store::Object& model : page->objects) {
      if (!serves(model.name)) continue;
      served = true;
      if (auto gathered = gather_served(model, all); !gathered) return gathered;
    }
    if (!page->more) break;
    after = page->objects.back().id;
  }
  if (served || name.empty() || routing::is_pattern(name)) return {};
  return invalid_request("model: " + no_such_object(context_, *control::find_kind("model"), name));
}

Checked Judge::judge(const store::ObjectChange& change) {
  std::vector<store::Object> all;
  // A route's models may be any.
  if (kind_.section == control::SectionId::route) {
    auto everything = context_.store.load_all();
    if (!everything) return std::unexpected(store_failed(everything.error()));
    all = std::move(everything->objects);
    // One of the same name is for the store to refuse.
    const store::Object& own = change.object;
    std::erase_if(all, [&](const store::Object& each) {
      return each.id == own.id || (each.kind == own.kind && each.natural_key == own.natural_key);
    });
    all.push_back(change.object);
  } else {
    if (auto gathered = gather(change.object, change.references, all); !gathered) return gathered;
    if (auto served = gather_models(change.object, all); !served) return served;
  }
  const control::ObjectMerger merger(context_.file, all, context_.secrets, context_.environment);
  for (const control::ObjectNote& note : merger.notes()) {
    if (note.id != change.object.id) continue;
    const bool conflict = note.hidden || note.problem == control::kSameKey;
    return conflict ? std::unexpected(api_error(409, "conflict", note.problem)) : invalid_request(note.problem);
  }
  return {};
}

}  // namespace

std::expected<void, ApiAnswer> judge_change(const ApiContext& context, const ObjectKind& kind,
                                            const store::ObjectChange& change) {
  return Judge(context, kind).judge(change);
}

}  // namespace llmgw::admin
