// What is wrong between settings rather than within one.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/did_you_mean.h"
#include "base/text.h"
#include "control/address.h"
#include "control/config_loader.h"
#include "control/config_place.h"
#include "control/private_url.h"
#include "providers/families.h"
#include "providers/upstream.h"
#include "store/vault/key_ring.h"

namespace llmgw::control {
namespace {

using providers::ProviderKind;

// The kernel picks another port each time, so the same text is not the same address.
bool picks_port(const ListenAddress& address) {
  return address.unix_path.empty() && address.port == 0;
}

class Checker {
 public:
  Checker(const Config& config, const Environment& environment, ConfigErrors& errors)
      : config_(config), environment_(environment), errors_(errors) {}

  void check() {
    check_server();
    check_upstream();
    check_connections();
    check_models();
    check_keys();
    check_admin();
  }

 private:
  void check_server();
  void check_upstream();
  void check_connections();
  void check_provider(const ConnectionConfig& connection);
  void check_keys_of_provider(const ConnectionConfig& connection, ProviderKind kind);
  void check_models();
  void check_keys();
  void check_admin();
  void check_admin_keys();
  void check_pair(const SectionBase& section, SectionId id, std::string_view a_key, std::string_view a,
                  std::string_view b_key, std::string_view b);
  void check_file(const SectionBase& section, SectionId id, std::string_view key, std::string_view path);
  void check_proxy(const SectionBase& section, SectionId id, const ProxyUrl& proxy);

  void fault(const SectionBase& section, SectionId id, std::string_view key, std::string_view message) {
    errors_.add(location_of(section, id, key),
                std::string(section_table(id).name) + "." + std::string(key) + ": " + std::string(message));
  }

