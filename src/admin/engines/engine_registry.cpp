#include "admin/engines/engine_registry.h"

#include <algorithm>
#include <boost/json.hpp>
#include <iterator>

#include "base/did_you_mean.h"
#include "base/rng.h"
#include "control/objects/object_merge.h"
#include "control/settings.h"
#include "control/units.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using base::Instant;

constexpr size_t kModelsMax = 256;  // LoRA adapters count as models
constexpr size_t kNameMax = 100;

std::string new_token() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string token = "eng-";
  for (int word = 0; word < 4; ++word) {
    uint64_t bits = base::system_random();
    for (int i = 0; i < 16; ++i, bits >>= 4) token += kDigits[bits & 15];
  }
  return token;
}

std::string text_of(const bj::value& value) {
  return value.is_string() ? std::string(value.get_string()) : std::string();
}

// "name", or {"name": ..., "remote": ...}.
bool read_model(const bj::value& value, EngineOffer& offer) {
  std::string name = text_of(value);
  std::string remote;
  if (value.is_object()) {
    const bj::object& fields = value.get_object();
    if (const auto* given = fields.if_contains("name")) name = text_of(*given);
    if (const auto* given = fields.if_contains("remote")) remote = text_of(*given);
  }
  if (name.empty()) return false;
  offer.models.push_back(std::move(name));
  offer.remotes.push_back(std::move(remote));
  return true;
}

// Clients and proxies take empty and dot segments out of a path.
bool may_stand_in_path(std::string_view name) {
  for (bool more = true; more;) {
    const size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    more = slash != std::string_view::npos;
    if (more) name.remove_prefix(slash + 1);
  }
  return true;
}

// Everything beside models and lifetime is a connection's.
std::string unknown_field(const bj::object& fields) {
  std::vector<std::string_view> known = {"models", "lifetime", "tls"};
  for (const control::Setting& each : control::section_table(control::SectionId::connection).settings) {
    known.push_back(each.key);
  }
  for (const auto& [name, value] : fields) {
    const std::string_view field(name.data(), name.size());
    if (std::ranges::find(known, field) != known.end()) continue;
    const std::string near = base::did_you_mean(field, known);
    return std::string(field) + ": unknown field" +
           (near.empty() ? std::string("; an engine has name, endpoint, models, lifetime and what a connection has")
                         : near);
  }
  return {};
}

// The gateway's own credentials are none that an engine may have sent to its endpoint, nor may it name files of theirs.
std::string credential_in(const bj::object& fields) {
  for (const std::string_view field :
       {"api_key", "access_token", "access_key_id", "secret_access_key", "session_token", "service_account_file"}) {
    if (fields.if_contains(field) != nullptr) return std::string(field);
  }
  const auto* const tls = fields.if_contains("tls");
  if (tls == nullptr || !tls->is_object()) return {};
  for (const std::string_view field : {"client_certificate", "client_key"}) {
    if (tls->get_object().if_contains(field) != nullptr) return "tls." + std::string(field);
  }
  return {};
}

store::Object connection_object(const EngineOffer& offer) {
  return {.id = std::string(control::kEngineConnectionId) + offer.name,
          .kind = "connection",
          .name = offer.name,
          .natural_key = offer.name,
          .document = offer.connection,
          .version = 1};
}

store::Object model_object(const EngineOffer& offer, size_t index) {
  bj::object document{{"name", offer.models[index]}, {"connection", offer.name}};
  if (!offer.remotes[index].empty()) document["remote"] = offer.remotes[index];
  return {.id = std::string(control::kEngineModelId) + offer.name + "_" + std::to_string(index),
          .kind = "model",
          .name = offer.models[index],
          .natural_key = offer.models[index] + "\n" + offer.name,
          .document = bj::serialize(document),
          .version = 1};
}

}  // namespace

