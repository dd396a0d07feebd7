// Everything requests have in common, immutable. The control thread builds one off to the side and hands each worker a
// shared_ptr; a worker keeps it until it has the next and hands requests plain references, so a look-up takes no lock
// and touches no reference count. A request holds the snapshot it started with (the worker keeps old ones until their
// last request is done).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admission/meter_table.h"
#include "control/address.h"
#include "control/config.h"
#include "control/governance.h"
#include "control/key_table.h"
#include "control/price_table.h"
#include "control/route.h"
#include "providers/upstream.h"
#include "routing/model_table.h"

namespace llmgw::control {

struct CallTimeouts {
  Duration connect;
  Duration first_byte;
  Duration idle;
  Duration total;
};

struct PoolSettings {
  uint32_t max_connections;
  uint32_t idle_connections;
  Duration idle_keepalive;
  Http2Mode http2;
  ProxyChoice proxy;
};

struct TlsClientSettings {
  bool verify;
  std::string ca_file;  // empty: the system's
  std::string client_certificate;
  std::string client_key;
  std::string server_name;  // empty: the endpoint's host
  // Counts up with what the files of connections hold: who was let in by the old ones is to be looked at anew. 0 for
  // connections without files.
  uint64_t files_version = 0;
};

struct Connection {
  std::string name;
  providers::Upstream upstream;
  CallTimeouts timeouts;
  PoolSettings pool;
  TlsClientSettings tls;
  UpstreamApi api;
  uint32_t priority;
  uint32_t weight;
  std::string metrics_path;  // of the engine; empty: it is not asked
  std::string probe_path;    // the same
  uint32_t max_in_flight;    // 0: as the route says
  bool is_engine;            // computes prompts itself, one after the other
};

struct Model {
  std::string name;     // as configured; may be a pattern
  uint32_t connection;  // index in Snapshot::connections
  std::string remote;   // empty: the name the client asked for
  std::string deployment;
  std::string owned_by;
  int64_t created;
  uint32_t scope = kNone;         // of its name, in Snapshot::scopes
  uint32_t route = 0;             // in Snapshot::routes
  PriceTable::Prices price = {};  // of its upstream name; none: unknown, or to be found by the client's name

  std::string_view upstream_name(std::string_view requested) const { return remote.empty() ? requested : remote; }
};

// What a key means by a model's name.
struct Resolution {
  routing::Group group;
  std::string_view model;                  // the name to go on with: the client's, or that behind an alias
  const Assignment* assignment = nullptr;  // if the name is one of the key's own
};

// The owner of an admin key.
struct Administrator {
  std::string name;
  AdminRole role;
  std::string team;
  bool blocked = false;
  Timestamp expires{INT64_MAX};
};

class Snapshot {
 public:
  static constexpr int64_t kAllReplaced = HashedKey::kForEver - 1;  // a time at which only newest keys are good

  uint64_t version = 0;  // counts up with every snapshot of the process
  ServerSettings server;
  ServerTls server_tls;
  LogSettings log;
  MetricsSettings metrics;
  StoreSettings store;
  std::vector<ListenAddress> listen;
  std::optional<ListenAddress> admin_listen;
  std::vector<Network> trusted_proxies;
  Duration dns_ttl_min;
  Duration dns_ttl_max;
  std::vector<Connection> connections;
  std::vector<Model> models;  // in the order of the file
  std::vector<Route> routes;  // in the order of the file; the last one is that of models without any
  std::vector<Scope> scopes;
  std::vector<Organization> organizations;
  std::vector<Team> teams;
  std::vector<User> users;
  std::vector<Principal> principals;  // in the order of the file; the anonymous one, if any, is the last
  std::vector<Assignment> assignments;
  PriceTable prices;
  LedgerSettings ledger;
  RedisSettings redis;
  std::vector<Administrator> administrators;

  // The owner of the key, or null when nobody's. An empty key is no key: the anonymous principal where that is allowed.
  // `now`: seconds since 1970, for keys that were replaced.
  const Principal* authenticate(std::string_view key, int64_t now = kAllReplaced) const;
  // The owner of an admin key, or null. Whether it is blocked or expired is the caller's to look at.
  const Administrator* authenticate_admin(std::string_view key, int64_t now) const;
  // The models that serve a name (and, if given, belong to that owner), as a group of targets whose ids are indices in
  // `models`, best first: by the connection's priority, then the order of the file.
  std::optional<routing::Group> resolve(std::string_view model, std::string_view owned_by = {}) const {
    return model_table_.lookup(model, owned_by);
  }
  // The same for one key: its own aliases first, then the models that it and everything above it may use. Without
  // targets of that owner, whose else they are is in the result. Empty: no such model, or none for this key.
  std::optional<Resolution> resolve(const Principal& principal, std::string_view model,
                                    std::string_view owned_by = {}) const;
  // Whether the key, its user, its team and its organization may use a model by its own name.
  bool allows(const Principal& principal, std::string_view model) const {
    return principal.models.allows(model) && allowed_above(principal, model);
  }
  // The same for what one of its assignments stands for.
  bool allows(const Principal& principal, const Assignment& assignment) const {
    return allowed_above(principal, assignment.model);
  }
  // A model that stands in for the one a key asked for: by its own name, which is no alias here, with the assignment
  // under whose limits the key may use it. Empty: no such model, or the key may use it neither by its own name nor
  // behind an alias.
  std::optional<Resolution> resolve_fallback(const Principal& principal, std::string_view model) const;
  std::span<const Assignment> assignments_of(const Principal& principal) const {
    return std::span(assignments).subspan(principal.first_assignment, principal.assignment_count);
  }
  const routing::ModelTable& model_table() const { return model_table_; }
  uint32_t index_of(const Principal& principal) const { return static_cast<uint32_t>(&principal - principals.data()); }

 private:
  friend class SnapshotBuilder;
  bool allowed_above(const Principal& principal, std::string_view model) const;

  KeyTable keys_;
  HashedKeyTable hashed_keys_;
  KeyTable admin_keys_;
  HashedKeyTable hashed_admin_keys_;
  routing::ModelTable model_table_;
  bool any_key_ = false;  // no keys configured: whatever a client sends is anonymous
  bool anonymous_ = false;
};

struct SnapshotInputs {
  uint64_t version = 1;
  SipKey hash_key;                          // random, of the process
  int64_t created_default = 0;              // for models that say no `created`: seconds since 1970
  admission::MeterTable* meters = nullptr;  // null: the snapshot has meters of its own
  store::KeyHasher key_hasher = {};         // of the store, for keys that only a hash is known of
  uint64_t tls_files_version = 0;           // see TlsClientSettings
};

// `config` has passed load_config. Fails only for faults that load_config would have reported too.
std::expected<std::shared_ptr<const Snapshot>, ConfigErrors> build_snapshot(const Config& config,
                                                                            const SnapshotInputs& inputs);

}  // namespace llmgw::control
