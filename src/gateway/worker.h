// One worker: a loop, its server, its connections to upstreams, its view of the configuration, its counters. Everything
// a request touches belongs to the worker that accepted it. All members belong to the loop's thread unless said
// otherwise; other threads reach a worker through Loop::post.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "accounting/ledger_writer.h"
#include "control/snapshot.h"
#include "gateway/conversion/media_fetcher.h"
#include "gateway/conversion/media_memory.h"
#include "gateway/entrance/admin_entrance.h"
#include "gateway/entrance/readiness.h"
#include "gateway/governance/charged_batches.h"
#include "gateway/governance/price_cache.h"
#include "gateway/heartbeat.h"
#include "gateway/responses/shared_responses.h"
#include "gateway/routing_state.h"
#include "gateway/shared_tokens.h"
#include "http/pool.h"
#include "http/server.h"
#include "json/reader.h"
#include "net/dial_proxy.h"
#include "net/loop.h"
#include "providers/sigv4.h"
#include "routing/policy/policy.h"
#include "telemetry/log.h"
#include "telemetry/worker_metrics.h"

namespace llmgw::gateway {

class EngineWatch;
class TokenService;
class WaitingRoom;

// A snapshot as one worker uses it: with the pool of each connection. Requests hold it by GenerationRef; the worker
// drops it when it is neither the newest nor held.
struct Generation {
  // Requests without TLS go through a forward proxy in absolute form (RFC 9112, section 3.2.2); empty: there is none.
  struct PlainProxy {
    std::string origin;  // "http://host:port", put before the path
    base::Secret authorization;
  };
  std::shared_ptr<const control::Snapshot> snapshot;
  std::vector<http::Pool*> pools;                        // by connection index
  std::vector<PlainProxy> plain_proxies;                 // the same
  std::vector<TokenService*> tokens;                     // the same; null where the credential is no token
  std::vector<routing::InstanceHandle> instances;        // the same; invalid where the table is full
  std::vector<routing::InstanceHandle> model_instances;  // by model index: that model there
  uint32_t holders = 0;
};

class GenerationRef {
 public:
  explicit GenerationRef(Generation& generation) : generation_(&generation) { ++generation_->holders; }
  GenerationRef(const GenerationRef&) = delete;
  GenerationRef(GenerationRef&& other) noexcept : GenerationRef(*other.generation_) {}
  GenerationRef& operator=(const GenerationRef&) = delete;
  ~GenerationRef() { --generation_->holders; }
  GenerationRef share() const { return GenerationRef(*generation_); }
  const control::Snapshot& snapshot() const { return *generation_->snapshot; }
  http::Pool& pool(uint32_t connection) const { return *generation_->pools[connection]; }
  const Generation::PlainProxy& plain_proxy(uint32_t connection) const {
    return generation_->plain_proxies[connection];
  }
  const routing::InstanceHandle& instance(uint32_t connection) const { return generation_->instances[connection]; }
  const routing::InstanceHandle& model_instance(uint32_t model) const { return generation_->model_instances[model]; }
  TokenService* tokens(uint32_t connection) const { return generation_->tokens[connection]; }

 private:
  Generation* generation_;
};

// How a worker reaches an upstream: the seam to the network. The connection outlives the task.
using ConnectUpstream = std::function<net::Task<base::Result<std::unique_ptr<net::Stream>>>(
    const control::Connection& connection, net::Wait wait)>;
// The proxy a connection goes through, if any.
using ProxyOf = std::function<std::optional<net::Proxy>(const control::Connection& connection)>;

// How a worker fetches media that a request names by URL: a seam like the others. See media_fetcher.h.
using FetchMedia =
    std::function<net::Task<base::Result<FetchedMedia>>(std::string url, FetchLimits limits, net::Cancellation*)>;

// What several workers share, all of it thread-safe or read-only.
struct SharedState {
  telemetry::Registry* registry = nullptr;
  AdminEntrance* admin = nullptr;         // null: administration is not where clients connect
  uint32_t workers = 1;                   // fixed before the first worker starts
  uint32_t clients_allowed = UINT32_MAX;  // of each worker, by the limit of open files; the same
  bool metrics_on_admin = false;          // the same; workers then have no /metrics
  std::atomic<bool> draining = false;     // /ready says no
  Heartbeats heartbeats;
  SharedResponses responses;
  RoutingState routing;
  SharedTokens tokens;
  Readiness readiness;
  MediaMemory media_memory;
  ChargedBatches charged_batches;
};

class Worker {
 public:
  // The log's lines have the loop's time while the worker lives.
  Worker(net::Loop& loop, SharedState& shared, telemetry::Log& log, std::shared_ptr<const control::Snapshot> snapshot,
         ConnectUpstream connect, ProxyOf proxy_of = {}, FetchMedia fetch_media = {});
  ~Worker();