std::expected<EngineOffer, std::string> read_engine_offer(std::string_view body) {
  boost::system::error_code error;
  bj::value document = bj::parse({body.data(), body.size()}, error);
  if (error) return std::unexpected("the body is not JSON: " + error.message());
  if (!document.is_object()) return std::unexpected(R"(the body must be a JSON object, as in {"name": "x"})");
  bj::object fields = std::move(document.get_object());
  EngineOffer offer;
  if (const auto* name = fields.if_contains("name")) offer.name = text_of(*name);
  if (offer.name.empty() || offer.name.size() > kNameMax) return std::unexpected("name: a text of 1 to 100 characters");
  if (!may_stand_in_path(offer.name)) {
    return std::unexpected(
        "name: it stands in the path of its heartbeats, so '/' may only divide it, and no part may be "
        "'.' or '..'");
  }
  const auto* const endpoint = fields.if_contains("endpoint");
  if (endpoint == nullptr || text_of(*endpoint).empty()) {
    return std::unexpected("endpoint: where the gateway reaches the engine, as in http://10.0.0.5:8000/v1");
  }
  const auto* const models = fields.if_contains("models");
  if (models == nullptr || !models->is_array() || models->get_array().empty() ||
      models->get_array().size() > kModelsMax) {
    return std::unexpected("models: the names it serves, 1 to 256");
  }
  for (const bj::value& model : models->get_array()) {
    if (!read_model(model, offer)) return std::unexpected("models: a name, or an object with name and remote, each");
  }
  if (const auto* lifetime = fields.if_contains("lifetime")) {
    const auto read = control::parse_duration(text_of(*lifetime));
    if (!read || *read < EngineRegistry::kLifetimeMin || *read > EngineRegistry::kLifetimeMax) {
      return std::unexpected("lifetime: a time between \"1s\" and \"1h\"");
    }
    offer.lifetime = *read;
  }
  if (std::string credential = credential_in(fields); !credential.empty()) {
    return std::unexpected(credential +
                           ": an engine that wants a credential is a connection; credentials are kept in the store");
  }
  fields.erase("models");
  fields.erase("lifetime");
  if (std::string unknown = unknown_field(fields); !unknown.empty()) return std::unexpected(std::move(unknown));
  if (fields.if_contains("provider") == nullptr) fields["provider"] = "vllm";
  offer.connection = bj::serialize(fields);
  return offer;
}

std::vector<store::Object> engine_objects(const EngineOffer& offer) {
  std::vector<store::Object> all{connection_object(offer)};
  for (size_t i = 0; i < offer.models.size(); ++i) all.push_back(model_object(offer, i));
  return all;
}

std::optional<EngineRegistry::Registered> EngineRegistry::put(const EngineOffer& offer, Instant now) {
  Registered registered;
  bool changed = false;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = engines_.find(offer.name);
    if (found == engines_.end() && engines_.size() >= kEnginesMax) return std::nullopt;
    registered.is_new = found == engines_.end();
    Engine& engine = engines_[offer.name];
    if (registered.is_new) engine.token = new_token();
    changed = registered.is_new || engine.offer.connection != offer.connection || engine.offer.models != offer.models ||
              engine.offer.remotes != offer.remotes;
    engine.offer = offer;
    engine.until = now + offer.lifetime;
    registered.token = engine.token;
  }
  if (changed) tell();
  return registered;
}

EngineRegistry::Heard EngineRegistry::heartbeat(std::string_view name, std::string_view token, Instant now) {
  const std::scoped_lock lock(mutex_);
  const auto found = engines_.find(name);
  if (found == engines_.end()) return Heard::unknown;
  if (found->second.token != token) return Heard::wrong_token;
  found->second.until = now + found->second.offer.lifetime;
  return Heard::yes;
}

EngineRegistry::Heard EngineRegistry::remove(std::string_view name, const std::string_view* token) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = engines_.find(name);
    if (found == engines_.end()) return Heard::unknown;
    if (token != nullptr && found->second.token != *token) return Heard::wrong_token;
    engines_.erase(found);
  }
  tell();
  return Heard::yes;
}

std::vector<std::string> EngineRegistry::expire(Instant now) {
  std::vector<std::string> gone;
  {
    const std::scoped_lock lock(mutex_);
    std::erase_if(engines_, [&](const auto& item) {
      if (item.second.until > now) return false;
      gone.push_back(item.first);
      return true;
    });
  }
  if (!gone.empty()) tell();
  return gone;
}

std::vector<EngineRegistry::Entry> EngineRegistry::list(Instant now) const {
  const std::scoped_lock lock(mutex_);
  std::vector<Entry> all;
  for (const auto& [name, engine] : engines_) {
    all.push_back(
        {.name = name, .models = engine.offer.models, .lifetime = engine.offer.lifetime, .left = engine.until - now});
  }
  return all;
}

std::vector<store::Object> EngineRegistry::objects() const {
  const std::scoped_lock lock(mutex_);
  std::vector<store::Object> all;
  for (const auto& [name, engine] : engines_) {
    std::ranges::move(engine_objects(engine.offer), std::back_inserter(all));
  }
  return all;
}

}  // namespace llmgw::admin
