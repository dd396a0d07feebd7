// Azure OpenAI and Foundry Models (Microsoft Learn, "Azure OpenAI API lifecycle", state of Aug 2026).
#include <algorithm>
#include <array>

#include "providers/vendor.h"

namespace llmgw::providers {
namespace {

constexpr ProviderInfo kNames[] = {
    {"azure", ProviderKind::azure, "", CredentialNeed::required, "azure"},
};

// What classic URLs scope by deployment; everything else (responses, files, batches) stands under /openai/ itself.
constexpr std::array<std::string_view, 5> kDeploymentScoped = {"chat/completions", "completions", "embeddings",
                                                               "audio/", "images/"};
constexpr std::string_view kDefaultApiVersion = "2024-05-01-preview";

bool speaks_azure(Surface surface) {
  return surface == Surface::openai || surface == Surface::azure || surface == Surface::azure_v1;
}

bool is_deployment_scoped(std::string_view resource) {
  return std::ranges::any_of(kDeploymentScoped, [&](std::string_view each) {
    return each.ends_with('/') ? resource.starts_with(each) : resource == each;
  });
}

AzureShape shape_of(const Endpoint& endpoint) {
  const std::string_view path = endpoint.base_path;
  if (path.ends_with("/openai/v1")) return AzureShape::v1;
  if (path.ends_with("/models")) return AzureShape::foundry;
  if (path.empty() && endpoint.host.ends_with(".services.ai.azure.com")) return AzureShape::foundry;
  return AzureShape::classic;
}

std::string prefix_of(const Endpoint& endpoint, AzureShape shape) {
  const std::string& path = endpoint.base_path;
  switch (shape) {
    case AzureShape::v1: return path + "/";
    case AzureShape::foundry: return path.empty() ? "/models/" : path + "/";
    case AzureShape::classic: return path + (path.ends_with("/openai") ? "/" : "/openai/");
  }
  return path;
}

std::string default_endpoint(const UpstreamOptions&) {
  return {};
}

void prepare(const UpstreamOptions& options, Upstream& upstream, std::vector<UpstreamFault>& faults) {
  const std::string_view path = upstream.endpoint.base_path;
  if (path.find("/deployments") != std::string_view::npos) {
    faults.push_back({"endpoint",
                      "the endpoint must not name a deployment; write \"https://<resource>.openai.azure.com\" "
                      "and put the deployment on the model: deployment = \"...\""});
  }
  if (path.ends_with("/anthropic") || path.ends_with("/anthropic/v1")) {
    faults.push_back({"endpoint", "this is Claude's API on Foundry; write provider = \"anthropic\""});
  }
  upstream.azure_shape = shape_of(upstream.endpoint);
  upstream.prefix = prefix_of(upstream.endpoint, upstream.azure_shape);
  upstream.prefix_versioned = upstream.azure_shape == AzureShape::v1;
  upstream.api_version = options.api_version;
  if (upstream.api_version.empty() && upstream.azure_shape != AzureShape::v1) upstream.api_version = kDefaultApiVersion;
  if (!options.access_token.empty()) {
    upstream.set_headers.push_back({"authorization", bearer(options.access_token)});
  } else if (!options.api_key.empty()) {
    upstream.set_headers.push_back({"api-key", options.api_key});
  }
}

base::Result<UpstreamTarget> target(const Upstream& upstream, const ClientCall& call, base::Arena& arena) {
  const auto resource = resource_path(call.surface, call.path);
  if (resource.empty()) return base::fail(base::ErrorCode::invalid_argument, "path does not belong to its surface");
  const auto deployment = call.deployment.empty() ? call.model : call.deployment;
  const bool classic = upstream.azure_shape == AzureShape::classic;
  const bool in_path = classic && is_deployment_scoped(resource);
  const bool realtime = resource == "realtime";
  if (in_path && deployment.empty()) {
    return base::fail(base::ErrorCode::invalid_argument, "an Azure call of this kind needs a deployment");
  }
  TargetWriter writer(arena, target_bytes_max(upstream.prefix.size() + resource.size() + call.query.size() + 32,
                                              deployment.size() + upstream.api_version.size()));
  writer.add(upstream.prefix);
  if (in_path) writer.add("deployments/").add_encoded(deployment).add("/");
  writer.add(resource);
  // A dated version of a classic client means nothing to the v1 API.
  const bool drops_version = upstream.azure_shape == AzureShape::v1 && call.surface == Surface::azure;
  if (realtime) {
    // What OpenAI calls model in this URL is the deployment in the classic one.
    if (!deployment.empty()) writer.add_parameter(classic ? "deployment" : "model", deployment);
    writer.add_query(call.query, {"model", "deployment", drops_version ? "api-version" : "model"});
  } else if (drops_version) {
    writer.add_query(call.query, {"api-version"});
  } else {
    writer.add_query(call.query);
  }
  const bool has_version = !drops_version && has_parameter(call.query, "api-version");
  if (!has_version && !upstream.api_version.empty()) writer.add_parameter("api-version", upstream.api_version);
  return UpstreamTarget{.path_and_query = writer.text(),
                        .body_model = in_path || realtime ? BodyModel::keep : BodyModel::set,
                        .model = deployment};
}

}  // namespace

const Vendor kAzure = {.kind = ProviderKind::azure,
                       .names = kNames,
                       .speaks = speaks_azure,
                       .default_endpoint = default_endpoint,
                       .prepare = prepare,
                       .target = target};

}  // namespace llmgw::providers
