#include "control/settings.h"

#include "control/settings_binding.h"
#include "control/settings_connection.h"
#include "control/settings_governed.h"
#include "control/settings_routes.h"
#include "control/settings_store.h"
#include "control/settings_upstream.h"

namespace llmgw::control {
namespace {

constexpr int64_t kSecond = 1000;  // bounds of durations are in milliseconds
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;
constexpr int64_t kKiB = 1 << 10;
constexpr int64_t kMiB = 1 << 20;

constexpr Setting kServer[] = {
    bind<&ServerSettings::listen>(
        {.key = "listen",
         .help = "Where clients connect: one address or a list of them, each `host:port`, `[ipv6]:port`, `*:port` or "
                 "`unix:/path`.",
         .fallback = "\"127.0.0.1:8080\"",
         .example = "[\"0.0.0.0:8080\", \"unix:/run/llm-gateway/api.sock\"]",
         .min = 1,
         .max = 16,
         .needs_restart = true}),
    bind<&ServerSettings::admin_listen>(
        {.key = "admin_listen",
         .help = "A second address, for `/metrics`, which then leaves `listen`, and for `/health` and `/ready`, which "
                 "stay there too.",
         .example = "\"127.0.0.1:8081\"",
         .needs_restart = true}),
    bind<&ServerSettings::data_dir>({.key = "data_dir",
                                     .help =
                                         "Directory for what the program keeps: master key, objects, ledger, "
                                         "responses (back these up), PID file, control socket. An upgrade keeps it.",
                                     .fallback = "\"/var/lib/llm-gateway\"",
                                     .needs_restart = true,
                                     .path = PathKind::file}),
    bind<&ServerSettings::workers>({.key = "workers",
                                    .help = "Worker threads; 0 is one a processor.",
                                    .fallback = "0",
                                    .max = 256,
                                    .needs_restart = true}),
    bind<&ServerSettings::acceptor>(
        {.key = "acceptor",
         .help = "How connections reach workers: `reuseport` lets the kernel spread them, `shared` has one acceptor "
                 "that hands each to the least loaded worker.",
         .fallback = "\"reuseport\"",
         .needs_restart = true}),
    bind<&ServerSettings::allow_anonymous>(
        {.key = "allow_anonymous",
         .help = "Serve calls without a key. With no `[[keys]]` at all every call is served, whatever key it brings; "
                 "with some, a key that is not among them is still refused.",
         .fallback = "false"}),
    bind<&ServerSettings::http2>(
        {.key = "http2", .help = "Offer HTTP/2: by ALPN with TLS, by prior knowledge without.", .fallback = "true"}),
    bind<&ServerSettings::watch_config>(
        {.key = "watch_config",
         .help = "Reload when this file, or a file it refers to, changes. SIGHUP and `llm-gateway reload` work anyway.",
         .fallback = "true",
         .needs_restart = true}),
    bind<&ServerSettings::max_head_bytes>({.key = "max_head_bytes",
                                           .help = "Most bytes of a request line and headers; more is answered 431.",
                                           .fallback = "\"64KiB\"",
                                           .min = 1 * kKiB,
                                           .max = 1 * kMiB}),
    bind<&ServerSettings::max_body_bytes>({.key = "max_body_bytes",
                                           .help = "Most bytes of a request body; more is answered 413.",
                                           .fallback = "\"10MiB\"",
                                           .min = 1 * kKiB,
                                           .max = 4096 * kMiB}),
    bind<&ServerSettings::fetch_media_max_bytes>(
        {.key = "fetch_media_max_bytes",
         .help = "Most bytes of all images and documents together that the gateway fetches from URLs in a request, for "
                 "providers that take no URLs. 0: it fetches nothing.",
         .fallback = "\"20MiB\"",
         .max = 256 * kMiB}),
    bind<&ServerSettings::fetch_media_memory>(
        {.key = "fetch_media_memory",
         .help =
             "Most memory that all such images and documents may take together, of all requests in progress: 8/3 of "
             "their bytes where each stands in its request once. A request that needs more is answered 503.",
         .fallback = "\"1GiB\"",
         .min = 1 * kKiB,
         .max = kMiB * kMiB}),
    bind<&ServerSettings::fetch_private_addresses>(
        {.key = "fetch_private_addresses",
         .help = "Such URLs may also point into private networks. Clients can then reach what the gateway can reach.",
         .fallback = "false"}),
    bind<&ServerSettings::max_headers>({.key = "max_headers",
                                        .help = "Most header fields of a request; more is answered 431.",
                                        .fallback = "100",
                                        .min = 8,
                                        .max = 1000}),
    bind<&ServerSettings::max_connections>(
        {.key = "max_connections",
         .help = "Most client connections of the whole program, fewer if the limit of open files leaves no two "
                 "descriptors for each. For one more the longest idle goes; if none is idle, it waits in the kernel's "
                 "queue.",
         .fallback = "20000",
         .min = 1,
         .max = 1'000'000}),
    bind<&ServerSettings::max_connections_per_worker>(
        {.key = "max_connections_per_worker",
         .help = "Most client connections of one worker; 0 is `max_connections` divided by the workers.",
         .fallback = "0",
         .max = 1'000'000}),
    bind<&ServerSettings::max_requests_per_connection>(
        {.key = "max_requests_per_connection",
         .help = "After so many requests a connection is closed, so that load spreads anew; 0 is never.",
         .fallback = "0",
         .max = 1'000'000'000}),
    bind<&ServerSettings::listen_backlog>({.key = "listen_backlog",
                                           .help = "Length of the kernel's queue of connections not yet accepted.",
                                           .fallback = "4096",
                                           .min = 1,
                                           .max = 65535,
                                           .needs_restart = true}),
    bind<&ServerSettings::header_timeout>({.key = "header_timeout",
                                           .help = "From a request's first byte to the end of its headers; then 408.",
                                           .fallback = "\"15s\"",
                                           .min = 100,
                                           .max = kHour}),
    bind<&ServerSettings::body_timeout>(
        {.key = "body_timeout",
         .help = "How long a request body may take, beyond a second for every 16 KiB of it; then 408.",
         .fallback = "\"30s\"",
         .min = 100,
         .max = kHour}),
    bind<&ServerSettings::idle_timeout>({.key = "idle_timeout",
                                         .help = "How long a connection may stay open between requests.",
                                         .fallback = "\"75s\"",
                                         .min = 100,
                                         .max = kDay}),
    bind<&ServerSettings::write_timeout>({.key = "write_timeout",
                                          .help = "Longest time in which a client may take less than 4 KiB of an "
                                                  "answer that waits for it, and not the end of "
                                                  "it either; then its call is cancelled.",
                                          .fallback = "\"1m\"",
                                          .min = 100,
                                          .max = kDay}),
    bind<&ServerSettings::request_timeout>(
        {.key = "request_timeout",
         .help = "Longest time from a request's first byte to the last byte of its answer, streams included.",
         .fallback = "\"30m\"",
         .min = kSecond,
         .max = 7 * kDay}),
    bind<&ServerSettings::drain_timeout>({.key = "drain_timeout",
                                          .help = "After SIGTERM: how long running requests may take to finish.",
                                          .fallback = "\"30s\"",
                                          .max = kDay}),
    bind<&ServerSettings::upgrade_drain_timeout>(
        {.key = "upgrade_drain_timeout",
         .help = "After an upgrade: how long the running requests of the old process may take to finish; "
                 "`request_timeout` if absent, or `drain_timeout` if that is longer.",
         .example = "\"10m\"",
         .max = 7 * kDay}),
    bind<&ServerSettings::trusted_proxies>(
        {.key = "trusted_proxies",
         .help = "Addresses or networks whose `X-Forwarded-For` is believed for the client's address in logs.",
         .example = "[\"10.0.0.0/8\"]",
         .max = 64}),
};

constexpr Setting kServerTls[] = {
    bind<&ServerTls::certificate>({.key = "certificate",
                                   .help = "PEM file of the server's certificate chain. Read again on every reload.",
                                   .example = "\"/etc/llm-gateway/tls/cert.pem\"",
                                   .references = References::none,
                                   .path = PathKind::file}),
    bind<&ServerTls::key>({.key = "key",
                           .help = "PEM file of the certificate's private key.",
                           .example = "\"/etc/llm-gateway/tls/key.pem\"",
                           .references = References::none,
                           .path = PathKind::file}),
    bind<&ServerTls::client_ca>({.key = "client_ca",
                                 .help = "PEM file of authorities; clients must then present a certificate of theirs.",
                                 .example = "\"/etc/llm-gateway/tls/clients.pem\"",
                                 .references = References::none,
                                 .path = PathKind::file}),
    bind<&ServerTls::min_version>({.key = "min_version", .help = "Oldest TLS version.", .fallback = "\"1.2\""}),
};

constexpr Setting kLog[] = {
    bind<&LogSettings::level>({.key = "level", .help = "Least severe message written.", .fallback = "\"info\""}),
    bind<&LogSettings::output>({.key = "output",
                                .help = "`stdout`, `stderr` or the path of a file, opened again on every reload.",
                                .fallback = "\"stdout\"",
                                .example = "\"/var/log/llm-gateway/access.log\"",
                                .needs_restart = true,
                                .references = References::none,
                                .path = PathKind::log_destination}),
    bind<&LogSettings::access>(
        {.key = "access", .help = "Write a line a request.", .fallback = "true", .needs_restart = true}),
    bind<&LogSettings::slow_request>(
        {.key = "slow_request",
         .help =
             "Streams whose first token, and other requests whose answer, took longer are logged as slow; 0s is never.",
         .fallback = "\"10s\"",
         .max = kDay}),
};

constexpr Setting kMetrics[] = {
    bind<&MetricsSettings::enabled>({.key = "enabled", .help = "Serve `/metrics`.", .fallback = "true"}),
    bind<&MetricsSettings::is_public>({.key = "public", .help = "Serve `/metrics` without a key.", .fallback = "true"}),
    bind<&MetricsSettings::key>({.key = "key",
                                 .help = "The bearer token `/metrics` wants when it is not public.",
                                 .example = "\"env:METRICS_KEY\"",
                                 .min = 8,
                                 .max = 512}),
    bind<&MetricsSettings::max_series>(
        {.key = "max_series",
         .help = "Most label combinations of a metric family; what comes beyond is counted under `other`.",
         .fallback = "2000",
         .min = 10,
         .max = 100'000,
         .needs_restart = true}),
};

constexpr Setting kUpstream[] = {
    bind<&UpstreamSettings::connect_timeout>(shared_settings::kConnectTimeout),
    bind<&UpstreamSettings::first_byte_timeout>(shared_settings::kFirstByteTimeout),
    bind<&UpstreamSettings::idle_timeout>(shared_settings::kIdleTimeout),
    bind<&UpstreamSettings::total_timeout>(shared_settings::kTotalTimeout),
    bind<&UpstreamSettings::max_connections>(shared_settings::kMaxConnections),
    bind<&UpstreamSettings::idle_connections>(shared_settings::kIdleConnections),
    bind<&UpstreamSettings::idle_keepalive>(shared_settings::kIdleKeepalive),
    bind<&UpstreamSettings::http2>(shared_settings::kHttp2),
    bind<&UpstreamSettings::proxy>(shared_settings::kProxy),
    bind<&UpstreamSettings::dns_ttl_min>(
        {.key = "dns_ttl_min", .help = "A resolved name is kept at least so long.", .fallback = "\"5s\"", .max = kDay}),
    bind<&UpstreamSettings::dns_ttl_max>({.key = "dns_ttl_max",
                                          .help = "A resolved name is kept at most so long.",
                                          .fallback = "\"5m\"",
                                          .min = kSecond,
                                          .max = kDay}),
};

constexpr Setting kUpstreamTls[] = {
    bind<&UpstreamTls::verify>(shared_settings::kVerify),
    bind<&UpstreamTls::ca_file>(shared_settings::kCaFile),
    bind<&UpstreamTls::client_certificate>(shared_settings::kClientCertificate),
    bind<&UpstreamTls::client_key>(shared_settings::kClientKey),
    bind<&UpstreamTls::server_name>(shared_settings::kServerName),
};

}  // namespace

std::span<const SectionTable> section_tables() {
  static const SectionTable kSections[] = {
      {SectionId::server, "server", false, "Listening, limits and time limits towards clients.", kServer},
      {SectionId::server_tls, "server.tls", false,
       "TLS towards clients, on every address of `listen` that is not a unix "
       "socket. Off unless `certificate` and `key` are given.",
       kServerTls},
      {SectionId::log, "log", false, "Operational and access log.", kLog},
      {SectionId::metrics, "metrics", false, "Prometheus metrics.", kMetrics},
      {SectionId::ledger, "ledger", false, "What every call used and cost, kept in `data_dir`.",
       governed_settings(SectionId::ledger)},
      {SectionId::redis, "redis", false, "Limits that several gateways share.", governed_settings(SectionId::redis)},
      {SectionId::upstream, "upstream", false, "Defaults for all connections.", kUpstream},
      {SectionId::upstream_tls, "upstream.tls", false, "TLS towards upstreams.", kUpstreamTls},
      {SectionId::connection, "connections", true, "A vendor's or engine's address and credential.",
       connection_settings()},
      {SectionId::connection_tls, "connections.tls", false,
       "TLS of one connection; follows its `[[connections]]` entry.", connection_tls_settings()},
      {SectionId::model, "models", true,
       "Which names clients may ask for, and which connection serves them. A connection without a model serves "
       "nothing.",
       governed_settings(SectionId::model)},
      {SectionId::organization, "organizations", true,
       "Who pays. What an organization may use, all its teams use together.",
       governed_settings(SectionId::organization)},
      {SectionId::team, "teams", true,
       "Keys that belong together. A call must be within the limits and the models of its key, its user, its team and "
       "its organization.",
       governed_settings(SectionId::team)},
      {SectionId::user, "users", true, "People who own keys.", governed_settings(SectionId::user)},
      {SectionId::key, "keys", true, "Who may call.", governed_settings(SectionId::key)},
      {SectionId::assignment, "assignments", true,
       "A model for one key, under a name and limits of its own. A key with assignments and no `models` may call only "
       "what is assigned.",
       governed_settings(SectionId::assignment)},
      {SectionId::route, "routes", true,
       "How calls for some models find an instance, and what happens when it fails. Models without a route have the "
       "defaults.",
       route_settings()},
      {SectionId::price, "prices", true,
       "What tokens cost, before the prices that come with the program. US dollars for a million tokens.",
       governed_settings(SectionId::price)},
      {SectionId::admin_key, "admin_keys", true, "Who may use the admin API, and for what.",
       store_settings(SectionId::admin_key)},
      {SectionId::store, "store", false,
       "Where connections, models, keys and the like are kept that the command line and the admin API make.",
       store_settings(SectionId::store)},
      {SectionId::admin, "admin", false, "Signing in to the admin API with OpenID Connect, beside admin keys.",
       store_settings(SectionId::admin)},
  };
  return kSections;
}

const SectionTable& section_table(SectionId id) {
  return section_tables()[static_cast<size_t>(id)];
}

}  // namespace llmgw::control
