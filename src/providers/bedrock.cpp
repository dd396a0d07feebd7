// Amazon Bedrock's runtime (botocore's bedrock-runtime service model of 2023-09-30, state of Aug 2026): Converse and
// InvokeModel, signed or with a Bedrock API key as bearer.
#include <algorithm>
#include <iterator>

#include "providers/vendor.h"

namespace llmgw::providers {
namespace {

constexpr ProviderInfo kNames[] = {
    {"bedrock", ProviderKind::bedrock, "", CredentialNeed::required, "bedrock", true},
};
constexpr std::string_view kService = "bedrock";

// What Claude's body says instead of the anthropic-version header.
constexpr std::string_view kClaudeVersion = "bedrock-2023-05-31";

bool speaks_some(Surface surface) {
  return surface == Surface::bedrock || surface == Surface::anthropic;
}

bool model_speaks(const Upstream& upstream, std::string_view model, Surface surface) {
  return surface == Surface::bedrock || (upstream.claude_by_invoke && is_claude(model));
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

// CountTokens knows foundation models only: "us.anthropic.claude-..." is the id of a profile, by which one is called in
// several regions.
std::string_view foundation_model(std::string_view model) {
  const size_t dot = model.find('.');
  if (dot == std::string_view::npos || model.find('.', dot + 1) == std::string_view::npos) return model;
  const std::string_view area = model.substr(0, dot);
  constexpr std::string_view kAreas[] = {"us", "us-gov", "eu", "apac", "jp", "au", "ca", "global"};
  return std::ranges::find(kAreas, area) == std::end(kAreas) ? model : model.substr(dot + 1);
}

// Messages become InvokeModel.
base::Result<UpstreamTarget> claude_target(const Upstream& upstream, const ClientCall& call, base::Arena& arena) {
  if (resource_path(call.surface, call.path) != "messages") {
    return base::fail(base::ErrorCode::unsupported, "Claude on Bedrock has messages only");
  }
  const std::string_view operation = call.stream ? "invoke-with-response-stream" : "invoke";
  TargetWriter writer(arena, target_bytes_max(upstream.prefix.size() + operation.size() + 1, call.model.size()));
  writer.add(upstream.prefix).add_encoded(call.model).add("/").add(operation);
  return UpstreamTarget{.path_and_query = writer.text(),
                        .body_model = BodyModel::keep,
                        .model = call.model,
                        .envelope = {.drop_model = true, .drop_stream = true, .anthropic_version = kClaudeVersion}};
}

base::Result<UpstreamTarget> target(const Upstream& upstream, const ClientCall& call, base::Arena& arena) {
  if (call.surface == Surface::anthropic) return claude_target(upstream, call, arena);
  const auto pieces = split_bedrock_path(resource_path(call.surface, call.path));
  if (pieces.operation.empty()) {
    return base::fail(base::ErrorCode::invalid_argument, "path does not belong to its surface");
  }
  if (call.model.empty()) return base::fail(base::ErrorCode::invalid_argument, "a Bedrock call needs a model");
  TargetWriter writer(arena, target_bytes_max(upstream.prefix.size() + pieces.operation.size() + call.query.size() + 1,
                                              call.model.size()));
  const std::string_view model = pieces.operation == "count-tokens" ? foundation_model(call.model) : call.model;
  writer.add(upstream.prefix).add_encoded(model).add("/").add(pieces.operation).add_query(call.query);
  return UpstreamTarget{.path_and_query = writer.text(), .body_model = BodyModel::keep, .model = call.model};
}

}  // namespace

const Vendor kBedrock = {.kind = ProviderKind::bedrock,
                         .names = kNames,
                         .speaks = speaks_some,
                         .model_speaks = model_speaks,
                         .default_endpoint = default_endpoint,
                         .prepare = prepare,
                         .target = target};

}  // namespace llmgw::providers