  const Config& config_;
  const Environment& environment_;
  ConfigErrors& errors_;
  std::unordered_map<std::string_view, const ConnectionConfig*> connections_;
};

void Checker::check_pair(const SectionBase& section, SectionId id, std::string_view a_key, std::string_view a,
                         std::string_view b_key, std::string_view b) {
  if (a.empty() == b.empty()) return;
  const auto present = a.empty() ? b_key : a_key;
  const auto missing = a.empty() ? a_key : b_key;
  fault(section, id, present, "needs " + std::string(missing) + " beside it");
}

void Checker::check_file(const SectionBase& section, SectionId id, std::string_view key, std::string_view path) {
  if (path.empty()) return;
  const std::string file(path);
  if (const auto text = environment_.read_file(file); !text && text.error().code != base::ErrorCode::too_large) {
    fault(section, id, key, "file " + file + " cannot be read: " + reason(text.error()));
  }
}

void Checker::check_proxy(const SectionBase& section, SectionId id, const ProxyUrl& proxy) {
  if (const auto parsed = parse_proxy(proxy.value.reveal()); !parsed) fault(section, id, "proxy", parsed.error());
}

void Checker::check_server() {
  const auto& server = config_.server;
  std::vector<std::string_view> seen;
  for (const auto& text : server.listen) {
    if (const auto address = parse_listen_address(text); !address) {
      fault(server, SectionId::server, "listen", address.error());
    } else if (!picks_port(*address) && std::ranges::find(seen, std::string_view(text)) != seen.end()) {
      fault(server, SectionId::server, "listen", "the same address is listed twice");
    }
    seen.push_back(text);
  }
  if (!server.admin_listen.empty()) {
    if (const auto address = parse_listen_address(server.admin_listen); !address) {
      fault(server, SectionId::server, "admin_listen", address.error());
    } else if (!picks_port(*address) && std::ranges::find(seen, std::string_view(server.admin_listen)) != seen.end()) {
      fault(server, SectionId::server, "admin_listen", "is also in listen; choose another port, or leave it out");
    }
  }
  for (const auto& text : server.trusted_proxies) {
    if (const auto network = parse_network(text); !network) {
      fault(server, SectionId::server, "trusted_proxies", network.error());
    }
  }
  const auto& tls = config_.server_tls;
  check_pair(tls, SectionId::server_tls, "certificate", tls.certificate, "key", tls.key);
  if (!tls.client_ca.empty() && tls.certificate.empty()) {
    fault(tls, SectionId::server_tls, "client_ca", "needs certificate and key beside it");
  }
  check_file(tls, SectionId::server_tls, "certificate", tls.certificate);
  check_file(tls, SectionId::server_tls, "key", tls.key);
  check_file(tls, SectionId::server_tls, "client_ca", tls.client_ca);
  if (!config_.metrics.is_public && config_.metrics.key.empty()) {
    fault(config_.metrics, SectionId::metrics, "public", "metrics that are not public need key = \"env:METRICS_KEY\"");
  }
}

void Checker::check_upstream() {
  const auto& upstream = config_.upstream;
  check_proxy(upstream, SectionId::upstream, upstream.proxy);
  if (upstream.dns_ttl_min > upstream.dns_ttl_max) {
    fault(upstream, SectionId::upstream, "dns_ttl_min", "is longer than dns_ttl_max");
  }
  const auto& tls = config_.upstream_tls;
  check_pair(tls, SectionId::upstream_tls, "client_certificate", tls.client_certificate, "client_key", tls.client_key);
  check_file(tls, SectionId::upstream_tls, "ca_file", tls.ca_file);
  check_file(tls, SectionId::upstream_tls, "client_certificate", tls.client_certificate);
  check_file(tls, SectionId::upstream_tls, "client_key", tls.client_key);
}

void Checker::check_keys_of_provider(const ConnectionConfig& connection, ProviderKind kind) {
  struct Rule {
    std::string_view key;
    uint32_t kinds;
    std::string_view providers;
  };
  using enum ProviderKind;
  static constexpr auto kBit = [](ProviderKind each) { return 1U << static_cast<uint32_t>(each); };
  static constexpr std::array<Rule, 14> kRules = {{
      {"api", kBit(openai) | kBit(azure) | kBit(bedrock), "openai, azure and bedrock"},
      {"api_version", kBit(azure), "azure"},
      {"organization", kBit(openai), "openai"},
      {"project", kBit(openai) | kBit(vertex), "openai and vertex"},
      {"location", kBit(vertex), "vertex"},
      {"service_account_file", kBit(vertex), "vertex"},
      {"region", kBit(bedrock), "bedrock"},
      {"access_key_id", kBit(bedrock), "bedrock"},
      {"secret_access_key", kBit(bedrock), "bedrock"},
      {"session_token", kBit(bedrock), "bedrock"},
      {"vendor", kBit(openai), "openai"},
      {"auto_cache_system", kBit(anthropic) | kBit(vertex) | kBit(bedrock), "anthropic, vertex and bedrock"},
      {"auto_cache_tools", kBit(anthropic) | kBit(vertex) | kBit(bedrock), "anthropic, vertex and bedrock"},
      {"min_system_tokens", kBit(anthropic) | kBit(vertex) | kBit(bedrock), "anthropic, vertex and bedrock"},
  }};
  // Bedrock's OpenAI surface takes the keys of both.
  const uint32_t kinds = kBit(kind) | (connection.provider == "bedrock-mantle" ? kBit(bedrock) : 0);
  const auto& settings = section_table(SectionId::connection).settings;
  for (const auto& origin : connection.origins) {
    const auto key = settings[origin.setting].key;
    const auto* rule = std::ranges::find(kRules, key, &Rule::key);
    if (rule == kRules.end() || (rule->kinds & kinds) != 0) continue;
    fault(connection, SectionId::connection, key,
          "is only for " + std::string(rule->providers) + "; remove it, or correct provider");
  }
  const bool aws_api = connection.api == UpstreamApi::converse || connection.api == UpstreamApi::invoke;
  if (connection.api != UpstreamApi::automatic && aws_api != (kind == bedrock)) {
    fault(connection, SectionId::connection, "api",
          aws_api ? "is for bedrock; write chat, responses or both" : "is converse or invoke for bedrock");
  }
  if (!connection.vendor.empty() && !providers::is_vendor_name(connection.vendor)) {
    fault(connection, SectionId::connection, "vendor", "is unknown; write the name of a provider of OpenAI's API");
  }
}

void Checker::check_provider(const ConnectionConfig& connection) {
  const auto* info = providers::find_provider(connection.provider);
  if (info == nullptr) {
    std::vector<std::string_view> names;
    for (const auto* each : providers::all_providers()) {
      names.push_back(each->name);
    }
    std::string known;
    for (auto name : names) known.append(known.empty() ? "" : ", ").append(name);
    const auto near = base::closest(connection.provider, names);
    fault(connection, SectionId::connection, "provider",
          "no such provider" + (near.empty() ? "" : "; did you mean " + quote(near) + "?") + " (there are " + known +
              ")");
    return;
  }
  check_keys_of_provider(connection, info->kind);
  const auto upstream = providers::prepare_upstream(upstream_options(connection));
  if (upstream) return;
  // A credential that is there but could not be used has been reported where it stands.
  const auto written = [&](std::string_view key) {
    return std::ranges::any_of(connection.origins, [&](const Origin& origin) {
      return section_table(SectionId::connection).settings[origin.setting].key == key;
    });
  };
  const bool any_written = written("api_key") || written("access_token") || written("access_key_id") ||
                           written("secret_access_key") || written("service_account_file");
  for (const auto& each : upstream.error()) {
    const bool reported = each.no_credential && (each.key == "api_key" ? any_written : written(each.key));
    if (!reported) fault(connection, SectionId::connection, each.key, each.message);
  }
}

void Checker::check_connections() {
  for (const auto& connection : config_.connections) {
    if (!connection.name.empty() && !connections_.emplace(connection.name, &connection).second) {
      const auto& first = *connections_.at(connection.name);
      fault(connection, SectionId::connection, "name",
            "'" + connection.name + "' is already the name of the connection" + on_line(first.at));
    }
    if (!connection.provider.empty()) check_provider(connection);
    if (connection.proxy) check_proxy(connection, SectionId::connection, *connection.proxy);
    const auto& tls = connection.tls;
    const auto text = [](const std::optional<std::string>& value) {
      return value ? std::string_view(*value) : std::string_view();
    };
    check_pair(tls, SectionId::connection_tls, "client_certificate", text(tls.client_certificate), "client_key",
               text(tls.client_key));
    check_file(tls, SectionId::connection_tls, "ca_file", text(tls.ca_file));
    check_file(tls, SectionId::connection_tls, "client_certificate", text(tls.client_certificate));
    check_file(tls, SectionId::connection_tls, "client_key", text(tls.client_key));
  }
}

void Checker::check_models() {
  std::vector<std::string_view> names;
  for (const auto& [name, connection] : connections_) names.push_back(name);
  std::unordered_map<std::string, const ModelConfig*> seen;
  for (const auto& model : config_.models) {
    if (model.connection.empty() || model.name.empty()) continue;
    const auto connection = connections_.find(model.connection);
    if (connection == connections_.end()) {
      const std::string near = base::did_you_mean(model.connection, names);
      fault(model, SectionId::model, "connection",
            "there is no connection '" + model.connection + "'" +
                (near.empty() ? add_or_list(model.at, "connections", "connection") : near));
      continue;
    }
    const auto [first, is_new] = seen.emplace(model.name + '\n' + model.connection, &model);
    if (!is_new) {
      fault(model, SectionId::model, "name",
            "'" + model.name + "' is already served by this connection" + on_line(first->second->at) +
                "; name another connection or remove one of the two");
    }
    const auto* info = providers::find_provider(connection->second->provider);
    if (!model.deployment.empty() && info != nullptr && info->kind != ProviderKind::azure) {
      fault(model, SectionId::model, "deployment", "is only for azure connections; use remote");
    }
  }
}

void Checker::check_keys() {
  std::unordered_map<std::string_view, const KeyConfig*> names;
  std::unordered_map<std::string_view, const KeyConfig*> secrets;
  for (const auto& key : config_.keys) {
    if (!key.name.empty()) {
      if (const auto [first, is_new] = names.emplace(key.name, &key); !is_new) {
        fault(key, SectionId::key, "name",
              "'" + key.name + "' is already the name of the key" + on_line(first->second->at));
      }
    }
    if (key.key.empty()) continue;
    if (const auto [first, is_new] = secrets.emplace(key.key.reveal(), &key); !is_new) {
      fault(key, SectionId::key, "key",
            "is the same key as" + (is_stored(first->second->at) ? " another's" : on_line(first->second->at)) +
                "; every entry needs its own");
    }
    if (key.key.reveal().find(' ') != std::string_view::npos) {
      fault(key, SectionId::key, "key", "has a space; no client can send that");
    }
  }
  // With a store there may be keys later.
  if (config_.keys.empty() && !config_.server.allow_anonymous && config_.store.url.value.reveal() == kNoStore) {
    errors_.add(
        config_.server.at,
        "there are no [[keys]] and no store, so no client could call: add one, or write allow_anonymous = true under "
        "[server] to serve everybody who can connect");
  }
}

void Checker::check_admin() {
  const std::string_view url = config_.store.url.value.reveal();
  if (url != kNoStore && url != kSqliteStore && !url.starts_with("postgresql://") && !url.starts_with("postgres://")) {
    fault(config_.store, SectionId::store, "url", "write sqlite, none, or postgresql://user:password@host/database");
  }
  if (const auto& text = config_.store.master_key; !text.empty()) {
    if (const auto keys = store::parse_keys(text.reveal()); !keys) {
      fault(config_.store, SectionId::store, "master_key", keys.error().context);
    }
  }
  const AdminSettings& admin = config_.admin;
  const bool signs_in = !admin.oidc_issuer.empty();
  if (signs_in != !admin.oidc_client_id.empty() || signs_in != !admin.public_url.empty()) {
    const std::string_view present = signs_in                        ? "oidc_issuer"
                                     : !admin.oidc_client_id.empty() ? "oidc_client_id"
                                                                     : "public_url";
    fault(admin, SectionId::admin, present, "signing in needs oidc_issuer, oidc_client_id and public_url");
  }
  for (const std::string_view issuer : {std::string_view(admin.oidc_issuer), std::string_view(admin.public_url)}) {
    if (issuer.empty() || is_private_url(issuer)) continue;
    fault(admin, SectionId::admin, issuer == admin.public_url ? "public_url" : "oidc_issuer",
          "write an address that begins with https://");
  }
  if (signs_in && admin.owners.empty() && admin.admins.empty() && admin.viewers.empty()) {
    fault(admin, SectionId::admin, "oidc_issuer", "nobody has a role: write owners, admins or viewers");
  }
  check_admin_keys();
}

void Checker::check_admin_keys() {
  std::unordered_map<std::string_view, const AdminKeyConfig*> names;
  for (const auto& key : config_.admin_keys) {
    if (const auto [first, is_new] = names.emplace(key.name, &key); !is_new && !key.name.empty()) {
      fault(key, SectionId::admin_key, "name",
            "'" + key.name + "' is already the name of the admin key" + on_line(first->second->at));
    }
    const bool of_team = key.role == AdminRole::team_admin;
    if (of_team != !key.team.empty()) {
      fault(key, SectionId::admin_key, "role",
            of_team ? "a team-admin needs team = \"the team's name\"" : "team is for the role team-admin only");
    } else if (of_team && std::ranges::find(config_.teams, key.team, &TeamConfig::name) == config_.teams.end()) {
      fault(key, SectionId::admin_key, "team", "there is no team '" + key.team + "'");
    }
    if (key.key.reveal().find(' ') != std::string_view::npos) {
      fault(key, SectionId::admin_key, "key", "has a space; no client can send that");
    }
  }
}

}  // namespace

providers::UpstreamOptions upstream_options(const ConnectionConfig& connection) {
  return {.provider = connection.provider,
          .endpoint = connection.endpoint,
          .api_key = connection.api_key,
          .access_token = connection.access_token,
          .api_version = connection.api_version,
          .organization = connection.organization,
          .project = connection.project,
          .location = connection.location,
          .service_account = connection.service_account,
          .region = connection.region,
          .access_key_id = connection.access_key_id,
          .secret_access_key = connection.secret_access_key,
          .session_token = connection.session_token,
          .vendor = connection.vendor,
          .auto_cache = {.system = connection.auto_cache_system,
                         .tools = connection.auto_cache_tools,
                         .min_system_tokens = connection.min_system_tokens},
          .claude_by_invoke = connection.api == UpstreamApi::invoke,
          .headers = connection.headers};
}

void check_config(const Config& config, const Environment& environment, ConfigErrors& errors) {
  Checker(config, environment, errors).check();
  check_governed(config, errors);
  check_routes(config, errors);
}

}  // namespace llmgw::control
