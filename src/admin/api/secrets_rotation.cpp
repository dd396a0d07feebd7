#include "admin/api/secrets_rotation.h"

#include <boost/json.hpp>

#include "admin/api/object_edit.h"
#include "control/objects/object_document.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;

// True if anything was sealed anew. `place` grows by the names of the members.
base::Result<bool> reseal(bj::value& value, std::string_view id, const std::string& field, const store::Vault& vault) {
  if (value.is_object()) {
    bool any = false;
    for (auto& [key, each] : value.get_object()) {
      const std::string inner = (field.empty() ? "" : field + ".") + std::string(key.data(), key.size());
      TRY(done, reseal(each, id, inner, vault));
      any = any || done;
    }
    return any;
  }
  if (!value.is_string()) return false;
  const std::string text(value.get_string().data(), value.get_string().size());
  if (!vault.outdated(text)) return false;
  const std::string place = control::sealing_place(id, field);
  TRY(plain, vault.open(place, text));
  value = vault.seal(place, plain.reveal());
  return true;
}

}  // namespace

ApiAnswer rotate_secrets(const ApiContext& context, const ApiRequest& request) {
  auto everything = context.store.load_all();
  if (!everything) return store_failed(everything.error());
  std::vector<store::ObjectChange> changes;
  for (store::Object& object : everything->objects) {
    boost::system::error_code error;
    bj::value document = bj::parse(object.document, error);
    if (error) continue;
    const auto changed = reseal(document, object.id, "", *context.secrets.vault);
    if (!changed) {
      return api_error(409, "unreadable",
                       "a secret of " + object.kind + " '" + object.name + "' does not open (" +
                           changed.error().context + "); nothing was changed");
    }
    if (!*changed) continue;
    const int64_t version = object.version;
    object.document = bj::serialize(document);
    changes.push_back({.action = store::ObjectChange::Action::update,
                       .object = std::move(object),
                       .references = {},
                       .expected_version = version});
  }
  for (store::ObjectChange& change : changes) {
    auto references = context.store.references(change.object.id);
    if (!references) return store_failed(references.error());
    change.references = std::move(*references);
  }
  const store::AuditEntry entry{.at_ms = request.now_ms,
                                .actor = request.actor.name,
                                .address = request.actor.address,
                                .action = "rotate secrets",
                                .detail = "{}"};
  const std::vector<store::AuditEntry> audit(changes.size(), entry);
  const auto result = context.store.apply(changes, audit, request.now_ms);
  if (!result) return store_failed(result.error());
  if (result->outcome != store::Applied::done) {
    return api_error(409, "conflict", "somebody changed an object meanwhile; nothing was sealed anew, try again");
  }
  const bj::object answer{{"resealed", changes.size()}, {"key_id", context.secrets.vault->sealing_key_id()}};
  return {.status = 200, .body = bj::serialize(answer), .changed = true};
}

}  // namespace llmgw::admin
