// Amazon Bedrock's runtime (botocore's bedrock-runtime service model of 2023-09-30, state of Aug 2026): Converse and
// InvokeModel, signed or with a Bedrock API key as bearer.
#include "providers/vendor.h"

namespace llmgw::providers {
namespace {

constexpr ProviderInfo kNames[] = {
    {"bedrock", ProviderKind::bedrock, "", CredentialNeed::required, "bedrock", true},
};
constexpr std::string_view kService = "bedrock";

bool speaks_bedrock(Surface surface) {
  return surface == Surface::bedrock;
}

std::string default_endpoint(const UpstreamOptions& options) {
  if (options.region.empty()) return {};
  const std::string region(options.region);
  // The partition of China has a domain of its own.
  return "https://bedrock-runtime." + region + (region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com");
}

void prepare(const UpstreamOptions& options, Upstream& upstream, std::vector<UpstreamFault>& faults) {
  upstream.prefix = upstream.endpoint.base_path + "/model/";
  if (!options.access_token.empty()) {
    faults.push_back({"access_token", "bedrock takes api_key, or access_key_id and secret_access_key"});
  }
  prepare_aws(options, kService, upstream, faults);
}

base::Result<UpstreamTarget> target(const Upstream& upstream, const ClientCall& call, base::Arena& arena) {
  const auto pieces = split_bedrock_path(resource_path(call.surface, call.path));
  if (pieces.operation.empty()) {
    return base::fail(base::ErrorCode::invalid_argument, "path does not belong to its surface");
  }
  if (call.model.empty()) return base::fail(base::ErrorCode::invalid_argument, "a Bedrock call needs a model");
  TargetWriter writer(arena, target_bytes_max(upstream.prefix.size() + pieces.operation.size() + call.query.size() + 1,
                                              call.model.size()));
  writer.add(upstream.prefix).add_encoded(call.model).add("/").add(pieces.operation).add_query(call.query);
  return UpstreamTarget{.path_and_query = writer.text(), .body_model = BodyModel::keep, .model = call.model};
}

}  // namespace

const Vendor kBedrock = {.kind = ProviderKind::bedrock,
                         .names = kNames,
                         .speaks = speaks_bedrock,
                         .default_endpoint = default_endpoint,
                         .prepare = prepare,
                         .target = target};

}  // namespace llmgw::providers
