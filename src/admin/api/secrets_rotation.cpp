#include "admin/api/secrets_rotation.h"

#include <algorithm>
#include <boost/json.hpp>
#include <expected>

#include "admin/api/object_edit.h"
#include "control/objects/object_document.h"
#include "store/objects/gateway_list.h"

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

// Changes of every object that holds something sealed under another key than `vault` seals with.
std::expected<std::vector<store::ObjectChange>, ApiAnswer> outdated(store::ObjectStore& from,
                                                                    const store::Vault& vault) {
  auto everything = from.load_all();
  if (!everything) return std::unexpected(store_failed(everything.error()));
  std::vector<store::ObjectChange> changes;
  for (store::Object& object : everything->objects) {
    boost::system::error_code error;
    bj::value document = bj::parse(object.document, error);
    if (error) continue;
    const auto changed = reseal(document, object.id, "", vault);
    if (!changed) {
      return std::unexpected(api_error(409, "unreadable",
                                       "a secret of " + object.kind + " '" + object.name + "' does not open (" +
                                           changed.error().context + "); nothing was changed"));
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
    auto references = from.references(change.object.id);
    if (!references) return std::unexpected(store_failed(references.error()));
    change.references = std::move(*references);
  }
  return changes;
}

// How many objects were sealed anew.
std::expected<size_t, ApiAnswer> reseal_all(const ApiContext& context, const ApiRequest& request,
                                            const store::Vault& vault) {
  auto changes = outdated(context.store, vault);
  if (!changes) return std::unexpected(std::move(changes).error());
  if (changes->empty()) return 0;
  const store::AuditEntry entry{.at_ms = request.now_ms,
                                .actor = request.actor.name,
                                .address = request.actor.address,
                                .action = "rotate secrets",
                                .detail = "{}"};
  const std::vector<store::AuditEntry> audit(changes->size(), entry);
  const auto result = context.store.apply(*changes, audit, request.now_ms);
  if (!result) return std::unexpected(store_failed(result.error()));
  if (result->outcome != store::Applied::done) {
    return std::unexpected(
        api_error(409, "conflict", "somebody changed an object meanwhile; nothing was sealed anew, try again"));
  }
  return changes->size();
}

// Gateways on the store that could not read what is sealed under the new key: they would go on with what they have,
// whatever is blocked or removed from then on. A key of the program's own file is no other machine's.
std::expected<void, ApiAnswer> others_can_follow(const ApiContext& context, bool makes_key) {
  const auto gateways = store::running_gateways(context.store.session());
  if (!gateways) return std::unexpected(store_failed(gateways.error()));
  std::string left_behind;
  for (const store::GatewayEntry& each : *gateways) {
    const bool follows =
        makes_key ? each.key_file == context.access->key_place()
                  : std::ranges::find(each.key_ids, context.secrets.vault->sealing_key_id()) != each.key_ids.end();
    if (follows) continue;
    left_behind.append(left_behind.empty() ? "" : ", ").append(each.host).append(", heard of ");
    left_behind.append(std::to_string(each.seconds_ago)).append(" s ago");
  }
  if (left_behind.empty()) return {};
  const std::string remedy =
      makes_key ? "The new key would be in a file of this machine alone: write the key into store.master_key of all "
                  "gateways of the store"
                : "Write the new key in front of the old one in store.master_key there, and restart them";
  return std::unexpected(api_error(
      409, "gateways_left_behind",
      "other gateways run on this store and could not read what is sealed under the new master key: " + left_behind +
          "; nothing was sealed anew. " + remedy + ", then rotate. One that ended without a word is forgotten after " +
          std::to_string(store::kGatewayGone.count()) + " s"));
}

// Another process may seal with the old key until it has seen the new one: what it wrote is found by looking again.
constexpr int kRoundsMax = 5;

}  // namespace

ApiAnswer rotate_secrets(const ApiContext& context, const ApiRequest& request) {
  const bool makes_key = context.access != nullptr && context.access->owns_master_key();
  if (auto follow = others_can_follow(context, makes_key); !follow) return std::move(follow).error();
  if (makes_key) {
    if (const auto begun = context.access->begin_rotation(); !begun) {
      return api_error(
          500, "master_key",
          "no new master key could be written: " + std::string(begun.error().context) + "; nothing was changed");
    }
  }
  const auto vault = makes_key ? context.access->vault() : context.secrets.vault;
  size_t resealed = 0;
  for (int round = 0; round < kRoundsMax; ++round) {
    const auto count = reseal_all(context, request, *vault);
    if (!count) return count.error();
    resealed += *count;
    if (*count == 0) break;
  }
  if (makes_key) {
    if (const auto ended = context.access->end_rotation(); !ended) {
      return api_error(500, "master_key",
                       "everything is sealed under the new master key, but the old one is still in its file: " +
                           std::string(ended.error().context));
    }
  }
  const bj::object answer{{"resealed", resealed}, {"key_id", vault->sealing_key_id()}};
  return {.status = 200, .body = bj::serialize(answer), .changed = true};
}

}  // namespace llmgw::admin