  // Serves by this snapshot from the next request on; requests that run keep theirs.
  void adopt(std::shared_ptr<const control::Snapshot> snapshot);
  Generation& current() { return *generations_.back(); }
  const control::Snapshot& snapshot() const { return *generations_.back()->snapshot; }

  // The connection's pool for what HTTP/2 cannot carry, WebSocket's upgrade: all in it speak HTTP/1.1. As long as
  // `generation` holds.
  http::Pool& http1_pool(const GenerationRef& generation, uint32_t connection);

  http::Server& server() { return *server_; }
  net::Loop& loop() { return loop_; }
  telemetry::Log& log() { return log_; }
  telemetry::WorkerMetrics& metrics() { return metrics_; }
  SharedState& shared() { return shared_; }
  json::Parser& parser() { return parser_; }
  // For what writes while the other one's document is still being read: an answer on its way between dialects.
  json::Parser& writer_parser() { return writer_parser_; }
  providers::SigningKeys& signing_keys() { return signing_keys_; }
  routing::Chooser& chooser() { return chooser_; }
  // Null: no ledger is kept. Set before the first request.
  void set_ledger(accounting::LedgerWriter* ledger) { ledger_ = ledger; }
  accounting::LedgerWriter* ledger() { return ledger_; }
  PriceCache& prices() { return prices_; }
  // Where calls wait before engines.
  WaitingRoom& room() { return *room_; }
  const FetchMedia& fetch_media() const { return fetch_media_; }
  // Responses that are made while nobody waits: see background.h.
  static constexpr size_t kBackgroundMax = 1024;  // each holds a connection to an upstream
  net::TaskGroup& background() { return background_; }
  // They are to fail soon: the process ends.
  void stop_background() { background_stopped_ = true; }
  bool background_stopped() const { return background_stopped_; }
  // Calls made a second time for nobody: see failover/mirror.cpp. Theirs are few, and so are the bytes they hold.
  static constexpr size_t kMirrorsMax = 128;
  static constexpr size_t kMirrorBytesMax = size_t{64} << 20;
  bool may_mirror(size_t bytes) const {
    return mirrors_.active() < kMirrorsMax && mirror_bytes_ + bytes <= kMirrorBytesMax;
  }
  void mirror(net::Task<void> call) { mirrors_.spawn(std::move(call)); }
  void note_mirror_bytes(int64_t change) { mirror_bytes_ += static_cast<size_t>(change); }
  // No request is being handled, and none goes on in the background.
  bool idle() const { return server_->idle() && background_.active() == 0; }
  // Requests being handled, from the first byte of the head to settlement.
  uint64_t in_flight() const { return server_->counters().active; }
  uint64_t requests() const { return server_->counters().requests; }
  size_t upstream_connections() const;
  // "host:port" of the forward proxy on the way to it, without its credentials; empty: there is none.
  std::string proxy_name(const control::Connection& connection) const;
  // Snapshots in use: more than one while requests of before a reload run.
  size_t generations() const { return generations_.size(); }

 private:
  struct PoolEntry {
    std::unique_ptr<http::Pool> pool;
    bool current = true;
  };
  struct TokenEntry {
    std::unique_ptr<TokenService> service;
    bool current = true;
  };
  Generation::PlainProxy plain_proxy(const control::Connection& connection) const;
  TokenService* tokens_for(const control::Connection& connection);
  http::Pool* pool_for(std::shared_ptr<const control::Connection> connection);
  void take_instances(Generation& generation);
  bool is_fit(const routing::InstanceHandle& handle, const routing::HealthOptions& options) const;
  void show_health();
  void show_sessions();
  void show_model_health();
  void housekeep();
  net::Task<void> housekeeping();
  http::ServerOptions server_options() const;

  net::Loop& loop_;
  SharedState& shared_;
  telemetry::Log& log_;
  telemetry::WorkerMetrics metrics_;
  std::vector<telemetry::Gauge> model_health_;  // by model index; in the worker that watches engines
  ConnectUpstream connect_;
  ProxyOf proxy_of_;
  FetchMedia fetch_media_;
  routing::Chooser chooser_;
  accounting::LedgerWriter* ledger_ = nullptr;
  PriceCache prices_;
  json::Parser parser_;
  json::Parser writer_parser_;
  providers::SigningKeys signing_keys_;
  std::map<std::string, PoolEntry> pools_;
  std::map<std::string, TokenEntry> tokens_;
  std::vector<std::unique_ptr<Generation>> generations_;  // the newest last
  std::unique_ptr<http::RequestHandler> handler_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<EngineWatch> engine_watch_;  // in one worker of a gateway
  std::unique_ptr<WaitingRoom> room_;
  net::TaskGroup tasks_;
  net::TaskGroup background_;
  bool background_stopped_ = false;
  size_t mirror_bytes_ = 0;
  net::TaskGroup mirrors_;
};

}  // namespace llmgw::gateway
