// What `[upstream]` and a connection can both set, and `[upstream.tls]` and `[connections.tls]`: keys, bounds and help
// stand here once. Immutable; any thread.
#pragma once

#include "control/settings.h"

namespace llmgw::control::shared_settings {

inline constexpr int64_t kSecond = 1000;  // bounds of durations are in milliseconds
inline constexpr int64_t kMinute = 60 * kSecond;
inline constexpr int64_t kHour = 60 * kMinute;
inline constexpr int64_t kDay = 24 * kHour;

inline constexpr Setting kConnectTimeout = {.key = "connect_timeout",
                                            .help = "For name, TCP and TLS of a new connection together.",
                                            .fallback = "\"5s\"",
                                            .min = 10,
                                            .max = kHour};
inline constexpr Setting kFirstByteTimeout = {
    .key = "first_byte_timeout",
    .help = "From the request sent to the first byte of the answer: long, since models think.",
    .fallback = "\"5m\"",
    .min = 10,
    .max = kDay};
inline constexpr Setting kIdleTimeout = {.key = "idle_timeout",
                                         .help = "Longest pause between two pieces of an answer.",
                                         .fallback = "\"2m\"",
                                         .min = 10,
                                         .max = kDay};
inline constexpr Setting kTotalTimeout = {.key = "total_timeout",
                                          .help = "Longest time for the whole call.",
                                          .fallback = "\"30m\"",
                                          .min = 10,
                                          .max = 7 * kDay};
inline constexpr Setting kMaxConnections = {.key = "max_connections",
                                            .help = "Most connections a worker keeps to one host; more calls wait.",
                                            .fallback = "1024",
                                            .min = 1,
                                            .max = 100'000};
inline constexpr Setting kIdleConnections = {.key = "idle_connections",
                                             .help = "Most idle connections a worker keeps to one host.",
                                             .fallback = "64",
                                             .max = 100'000};
inline constexpr Setting kIdleKeepalive = {
    .key = "idle_keepalive", .help = "How long an idle connection is kept.", .fallback = "\"1m\"", .max = kDay};
inline constexpr Setting kHttp2 = {
    .key = "http2",
    .help = "`auto` takes it where TLS negotiates it, `on` insists (without TLS by prior knowledge), `off` never.",
    .fallback = "\"auto\""};
inline constexpr Setting kProxy = {
    .key = "proxy",
    .help = "`environment` obeys HTTP_PROXY, HTTPS_PROXY and NO_PROXY; `none` goes direct; a URL names the proxy.",
    .fallback = "\"environment\"",
    .example = "\"http://proxy.example:3128\"",
    .max = 2048};

// [upstream.tls]
inline constexpr Setting kVerify = {
    .key = "verify", .help = "Check certificate and name of upstreams.", .fallback = "true"};
inline constexpr Setting kCaFile = {.key = "ca_file",
                                    .help = "PEM file of authorities to trust instead of the system's.",
                                    .example = "\"/etc/llm-gateway/tls/upstream-ca.pem\"",
                                    .references = References::none,
                                    .path = PathKind::file};
inline constexpr Setting kClientCertificate = {.key = "client_certificate",
                                               .help = "PEM file of the certificate shown to upstreams that ask.",
                                               .example = "\"/etc/llm-gateway/tls/client.pem\"",
                                               .references = References::none,
                                               .path = PathKind::file};
inline constexpr Setting kClientKey = {.key = "client_key",
                                       .help = "PEM file of its private key.",
                                       .example = "\"/etc/llm-gateway/tls/client-key.pem\"",
                                       .references = References::none,
                                       .path = PathKind::file};
inline constexpr Setting kServerName = {.key = "server_name",
                                        .help = "Name to ask for and verify instead of the endpoint's host.",
                                        .example = "\"models.internal\""};

// The same for one connection: without a default, since the section's holds.
constexpr Setting for_connection(Setting setting, std::string_view example) {
  setting.help = "As in `[upstream]`, for this connection.";
  setting.fallback = {};
  setting.example = example;
  return setting;
}
constexpr Setting for_connection_tls(Setting setting, std::string_view example) {
  setting = for_connection(setting, example);
  setting.help = "As in `[upstream.tls]`, for this connection.";
  return setting;
}

}  // namespace llmgw::control::shared_settings
