// Cohere's own API, version 2 (Cohere API reference, 2026): chat, rerank, embed. Its OpenAI-compatible copy is for
// provider "openai-compatible".
#include "providers/vendor.h"

namespace llmgw::providers {
namespace {

constexpr ProviderInfo kNames[] = {
    {"cohere", ProviderKind::cohere, "https://api.cohere.com", CredentialNeed::required, "cohere"},
};

bool speaks_cohere(Surface surface) {
  return surface == Surface::cohere;
}

std::string default_endpoint(const UpstreamOptions&) {
  return std::string(kNames[0].default_endpoint);
}

void prepare(const UpstreamOptions& options, Upstream& upstream, std::vector<UpstreamFault>&) {
  upstream.prefix_versioned = has_version_segment(upstream.endpoint.base_path);
  upstream.prefix = upstream.endpoint.base_path + (upstream.prefix_versioned ? "/" : "/v2/");
  const auto& token = options.access_token.empty() ? options.api_key : options.access_token;
  if (!token.empty()) upstream.set_headers.push_back({"authorization", bearer(token)});
}

base::Result<UpstreamTarget> target(const Upstream& upstream, const ClientCall& call, base::Arena& arena) {
  const auto resource = resource_path(call.surface, call.path);
  if (resource.empty()) return base::fail(base::ErrorCode::invalid_argument, "path does not belong to its surface");
  TargetWriter writer(arena, target_bytes_max(upstream.prefix.size() + resource.size() + call.query.size(), 0));
  writer.add(upstream.prefix).add(resource).add_query(call.query);
  return UpstreamTarget{.path_and_query = writer.text(), .body_model = BodyModel::set, .model = call.model};
}

}  // namespace

const Vendor kCohere = {.kind = ProviderKind::cohere,
                        .names = kNames,
                        .speaks = speaks_cohere,
                        .default_endpoint = default_endpoint,
                        .prepare = prepare,
                        .target = target};

}  // namespace llmgw::providers
