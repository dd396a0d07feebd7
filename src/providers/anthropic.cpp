// Anthropic's Messages API, also where others offer it: Foundry's is ".../anthropic", whose key goes into two headers
// (anthropic-sdk-python, foundry client, Aug 2026).
#include "providers/vendor.h"

namespace llmgw::providers {
namespace {

constexpr ProviderInfo kNames[] = {
    {"anthropic", ProviderKind::anthropic, "https://api.anthropic.com", CredentialNeed::required, "anthropic"},
};
// As of 2026-08 the only version there is; the API requires the header.
constexpr std::string_view kDefaultVersion = "2023-06-01";

bool speaks_anthropic(Surface surface) {
  return surface == Surface::anthropic;
}

std::string default_endpoint(const UpstreamOptions&) {
  return std::string(kNames[0].default_endpoint);
}

bool is_azure(const Endpoint& endpoint) {
  return endpoint.host.ends_with(".azure.com") || endpoint.host.ends_with(".azure.us") ||
         endpoint.host.ends_with(".azure.cn");
}

void prepare(const UpstreamOptions& options, Upstream& upstream, std::vector<UpstreamFault>&) {
  upstream.prefix_versioned = has_version_segment(upstream.endpoint.base_path);
  upstream.prefix = upstream.endpoint.base_path + (upstream.prefix_versioned ? "/" : "/v1/");
  if (!options.access_token.empty()) {
    upstream.set_headers.push_back({"authorization", bearer(options.access_token)});
  } else if (!options.api_key.empty()) {
    upstream.set_headers.push_back({"x-api-key", options.api_key});
    if (is_azure(upstream.endpoint)) upstream.set_headers.push_back({"api-key", options.api_key});
  }
  upstream.default_headers.push_back({"anthropic-version", base::Secret(kDefaultVersion)});
}

base::Result<UpstreamTarget> target(const Upstream& upstream, const ClientCall& call, base::Arena& arena) {
  const auto resource = resource_path(call.surface, call.path);
  if (resource.empty()) return base::fail(base::ErrorCode::invalid_argument, "path does not belong to its surface");
  TargetWriter writer(arena, target_bytes_max(upstream.prefix.size() + resource.size() + call.query.size(), 0));
  writer.add(upstream.prefix).add(resource).add_query(call.query);
  return UpstreamTarget{.path_and_query = writer.text(), .body_model = BodyModel::set, .model = call.model};
}

}  // namespace

const Vendor kAnthropic = {.kind = ProviderKind::anthropic,
                           .names = kNames,
                           .speaks = speaks_anthropic,
                           .default_endpoint = default_endpoint,
                           .prepare = prepare,
                           .target = target};

}  // namespace llmgw::providers
