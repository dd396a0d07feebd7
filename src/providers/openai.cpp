// OpenAI and everything that speaks its API under another address. Endpoints: each vendor's API reference, Aug 2026.
#include "providers/vendor.h"

namespace llmgw::providers {
namespace {

constexpr auto kOpenAiKind = ProviderKind::openai;
constexpr auto kRequired = CredentialNeed::required;
constexpr auto kOptional = CredentialNeed::optional;

// Bedrock's OpenAI surface: the same API with AWS's credentials.
constexpr std::string_view kMantle = "bedrock-mantle";

constexpr ProviderInfo kNames[] = {
    {"openai", kOpenAiKind, "https://api.openai.com", kRequired, "openai"},
    {"openai-compatible", kOpenAiKind, "", kOptional, "openai-compatible"},
    {kMantle, kOpenAiKind, "", kRequired, "bedrock", true},
    {"cerebras", kOpenAiKind, "https://api.cerebras.ai/v1", kRequired, "cerebras"},
    {"deepseek", kOpenAiKind, "https://api.deepseek.com", kRequired, "deepseek"},
    {"fireworks", kOpenAiKind, "https://api.fireworks.ai/inference/v1", kRequired, "fireworks"},
    {"groq", kOpenAiKind, "https://api.groq.com/openai/v1", kRequired, "groq"},
    {"llamacpp", kOpenAiKind, "", kOptional, "llamacpp"},
    {"mistral", kOpenAiKind, "https://api.mistral.ai/v1", kRequired, "mistral"},
    {"moonshot", kOpenAiKind, "https://api.moonshot.ai/v1", kRequired, "moonshot"},
    {"nvidia", kOpenAiKind, "https://integrate.api.nvidia.com/v1", kRequired, "nvidia"},
    {"ollama", kOpenAiKind, "http://127.0.0.1:11434", kOptional, "ollama"},
    {"openrouter", kOpenAiKind, "https://openrouter.ai/api/v1", kRequired, "openrouter"},
    {"sglang", kOpenAiKind, "", kOptional, "sglang"},
    {"together", kOpenAiKind, "https://api.together.xyz/v1", kRequired, "together"},
    {"vllm", kOpenAiKind, "", kOptional, "vllm"},
    {"xai", kOpenAiKind, "https://api.x.ai/v1", kRequired, "xai"},
};

bool speaks_openai(Surface surface) {
  return surface == Surface::openai || surface == Surface::azure || surface == Surface::azure_v1;
}

std::string default_endpoint(const UpstreamOptions& options) {
  if (options.provider == kMantle) {
    return options.region.empty() ? "" : "https://bedrock-mantle." + std::string(options.region) + ".api.aws/v1";
  }
  for (const auto& each : kNames) {
    if (each.name == options.provider) return std::string(each.default_endpoint);
  }
  return {};
}

void prepare(const UpstreamOptions& options, Upstream& upstream, std::vector<UpstreamFault>& faults) {
  upstream.prefix_versioned = has_version_segment(upstream.endpoint.base_path);
  upstream.prefix = upstream.endpoint.base_path + (upstream.prefix_versioned ? "/" : "/v1/");
  if (options.provider == kMantle) return prepare_aws(options, kMantle, upstream, faults);
  const auto& token = options.access_token.empty() ? options.api_key : options.access_token;
  if (!token.empty()) upstream.set_headers.push_back({"authorization", bearer(token)});
  if (!options.organization.empty()) {
    upstream.set_headers.push_back({"openai-organization", base::Secret(options.organization)});
  }
  if (!options.project.empty()) upstream.set_headers.push_back({"openai-project", base::Secret(options.project)});
}

base::Result<UpstreamTarget> target(const Upstream& upstream, const ClientCall& call, base::Arena& arena) {
  const auto resource = resource_path(call.surface, call.path);
  if (resource.empty()) return base::fail(base::ErrorCode::invalid_argument, "path does not belong to its surface");
  TargetWriter writer(
      arena, target_bytes_max(upstream.prefix.size() + resource.size() + call.query.size(), call.model.size()));
  writer.add(upstream.prefix).add(resource);
  if (resource == "realtime") {
    if (!call.model.empty()) writer.add_parameter("model", call.model);
    writer.add_query(call.query, {"model", "deployment", "api-version"});
    return UpstreamTarget{.path_and_query = writer.text(), .body_model = BodyModel::keep, .model = call.model};
  }
  // Azure's api-version means nothing elsewhere, and some engines refuse unknown parameters.
  if (call.surface == Surface::openai) {
    writer.add_query(call.query);
  } else {
    writer.add_query(call.query, {"api-version"});
  }
  return UpstreamTarget{.path_and_query = writer.text(), .body_model = BodyModel::set, .model = call.model};
}

}  // namespace

const Vendor kOpenAi = {.kind = ProviderKind::openai,
                        .names = kNames,
                        .speaks = speaks_openai,
                        .default_endpoint = default_endpoint,
                        .prepare = prepare,
                        .target = target};

}  // namespace llmgw::providers
