// A configuration as written, with defaults filled in: one struct a section, one member a setting. What the members
// mean, their defaults and bounds stand once, in settings.cpp. Plain data; the control thread and the command line own
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admission/limits.h"
#include "base/money.h"
#include "base/secret.h"
#include "base/time.h"
#include "control/config_error.h"
#include "control/units.h"
#include "providers/upstream.h"
#include "routing/policy/policy_kind.h"
#include "store/vault/key_hash.h"

namespace llmgw::control {

using admission::BudgetPeriod;
using admission::UnpricedCalls;
using base::Duration;
using base::NanoDollars;
using base::Secret;

enum class AcceptorMode : uint8_t { reuseport, shared };
enum class TlsVersion : uint8_t { tls12, tls13 };
enum class LogLevel : uint8_t { trace, debug, info, warn, error };
enum class Http2Mode : uint8_t { automatic, on, off };
enum class QueueKind : uint8_t { off, fifo, priority, slo, fair };
enum class UpstreamApi : uint8_t { automatic, chat, responses, both, converse, invoke };

using HeaderTable = std::vector<providers::HeaderField>;

// A URL that may hold a user and password: shown without them.
struct ProxyUrl {
  Secret value;
  bool operator==(const ProxyUrl& other) const { return value.reveal() == other.value.reveal(); }
};

// Where a value came from, for `config show`. Settings without one have their default.
struct Origin {
  enum class Kind : uint8_t { file, environment, referenced_file };
  uint16_t setting;  // index in the section's table
  Kind kind;
  Location at;
  std::string name;  // of the variable or the file
};

struct SectionBase {
  Location at;
  std::vector<Origin> origins;
};

struct ServerTls : SectionBase {
  std::string certificate;
  std::string key;
  std::string client_ca;
  TlsVersion min_version;
};

struct ServerSettings : SectionBase {
  std::vector<std::string> listen;
  std::string admin_listen;
  std::string data_dir;
  uint32_t workers;
  AcceptorMode acceptor;
  bool allow_anonymous;
  bool http2;
  bool watch_config;
  ByteSize max_head_bytes;
  ByteSize max_body_bytes;
  ByteSize fetch_media_max_bytes;
  ByteSize fetch_media_memory;
  bool fetch_private_addresses;
  uint32_t max_headers;
  uint32_t max_connections;
  uint32_t max_connections_per_worker;
  uint32_t max_requests_per_connection;
  uint32_t listen_backlog;
  Duration header_timeout;
  Duration body_timeout;
  Duration idle_timeout;
  Duration write_timeout;
  Duration request_timeout;
  Duration drain_timeout;
  std::optional<Duration> upgrade_drain_timeout;  // absent: as long as any call may take
  std::vector<std::string> trusted_proxies;
};

struct LogSettings : SectionBase {
  LogLevel level;
  std::string output;
  bool access;
  Duration slow_request;
};

struct MetricsSettings : SectionBase {
  bool enabled;
  bool is_public;
  Secret key;
  uint32_t max_series;
};

struct UpstreamTls : SectionBase {
  bool verify;
  std::string ca_file;
  std::string client_certificate;
  std::string client_key;
  std::string server_name;
};

struct UpstreamSettings : SectionBase {
  Duration connect_timeout;
  Duration first_byte_timeout;
  Duration idle_timeout;
  Duration total_timeout;
  uint32_t max_connections;
  uint32_t idle_connections;
  Duration idle_keepalive;
  Http2Mode http2;
  ProxyUrl proxy;
  Duration dns_ttl_min;
  Duration dns_ttl_max;
};

// Only what a connection sets itself; the rest comes from [upstream].
struct ConnectionTls : SectionBase {
  std::optional<bool> verify;
  std::optional<std::string> ca_file;
  std::optional<std::string> client_certificate;
  std::optional<std::string> client_key;
  std::optional<std::string> server_name;
};

struct ConnectionConfig : SectionBase {
  std::string name;
  std::string provider;
  std::string endpoint;
  Secret api_key;
  Secret access_token;
  UpstreamApi api;
  uint32_t priority;
  uint32_t weight;
  std::string owned_by;
  std::string api_version;
  std::string organization;
  std::string project;
  std::string location;
  std::string region;
  Secret access_key_id;
  Secret secret_access_key;
  Secret session_token;
  std::string service_account_file;
  Secret service_account;  // what is in that file
  std::string vendor;
  std::string metrics_path;
  std::string probe_path;
  std::optional<uint32_t> max_in_flight;
  bool auto_cache_system;
  bool auto_cache_tools;
  uint32_t min_system_tokens;
  HeaderTable headers;
  std::optional<Duration> connect_timeout;
  std::optional<Duration> first_byte_timeout;
  std::optional<Duration> idle_timeout;
  std::optional<Duration> total_timeout;
  std::optional<uint32_t> max_connections;
  std::optional<uint32_t> idle_connections;
  std::optional<Duration> idle_keepalive;
  std::optional<Http2Mode> http2;
  std::optional<ProxyUrl> proxy;
  ConnectionTls tls;
};

// What every governed section may limit; see admission::Limits.
struct LimitFields {
  double tps;
  uint64_t rpm;
  uint64_t tpm;
  uint32_t concurrency;
  std::optional<NanoDollars> budget;
  BudgetPeriod budget_period;
  std::string time_zone;
  UnpricedCalls unpriced;
  // Of an object of the store, no settings; empty and 0 in the file. The id stays under every name.
  std::string id = {};
  int64_t named_since = 0;  // seconds since 1970: when it was made, or got another name

