#include "control/settings_connection.h"

#include "control/settings_binding.h"
#include "control/settings_upstream.h"

namespace llmgw::control {
namespace {

constexpr int64_t kKiB = 1 << 10;

constexpr Setting kConnection[] = {
    bind<&ConnectionConfig::name>({.key = "name",
                                   .help = "How models, logs and metrics call the connection.",
                                   .example = "\"openai-main\"",
                                   .max = 100,
                                   .required = true,
                                   .references = References::none}),
    bind<&ConnectionConfig::provider>(
        {.key = "provider",
         .help = "The vendor, which decides protocol, URL shape and credential; see the list of providers below.",
         .example = "\"openai\"",
         .required = true,
         .references = References::none}),
    bind<&ConnectionConfig::endpoint>(
        {.key = "endpoint",
         .help = "`https://host`, with or without a base path such as `/v1`; `http://...`; `unix:/path[:/base]`. "
                 "Vendors with one address need none.",
         .example = "\"https://api.openai.com\"",
         .max = 2048}),
    bind<&ConnectionConfig::api_key>({.key = "api_key",
                                      .help = "The vendor's API key; `ollama`, `vllm` and the like may do without. "
                                              "For bedrock a Bedrock API key, sent as a bearer.",
                                      .example = "\"env:OPENAI_API_KEY\"",
                                      .min = 1,
                                      .max = 16 * kKiB}),
    bind<&ConnectionConfig::access_token>({.key = "access_token",
                                           .help = "An OAuth or Entra token, sent as a bearer, instead of `api_key`.",
                                           .example = "\"file:/run/secrets/token\"",
                                           .min = 1,
                                           .max = 16 * kKiB}),
    bind<&ConnectionConfig::api>(
        {.key = "api",
         .help = "openai and azure: which of OpenAI's two APIs the endpoint has. Calls of the other one are converted. "
                 "`auto`: both at OpenAI's and Azure's own addresses, else `chat`. bedrock: `converse` (what `auto` "
                 "means), or `invoke`, by which Claude gets Anthropic's own messages and loses nothing of them.",
         .fallback = "\"auto\""}),
    bind<&ConnectionConfig::priority>({.key = "priority",
                                       .help = "Of the connections with a model, those with the lowest number come "
                                               "first.",
                                       .fallback = "1",
                                       .max = 1000}),
    bind<&ConnectionConfig::weight>({.key = "weight",
                                     .help = "Share of the calls among connections of the same priority.",
                                     .fallback = "1",
                                     .max = 1'000'000}),
    bind<&ConnectionConfig::metrics_path>(
        {.key = "metrics_path",
         .help = "Where an engine (vLLM, SGLang, llama.cpp) has its Prometheus metrics: its queue and cache then count "
                 "when an instance is chosen. Asked once a second.",
         .example = "\"/metrics\"",
         .max = 512,
         .references = References::none}),
    bind<&ConnectionConfig::probe_path>(
        {.key = "probe_path",
         .help = "Asked once a second: an answer other than 2xx, or none, takes the instance out without a call having "
                 "to fail.",
         .example = "\"/health\"",
         .max = 512,
         .references = References::none}),
    bind<&ConnectionConfig::max_in_flight>(
        {.key = "max_in_flight",
         .help = "Most calls there at a time, whatever the route says. Without it and without one of the route, what "
                 "an engine (vllm, sglang, llamacpp, or one with `metrics_path`) takes is learnt.",
         .example = "64",
         .min = 1,
         .max = 1'000'000}),
    bind<&ConnectionConfig::owned_by>({.key = "owned_by",
                                       .help = "What `/v1/models` says of its models; by default the vendor's name.",
                                       .example = "\"openai\"",
                                       .max = 100}),
    bind<&ConnectionConfig::api_version>(
        {.key = "api_version",
         .help = "azure: the api-version sent when the client gives none (2024-05-01-preview; the v1 API needs none).",
         .example = "\"2024-10-21\"",
         .max = 64}),
    bind<&ConnectionConfig::organization>({.key = "organization",
                                           .help = "openai: the OpenAI-Organization header.",
                                           .example = "\"org-123\"",
                                           .max = 200}),
    bind<&ConnectionConfig::project>({.key = "project",
                                      .help = "openai: the OpenAI-Project header; vertex: the Google Cloud project.",
                                      .example = "\"my-project\"",
                                      .max = 200}),
    bind<&ConnectionConfig::location>(
        {.key = "location", .help = "vertex: the location.", .example = "\"europe-west4\"", .max = 64}),
    bind<&ConnectionConfig::region>(
        {.key = "region", .help = "AWS: the region.", .example = "\"eu-central-1\"", .max = 64}),
    bind<&ConnectionConfig::access_key_id>({.key = "access_key_id",
                                            .help = "AWS: the access key; requests are then signed (SigV4).",
                                            .example = "\"env:AWS_ACCESS_KEY_ID\"",
                                            .min = 1,
                                            .max = 256}),
    bind<&ConnectionConfig::secret_access_key>({.key = "secret_access_key",
                                                .help = "AWS: its secret.",
                                                .example = "\"env:AWS_SECRET_ACCESS_KEY\"",
                                                .min = 1,
                                                .max = 256}),
    bind<&ConnectionConfig::session_token>(
        {.key = "session_token",
         .help = "AWS: the token of temporary credentials; a `file:` is read again when it changes.",
         .example = "\"file:/run/secrets/token\"",
         .min = 1,
         .max = 16 * kKiB}),
    bind<&ConnectionConfig::service_account_file>({.key = "service_account_file",
                                                   .help =
                                                       "vertex: the JSON file of a service account or an authorized "
                                                       "user, exchanged for tokens. Read again when it changes.",
                                                   .example = "\"/etc/llm-gateway/vertex.json\"",
                                                   .references = References::none,
                                                   .path = PathKind::file}),
    bind<&ConnectionConfig::vendor>(
        {.key = "vendor",
         .help = "openai: whose server it is (`vllm`, `groq`, ...), where neither provider nor host tell: decides what "
                 "calls may ask for.",
         .example = "\"vllm\"",
         .max = 64}),
    bind<&ConnectionConfig::auto_cache_system>(
        {.key = "auto_cache_system",
         .help = "anthropic, vertex (Claude), bedrock: mark the system prompt for the provider's cache, if "
                 "the client marks nothing itself and the model takes marks. On Bedrock those are Nova and "
                 "Claude from 3.5 Haiku and 3.5 Sonnet v2 on, known by their names: an application inference "
                 "profile, whose ARN does not say what model it is, is never marked.",
         .fallback = "false"}),
    bind<&ConnectionConfig::auto_cache_tools>(
        {.key = "auto_cache_tools",
         .help = "The same for the list of tools: its last one is marked. Not for Nova, which takes no marks there.",
         .fallback = "false"}),
    bind<&ConnectionConfig::min_system_tokens>(
        {.key = "min_system_tokens",
         .help = "System prompts of fewer tokens, as the gateway estimates them, are not marked: providers would not "
                 "keep them.",
         .fallback = "1024",
         .max = 1'000'000}),
    bind<&ConnectionConfig::headers>({.key = "headers",
                                      .help = "More headers for every call of this connection; values are treated as "
                                              "secrets.",
                                      .example = "{ X-Team = \"search\" }",
                                      .max = 32}),
    bind<&ConnectionConfig::connect_timeout>(
        shared_settings::for_connection(shared_settings::kConnectTimeout, "\"2s\"")),
    bind<&ConnectionConfig::first_byte_timeout>(
        shared_settings::for_connection(shared_settings::kFirstByteTimeout, "\"30s\"")),
    bind<&ConnectionConfig::idle_timeout>(shared_settings::for_connection(shared_settings::kIdleTimeout, "\"1m\"")),
    bind<&ConnectionConfig::total_timeout>(shared_settings::for_connection(shared_settings::kTotalTimeout, "\"10m\"")),
    bind<&ConnectionConfig::max_connections>(shared_settings::for_connection(shared_settings::kMaxConnections, "256")),
    bind<&ConnectionConfig::idle_connections>(shared_settings::for_connection(shared_settings::kIdleConnections, "16")),
    bind<&ConnectionConfig::idle_keepalive>(
        shared_settings::for_connection(shared_settings::kIdleKeepalive, "\"30s\"")),
    bind<&ConnectionConfig::http2>(shared_settings::for_connection(shared_settings::kHttp2, "\"off\"")),
    bind<&ConnectionConfig::proxy>(shared_settings::for_connection(shared_settings::kProxy, "\"none\"")),
};

constexpr Setting kConnectionTls[] = {
    bind<&ConnectionTls::verify>(shared_settings::for_connection_tls(shared_settings::kVerify, "false")),
    bind<&ConnectionTls::ca_file>(
        shared_settings::for_connection_tls(shared_settings::kCaFile, "\"/etc/llm-gateway/tls/engine-ca.pem\"")),
    bind<&ConnectionTls::client_certificate>(shared_settings::for_connection_tls(
        shared_settings::kClientCertificate, "\"/etc/llm-gateway/tls/engine.pem\"")),
    bind<&ConnectionTls::client_key>(
        shared_settings::for_connection_tls(shared_settings::kClientKey, "\"/etc/llm-gateway/tls/engine-key.pem\"")),
    bind<&ConnectionTls::server_name>(
        shared_settings::for_connection_tls(shared_settings::kServerName, "\"engine.internal\"")),
};

}  // namespace

std::span<const Setting> connection_settings() {
  return kConnection;
}

std::span<const Setting> connection_tls_settings() {
  return kConnectionTls;
}

}  // namespace llmgw::control
