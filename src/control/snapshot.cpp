#include "control/snapshot.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "control/config_loader.h"
#include "control/governance_builder.h"
#include "control/settings.h"
#include "routing/pattern.h"

namespace llmgw::control {

class SnapshotBuilder {
 public:
  SnapshotBuilder(const Config& config, const SnapshotInputs& inputs)
      : config_(config), inputs_(inputs), snapshot_(std::make_shared<Snapshot>()) {}

  std::expected<std::shared_ptr<const Snapshot>, ConfigErrors> build() {
    add_settings();
    add_connections();
    add_models();
    add_prices();
    add_keys();
    add_administrators();
    if (!errors_.empty()) return std::unexpected(std::move(errors_));
    return std::move(snapshot_);
  }

 private:
  void add_settings();
  void add_connections();
  void add_models();
  void index_models();
  void add_routes();
  void add_prices();
  void add_keys();
  void add_administrators();
  template <class Section>
  void index_keys(const std::vector<Section>& sections, std::string_view noun, KeyTable& keys, HashedKeyTable& hashed);
  Connection make_connection(const ConnectionConfig& from, providers::Upstream upstream);

  const Config& config_;
  const SnapshotInputs& inputs_;
  std::shared_ptr<Snapshot> snapshot_;
  ConfigErrors errors_;
  std::unordered_map<std::string_view, uint32_t> connection_indices_;
};

void SnapshotBuilder::add_settings() {
  auto& snapshot = *snapshot_;
  snapshot.version = inputs_.version;
  snapshot.server = config_.server;
  snapshot.server_tls = config_.server_tls;
  snapshot.log = config_.log;
  snapshot.metrics = config_.metrics;
  snapshot.store = config_.store;
  snapshot.dns_ttl_min = config_.upstream.dns_ttl_min;
  snapshot.dns_ttl_max = config_.upstream.dns_ttl_max;
  const auto invalid = [&](std::string_view key, const std::string& message) {
    errors_.add(location_of(config_.server, SectionId::server, key), "server." + std::string(key) + ": " + message);
  };
  for (const auto& text : config_.server.listen) {
    auto address = parse_listen_address(text);
    if (address) {
      snapshot.listen.push_back(std::move(*address));
    } else {
      invalid("listen", address.error());
    }
  }
  if (!config_.server.admin_listen.empty()) {
    auto address = parse_listen_address(config_.server.admin_listen);
    if (address) {
      snapshot.admin_listen = std::move(*address);
    } else {
      invalid("admin_listen", address.error());
    }
  }
  for (const auto& text : config_.server.trusted_proxies) {
    if (const auto network = parse_network(text)) {
      snapshot.trusted_proxies.push_back(*network);
    } else {
      invalid("trusted_proxies", network.error());
    }
  }
}

namespace {

// OpenAI and Azure have both APIs; of another address nothing is known but that everybody has chat completions.
UpstreamApi resolve_api(UpstreamApi configured, std::string_view host) {
  if (configured != UpstreamApi::automatic) return configured;
  const bool has_both = host == "api.openai.com" || host.ends_with(".openai.azure.com");
  return has_both ? UpstreamApi::both : UpstreamApi::chat;
}

// By name: those that compute prompts one after the other and put what is too much for them into a queue of their own.
bool is_engine(const ConnectionConfig& connection) {
  constexpr std::array<std::string_view, 3> kEngines{"vllm", "sglang", "llamacpp"};
  const auto named = [&](const std::string& name) { return std::ranges::find(kEngines, name) != kEngines.end(); };
  return named(connection.provider) || named(connection.vendor);
}

}  // namespace

Connection SnapshotBuilder::make_connection(const ConnectionConfig& from, providers::Upstream upstream) {
  const auto& base = config_.upstream;
  const auto& tls = config_.upstream_tls;
  const UpstreamApi api = resolve_api(from.api, upstream.endpoint.host);
  TlsClientSettings settings{.verify = from.tls.verify.value_or(tls.verify),
                             .ca_file = from.tls.ca_file.value_or(tls.ca_file),
                             .client_certificate = from.tls.client_certificate.value_or(tls.client_certificate),
                             .client_key = from.tls.client_key.value_or(tls.client_key),
                             .server_name = from.tls.server_name.value_or(tls.server_name)};
  if (!settings.ca_file.empty() || !settings.client_certificate.empty())
    settings.files_version = inputs_.tls_files_version;
  // check_config has refused what this cannot read.
  auto proxy = parse_proxy((from.proxy ? *from.proxy : base.proxy).value.reveal());
  return {.name = from.name,
          .upstream = std::move(upstream),
          .timeouts = {.connect = from.connect_timeout.value_or(base.connect_timeout),
                       .first_byte = from.first_byte_timeout.value_or(base.first_byte_timeout),
                       .idle = from.idle_timeout.value_or(base.idle_timeout),
                       .total = from.total_timeout.value_or(base.total_timeout)},
          .pool = {.max_connections = from.max_connections.value_or(base.max_connections),
                   .idle_connections = from.idle_connections.value_or(base.idle_connections),
                   .idle_keepalive = from.idle_keepalive.value_or(base.idle_keepalive),
                   .http2 = from.http2.value_or(base.http2),
                   .proxy = proxy ? std::move(*proxy) : ProxyChoice{}},
          .tls = std::move(settings),
          .api = api,
          .priority = from.priority,
          .weight = from.weight,
          .metrics_path = from.metrics_path,
          .probe_path = from.probe_path,
          .max_in_flight = from.max_in_flight.value_or(0),
          .is_engine = !from.metrics_path.empty() || is_engine(from)};
}

void SnapshotBuilder::add_connections() {
  snapshot_->connections.reserve(config_.connections.size());
  for (const auto& from : config_.connections) {
    auto upstream = providers::prepare_upstream(upstream_options(from));
    if (!upstream) {
      for (const auto& fault : upstream.error()) {
        errors_.add(location_of(from, SectionId::connection, fault.key), "connections: " + fault.message);
      }
      continue;
    }
    connection_indices_.emplace(from.name, static_cast<uint32_t>(snapshot_->connections.size()));
    snapshot_->connections.push_back(make_connection(from, std::move(*upstream)));
  }
}

void SnapshotBuilder::add_models() {
  auto& models = snapshot_->models;
  models.reserve(config_.models.size());
  std::unordered_map<std::string_view, const ConnectionConfig*> configured;
  for (const auto& connection : config_.connections) configured.emplace(connection.name, &connection);
  for (const auto& from : config_.models) {
    const auto found = connection_indices_.find(from.connection);
    if (found == connection_indices_.end()) {
      errors_.add(location_of(from, SectionId::model, "connection"), "models: there is no such connection");
      continue;
    }
    const auto& own = configured.at(from.connection)->owned_by;
    const auto vendor = snapshot_->connections[found->second].upstream.provider->owned_by;
    models.push_back({.name = from.name,
                      .connection = found->second,
                      .remote = from.remote,
                      .deployment = from.deployment,
                      .owned_by = !from.owned_by.empty() ? from.owned_by
                                  : own.empty()          ? std::string(vendor)
                                                         : own,
                      .created = from.created != 0 ? from.created : inputs_.created_default});
  }
  index_models();
  add_routes();
}

void SnapshotBuilder::add_routes() {
  auto& snapshot = *snapshot_;
  for (const auto& route : config_.routes) snapshot.routes.push_back(make_route(route));
  snapshot.routes.push_back(make_route(default_section<RouteConfig>(SectionId::route)));
  for (Model& model : snapshot.models) {
    const auto found = std::ranges::find_if(config_.routes, [&](const RouteConfig& route) {
      return std::ranges::any_of(route.models, [&](const std::string& name) {
        return name == model.name || routing::matches(name, model.name);
      });
    });
    model.route = static_cast<uint32_t>(found - config_.routes.begin());
  }
}

void SnapshotBuilder::index_models() {
  const auto& models = snapshot_->models;
  std::vector<routing::ModelEntry> entries;
  entries.reserve(models.size());
  for (uint32_t i = 0; i < models.size(); ++i) entries.push_back({models[i].name, models[i].owned_by, i});
  const auto rank = [&](const routing::ModelEntry& entry) {
    return std::pair(snapshot_->connections[models[entry.id].connection].priority, entry.id);
  };
  std::ranges::sort(entries, {}, rank);
  if (auto table = routing::ModelTable::build(entries)) {
    snapshot_->model_table_ = std::move(*table);
  } else {
    errors_.add({}, "models: " + std::string(table.error().context));
  }
}

void SnapshotBuilder::add_prices() {
  auto& snapshot = *snapshot_;
  snapshot.ledger = config_.ledger;
  snapshot.redis = config_.redis;
  snapshot.prices = PriceTable::build(config_.prices, shipped_prices());
  for (Model& model : snapshot.models) {
    const std::string_view name = model.upstream_name(model.name);
    if (name.find('*') != std::string_view::npos) continue;
    const Connection& connection = snapshot.connections[model.connection];
    model.price = snapshot.prices.find(connection.name, connection.upstream.provider->name, name);
  }
}

// Every entry is found by its key, or by the hashes of those it has.
template <class Section>
void SnapshotBuilder::index_keys(const std::vector<Section>& sections, std::string_view noun, KeyTable& keys,
                                 HashedKeyTable& hashed) {
  size_t plain = 0;
  size_t hashes = 0;
  for (const auto& section : sections) {
    plain += section.key.empty() ? 0 : 1;
    hashes += section.hashes.size();
  }
  keys = KeyTable(inputs_.hash_key, plain);
  hashed = HashedKeyTable(inputs_.key_hasher, hashes);
  for (uint32_t i = 0; i < sections.size(); ++i) {
    bool unique = sections[i].key.empty() || keys.add(sections[i].key.reveal(), i);
    for (const HashedKey& each : sections[i].hashes) unique = hashed.add(each.hash, i, each.until) && unique;
    if (!unique) errors_.add(sections[i].at, std::string(noun) + ": the same key is given twice");
  }
}

void SnapshotBuilder::add_administrators() {
  for (const AdminKeyConfig& from : config_.admin_keys) {
    snapshot_->administrators.push_back({.name = from.name,
                                         .role = from.role,
                                         .team = from.team,
                                         .blocked = from.blocked,
                                         .expires = from.expires.value_or(Timestamp{INT64_MAX})});
  }
  index_keys(config_.admin_keys, "admin_keys", snapshot_->admin_keys_, snapshot_->hashed_admin_keys_);
}

void SnapshotBuilder::add_keys() {
  auto& snapshot = *snapshot_;
  snapshot.principals.reserve(config_.keys.size() + 1);
  admission::MeterTable own_meters;
  GovernanceBuilder(config_, snapshot, inputs_.meters != nullptr ? *inputs_.meters : own_meters, errors_).build();
  index_keys(config_.keys, "keys", snapshot.keys_, snapshot.hashed_keys_);
  snapshot.anonymous_ = config_.server.allow_anonymous;
  snapshot.any_key_ = snapshot.anonymous_ && config_.keys.empty();
  if (snapshot.anonymous_)
    snapshot.principals.push_back(
        {.name = std::string(kAnonymous), .id = std::string(kAnonymous), .models = ModelFilter({"*"})});
}

bool Snapshot::allowed_above(const Principal& principal, std::string_view model) const {
  return (principal.user == kNone || users[principal.user].models.allows(model)) &&
         (principal.team == kNone || teams[principal.team].models.allows(model)) &&
         (principal.organization == kNone || organizations[principal.organization].models.allows(model));
}

std::optional<Resolution> Snapshot::resolve(const Principal& principal, std::string_view model,
                                            std::string_view owned_by) const {
  const auto own = assignments_of(principal);
  const auto assigned =
      std::ranges::lower_bound(own, model, {}, [](const Assignment& each) -> std::string_view { return each.alias; });
  if (assigned != own.end() && assigned->alias == model) {
    if (!allowed_above(principal, assigned->model)) return std::nullopt;
    return Resolution{.group = assigned->group, .model = assigned->model, .assignment = &*assigned};
  }
  auto group = resolve(model, owned_by);
  if (!group && !owned_by.empty()) group = resolve(model);
  if (!group || !allows(principal, model)) return std::nullopt;
  return Resolution{.group = *group, .model = model};
}

std::optional<Resolution> Snapshot::resolve_fallback(const Principal& principal, std::string_view model) const {
  const auto by = [](const Assignment& own) {
    return Resolution{.group = own.group, .model = own.model, .assignment = &own};
  };
  // An assignment may be of one connection; of several the one that may go to most.
  const Assignment* best = nullptr;
  for (const Assignment& own : assignments_of(principal)) {
    if (own.model != model || !allows(principal, own)) continue;
    if (own.alias == model) return by(own);  // as if it were asked for
    if (best == nullptr || best->group.targets.size() < own.group.targets.size()) best = &own;
  }
  if (allows(principal, model)) {
    const auto group = resolve(model);
    return group ? std::optional(Resolution{.group = *group, .model = model}) : std::nullopt;
  }
  return best == nullptr ? std::nullopt : std::optional(by(*best));
}

const Principal* Snapshot::authenticate(std::string_view key, int64_t now) const {
  if (any_key_ || (anonymous_ && key.empty())) return &principals.back();
  auto found = keys_.find(key);
  if (!found) found = hashed_keys_.find(key, now);
  return found ? &principals[*found] : nullptr;
}

const Administrator* Snapshot::authenticate_admin(std::string_view key, int64_t now) const {
  auto found = admin_keys_.find(key);
  if (!found) found = hashed_admin_keys_.find(key, now);
  return found ? &administrators[*found] : nullptr;
}

std::expected<std::shared_ptr<const Snapshot>, ConfigErrors> build_snapshot(const Config& config,
                                                                            const SnapshotInputs& inputs) {
  return SnapshotBuilder(config, inputs).build();
}

}  // namespace llmgw::control