  admission::Limits limits() const { return {tps, rpm, tpm, concurrency, budget, budget_period, time_zone, unpriced}; }
};

struct ModelConfig : SectionBase, LimitFields {
  std::string name;
  std::string connection;
  std::string remote;
  std::string deployment;
  std::string owned_by;
  int64_t created;
};

struct OrganizationConfig : SectionBase, LimitFields {
  std::string name;
  std::vector<std::string> models;
};

struct TeamConfig : SectionBase, LimitFields {
  std::string name;
  std::string organization;
  std::vector<std::string> models;
};

struct UserConfig : SectionBase, LimitFields {
  std::string name;
  std::string email;
  std::vector<std::string> teams;
  std::vector<std::string> models;
};

// A key that only its hash is known of: one of the store.
struct HashedKey {
  static constexpr int64_t kForEver = INT64_MAX;
  store::KeyHash hash;
  int64_t until = kForEver;  // seconds since 1970: replaced, but good until then
};

struct KeyConfig : SectionBase, LimitFields {
  std::string name;
  Secret key;
  std::string team;
  std::string user;
  std::optional<std::vector<std::string>> models;  // absent: all, or none but the assigned ones where there are such
  std::optional<Timestamp> expires;
  bool blocked;
  std::vector<std::string> tags;
  int32_t priority;
  int32_t priority_max;
  uint32_t weight;
  bool policy_header;
  std::vector<HashedKey> hashes;  // instead of `key`; no setting
};

// A model a key may call, under a name and limits of its own.
struct AssignmentConfig : SectionBase, LimitFields {
  std::string key;         // the key's name
  std::string model;       // a name that [[models]] serve
  std::string connection;  // which of several that serve it; empty: all
  std::string alias;       // empty: the model's name
};

struct RouteConfig : SectionBase {
  std::vector<std::string> models;
  routing::PolicyKind policy;
  bool policy_header;
  std::string session;
  Duration session_lifetime;
  uint32_t attempts;
  std::optional<uint32_t> hold_back;
  std::optional<Duration> hold_back_time;
  bool continuation;
  std::string hedge;
  std::string mirror;
  double mirror_share;
  std::vector<std::string> fallbacks;
  std::vector<std::string> fallback_on;
  uint32_t failures_out;
  double failure_ratio;
  Duration out_time;
  Duration ramp_time;
  bool last_resort;
  Duration cache_lifetime;
  uint32_t max_in_flight;
  QueueKind queue;
  uint32_t queue_max;
  Duration queue_goal;
  bool queue_refuse;
  std::optional<Duration> connect_timeout;
  std::optional<Duration> first_byte_timeout;
  std::optional<Duration> idle_timeout;
  std::optional<Duration> total_timeout;
};

// USD for a million tokens unless said otherwise.
struct PriceConfig : SectionBase {
  std::string provider;
  std::string model;
  uint64_t above_tokens;
  NanoDollars input;
  NanoDollars output;
  std::optional<NanoDollars> cache_read;
  std::optional<NanoDollars> cache_write;
  std::optional<NanoDollars> cache_write_1h;
  std::optional<NanoDollars> reasoning;
  std::optional<NanoDollars> audio_input;
  std::optional<NanoDollars> image_input;
  std::optional<NanoDollars> audio_output;
  std::optional<NanoDollars> image_output;
  NanoDollars request;
};

struct LedgerSettings : SectionBase {
  bool enabled;
  Duration retention;
  ByteSize max_size;
};

struct RedisSettings : SectionBase {
  Secret url;
  std::string prefix;
  Duration timeout;
};

enum class AdminRole : uint8_t { owner, admin, team_admin, viewer };

struct AdminKeyConfig : SectionBase {
  std::string name;
  Secret key;
  AdminRole role;
  std::string team;
  std::optional<Timestamp> expires;
  bool blocked;
  std::vector<HashedKey> hashes;  // instead of `key`; no setting
};

inline constexpr std::string_view kSqliteStore = "sqlite";
inline constexpr std::string_view kNoStore = "none";

struct AdminSettings : SectionBase {
  std::string oidc_issuer;  // empty: nobody signs in that way
  std::string oidc_client_id;
  Secret oidc_client_secret;
  std::string oidc_groups_claim;
  std::string public_url;
  std::vector<std::string> owners;
  std::vector<std::string> admins;
  std::vector<std::string> viewers;
  Duration session_lifetime;
  Secret engine_token;
};

struct StoreSettings : SectionBase {
  ProxyUrl url;  // "sqlite", "none", or a URL that may hold a password
  Secret master_key;
};

struct Config {
  ServerSettings server;
  ServerTls server_tls;
  LogSettings log;
  MetricsSettings metrics;
  LedgerSettings ledger;
  RedisSettings redis;
  UpstreamSettings upstream;
  UpstreamTls upstream_tls;
  StoreSettings store;
  AdminSettings admin;
  std::vector<ConnectionConfig> connections;
  std::vector<ModelConfig> models;
  std::vector<RouteConfig> routes;
  std::vector<OrganizationConfig> organizations;
  std::vector<TeamConfig> teams;
  std::vector<UserConfig> users;
  std::vector<KeyConfig> keys;
  std::vector<AssignmentConfig> assignments;
  std::vector<PriceConfig> prices;
  std::vector<AdminKeyConfig> admin_keys;
  // Those of file: references and of service accounts, resolved; a change in one is a change here.
  std::vector<std::string> referenced_files;
};

}  // namespace llmgw::control
