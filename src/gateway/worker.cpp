#include "gateway/worker.h"

#include <malloc.h>

#include <algorithm>

#include "gateway/engines/engine_watch.h"
#include "gateway/engines/waiting_room.h"
#include "gateway/handler.h"
#include "gateway/instance_identity.h"
#include "gateway/token_service.h"
#include "net/io.h"

namespace llmgw::gateway {
namespace {

constexpr base::Duration kHousekeepingInterval = std::chrono::seconds(1);

// Two connections with the same key may share sockets: same place, same TLS, same way there.
std::string pool_key(const control::Connection& connection) {
  const auto& endpoint = connection.upstream.endpoint;
  const auto& tls = connection.tls;
  const auto& proxy = connection.pool.proxy;
  std::string key;
  for (const std::string* part : {&endpoint.host, &endpoint.unix_path, &tls.ca_file, &tls.client_certificate,
                                  &tls.client_key, &tls.server_name, &proxy.endpoint.authority}) {
    key.append(*part).push_back('\0');
  }
  // The limits too: two connections to one host with different ones must not take each other's.
  const auto& pool = connection.pool;
  for (const uint64_t part :
       {uint64_t{endpoint.port}, uint64_t{endpoint.tls}, uint64_t{tls.verify}, static_cast<uint64_t>(pool.http2),
        tls.files_version, static_cast<uint64_t>(proxy.kind), uint64_t{pool.max_connections},
        uint64_t{pool.idle_connections}, static_cast<uint64_t>(pool.idle_keepalive.count()),
        static_cast<uint64_t>(connection.timeouts.connect.count())}) {
    key.append(std::to_string(part)).push_back('\0');
  }
  key.append(proxy.user.reveal());
  return key;
}

// `direct`: whoever takes the connection is the upstream itself.
http::PoolOptions pool_options(const control::Connection& connection, bool direct) {
  http::PoolOptions options;
  // A forward proxy that reads requests speaks HTTP/1.1.
  options.http2_prior_knowledge = connection.pool.http2 == control::Http2Mode::on && direct;
  options.connections_max = connection.pool.max_connections;
  options.idle_max = connection.pool.idle_connections;
  options.idle_time = connection.pool.idle_keepalive;
  options.connect_timeout = connection.timeouts.connect;
  return options;
}

}  // namespace

Worker::Worker(net::Loop& loop, SharedState& shared, telemetry::Log& log,
               std::shared_ptr<const control::Snapshot> snapshot, ConnectUpstream connect, ProxyOf proxy_of,
               FetchMedia fetch_media)
    : loop_(loop),
      shared_(shared),
      log_(log),
      metrics_(*shared.registry),
      connect_(std::move(connect)),
      proxy_of_(std::move(proxy_of)),
      fetch_media_(std::move(fetch_media)),
      chooser_(shared.routing.instances, shared.routing.index, shared.routing.sessions, loop.rng()) {
  log_.use_clock([](const void* source) { return static_cast<const net::Loop*>(source)->wall_now(); }, &loop_);
  RoutingState& routing = shared.routing;
  room_ = std::make_unique<WaitingRoom>(loop, routing.instances, routing.index, routing.heads, routing.shares);
  adopt(std::move(snapshot));
  handler_ = make_handler(*this);
  server_ = std::make_unique<http::Server>(loop_, *handler_, server_options());
  tasks_.spawn(housekeeping());
  if (!shared_.routing.watched.exchange(true)) {
    engine_watch_ = std::make_unique<EngineWatch>(*this);
    tasks_.spawn(engine_watch_->run());
  }
}

Worker::~Worker() {
  // Requests first: they use pools and generations until they are gone.
  background_.cancel_all();
  tasks_.cancel_all();
  if (engine_watch_ != nullptr) shared_.routing.watched = false;
  engine_watch_.reset();
  server_.reset();
  log_.use_real_clock();
}

http::ServerOptions Worker::server_options() const {
  const control::ServerSettings& from = snapshot().server;
  constexpr uint32_t kUnlimited = UINT32_MAX;
  http::ServerOptions to;
  to.head_limits.head_bytes_max = from.max_head_bytes.bytes;
  to.head_limits.headers_max = from.max_headers;
  to.header_timeout = from.header_timeout;
  to.body_timeout = from.body_timeout;
  to.idle_timeout = from.idle_timeout;
  to.write_timeout = from.write_timeout;
  to.connections_max = from.max_connections_per_worker;
  if (to.connections_max == 0) to.connections_max = std::max(1u, from.max_connections / shared_.workers);
  to.connections_max = std::min(to.connections_max, shared_.clients_allowed);
  to.requests_per_connection_max = from.max_requests_per_connection;
  if (to.requests_per_connection_max == 0) to.requests_per_connection_max = kUnlimited;
  to.http2 = from.http2;
  return to;
}

void Worker::adopt(std::shared_ptr<const control::Snapshot> snapshot) {
  for (auto& [key, entry] : pools_) entry.current = false;
  for (auto& [key, entry] : tokens_) entry.current = false;
  auto generation = std::make_unique<Generation>();
  generation->snapshot = std::move(snapshot);
  const auto& connections = generation->snapshot->connections;
  generation->pools.reserve(connections.size());
  for (uint32_t i = 0; i < connections.size(); ++i) {
    generation->pools.push_back(pool_for({generation->snapshot, &connections[i]}));
    generation->plain_proxies.push_back(plain_proxy(connections[i]));
    generation->tokens.push_back(tokens_for(connections[i]));
  }
  take_instances(*generation);
  generations_.push_back(std::move(generation));
  for (auto& [key, entry] : pools_) {
    if (!entry.current) entry.pool->retire();
  }
  if (server_ != nullptr) {
    server_->set_options(server_options());
    metrics_.forget_instance_health();
    for (const telemetry::Gauge& gauge : model_health_) gauge.clear();
    model_health_.clear();
  }
}

// By what it is and not by its place in the file: load and health outlive a reload.
void Worker::take_instances(Generation& generation) {
  const control::Snapshot& snapshot = *generation.snapshot;
  routing::InstanceTable& table = shared_.routing.instances;
  for (const control::Connection& connection : snapshot.connections) {
    generation.instances.push_back(table.acquire(instance_identity(connection)));
  }
  for (const control::Model& model : snapshot.models) {
    generation.model_instances.push_back(table.acquire(model_identity(snapshot, model)));
  }
}

bool Worker::is_fit(const routing::InstanceHandle& handle, const routing::HealthOptions& options) const {
  if (!handle.valid()) return true;
  const auto health =
      routing::health_state(shared_.routing.instances.state(handle.slot()).health, loop_.now(), options);
  return health != routing::HealthState::out && health != routing::HealthState::probing;
}

void Worker::show_health() {
  enum : uint8_t { kNoModel, kModelOut, kModelFit };
  const Generation& generation = *generations_.back();
  const auto& connections = generation.snapshot->connections;
  const auto fit = [&](const routing::InstanceHandle& handle) {
    return is_fit(handle, generation.snapshot->routes.back().settings.health);
  };
  // An instance is well while one of its models is.
  std::vector<uint8_t> models(connections.size(), kNoModel);
  for (uint32_t i = 0; i < generation.model_instances.size(); ++i) {
    uint8_t& seen = models[generation.snapshot->models[i].connection];
    if (seen != kModelFit) seen = fit(generation.model_instances[i]) ? kModelFit : kModelOut;
  }
  for (uint32_t i = 0; i < connections.size(); ++i) {
    telemetry::InstanceSeries& series =
        metrics_.instance({.generation = static_cast<uint32_t>(generation.snapshot->version), .instance = i},
                          connections[i].upstream.provider->name, connections[i].name);
    series.set_health(fit(generation.instances[i]) && models[i] != kModelOut);
  }
  // What all workers know together is shown by one.
  if (engine_watch_ == nullptr) return;
  show_sessions();
  show_model_health();
}

void Worker::show_sessions() {
  const Generation& generation = *generations_.back();
  const control::Snapshot& snapshot = *generation.snapshot;
  const routing::InstanceTable& table = shared_.routing.instances;
  std::vector<uint32_t> pinned(table.capacity());
  shared_.routing.sessions.count(loop_.now(), snapshot.routes.back().settings.session_lifetime, pinned);
  std::map<std::string_view, int64_t> sessions;
  for (uint32_t i = 0; i < snapshot.connections.size(); ++i) {
    const control::Connection& connection = snapshot.connections[i];
    if (!generation.instances[i].valid()) continue;
    const routing::Slot slot = generation.instances[i].slot();
    sessions[connection.upstream.provider->name] += pinned[slot];
  }
  for (const auto& [provider, count] : sessions) metrics_.sessions(provider).set(count);
}

void Worker::show_model_health() {
  const Generation& generation = *generations_.back();
  const control::Snapshot& snapshot = *generation.snapshot;
  for (uint32_t i = static_cast<uint32_t>(model_health_.size()); i < snapshot.models.size(); ++i) {
    const control::Connection& connection = snapshot.connections[snapshot.models[i].connection];
    model_health_.push_back(
        metrics_.model_health(connection.upstream.provider->name, connection.name, snapshot.models[i].name));
  }
  for (uint32_t i = 0; i < snapshot.models.size(); ++i) {
    const control::Model& model = snapshot.models[i];
    const routing::HealthOptions& options = snapshot.routes[model.route].settings.health;
    const bool fit =
        is_fit(generation.instances[model.connection], options) && is_fit(generation.model_instances[i], options);
    model_health_[i].set(fit ? 1 : 0);
  }
}

Generation::PlainProxy Worker::plain_proxy(const control::Connection& connection) const {
  const providers::Endpoint& endpoint = connection.upstream.endpoint;
  if (endpoint.tls || !endpoint.unix_path.empty() || !proxy_of_) return {};
  const auto proxy = proxy_of_(connection);
  if (!proxy) return {};
  return {.origin = "http://" + endpoint.authority, .authorization = proxy->authorization};
}

std::string Worker::proxy_name(const control::Connection& connection) const {
  const auto proxy = proxy_of_ ? proxy_of_(connection) : std::nullopt;
  if (!proxy) return {};
  const bool v6 = proxy->host.find(':') != std::string::npos;
  return (v6 ? "[" + proxy->host + "]" : proxy->host) + ":" + std::to_string(proxy->port);
}

TokenService* Worker::tokens_for(const control::Connection& connection) {
  if (connection.upstream.google == nullptr) return nullptr;
  const std::string identity = pool_key(connection) + TokenService::identity(connection);
  TokenEntry& entry = tokens_[identity];
  entry.current = true;
  if (entry.service == nullptr) {
    entry.service =
        std::make_unique<TokenService>(loop_, log_, shared_.tokens.of(identity), connection, connect_, proxy_of_);
  }
  return entry.service.get();
}

http::Pool* Worker::pool_for(std::shared_ptr<const control::Connection> connection) {
  PoolEntry& entry = pools_[pool_key(*connection)];
  entry.current = true;
  const http::PoolOptions options = pool_options(*connection, plain_proxy(*connection).origin.empty());
  if (entry.pool == nullptr) {
    // The pool may outlive the snapshot it was made for, so it keeps it.
    entry.pool = std::make_unique<http::Pool>(
        loop_, [this, connection = std::move(connection)](net::Wait wait) { return connect_(*connection, wait); },
        options);
  } else {
    entry.pool->set_options(options);
    entry.pool->revive();
  }
  return entry.pool.get();
}

http::Pool& Worker::http1_pool(const GenerationRef& generation, uint32_t connection) {
  auto http1 = std::make_shared<control::Connection>(generation.snapshot().connections[connection]);
  http1->pool.http2 = control::Http2Mode::off;
  return *pool_for(std::move(http1));
}

size_t Worker::upstream_connections() const {
  size_t count = 0;
  for (const auto& [key, entry] : pools_) count += entry.pool->open();
  return count;
}

void Worker::housekeep() {
  std::erase_if(generations_, [this](const auto& generation) {
    return generation != generations_.back() && generation->holders == 0;
  });
  const bool settled = generations_.size() == 1;
  std::erase_if(
      pools_, [settled](const auto& item) { return settled && !item.second.current && item.second.pool->open() == 0; });
  std::erase_if(tokens_, [settled](const auto& item) { return settled && !item.second.current; });
  for (auto& [key, entry] : pools_) entry.pool->reap();
  show_health();
  metrics_.client_connections.set(static_cast<int64_t>(server_->counters().open));
  metrics_.client_connections_max.set(server_->options().connections_max);
  const http::ServerCounters& counters = server_->counters();
  metrics_.idle_connections_ended.add(counters.idle_ended - metrics_.idle_connections_ended.value());
  metrics_.accept_failures.add(counters.accept_failures - metrics_.accept_failures.value());
  metrics_.upstream_connections.set(static_cast<int64_t>(upstream_connections()));
  metrics_.requests_in_flight.set(static_cast<int64_t>(in_flight()));
}

net::Task<void> Worker::housekeeping() {
  uint64_t requests_at_last_trim = 0;
  for (;;) {
    co_await net::sleep_for(loop_, kHousekeepingInterval);
    housekeep();
    parser_.shrink();
    // After a burst the allocator sits on pages nobody needs: they go back once nothing runs.
    if (in_flight() == 0 && requests() != requests_at_last_trim) {
      requests_at_last_trim = requests();
      malloc_trim(0);
    }
  }
}

}  // namespace llmgw::gateway
