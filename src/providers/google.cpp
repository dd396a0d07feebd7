// The Gemini API of Google AI Studio. A key goes in x-goog-api-key whatever its prefix (AIza, AQ.); an OAuth token is a
// bearer, and both at once are refused there.
#include <algorithm>

#include "providers/vendor.h"

namespace llmgw::providers {
namespace {

constexpr ProviderInfo kNames[] = {
    {"google", ProviderKind::google, "https://generativelanguage.googleapis.com", CredentialNeed::required, "google"},
};
// Vertex's v1 has what here only v1beta has (system instructions, tools).
constexpr std::string_view kVersionForVertexClients = "v1beta";

bool speaks_gemini(Surface surface) {
  return surface == Surface::gemini || surface == Surface::vertex;
}

std::string default_endpoint(const UpstreamOptions&) {
  return std::string(kNames[0].default_endpoint);
}

void prepare(const UpstreamOptions& options, Upstream& upstream, std::vector<UpstreamFault>& faults) {
  refuse_oauth_token_as_key(options, faults);
  upstream.prefix_versioned = has_version_segment(upstream.endpoint.base_path);
  upstream.prefix = upstream.endpoint.base_path + "/";
  if (!options.access_token.empty()) {
    upstream.set_headers.push_back({"authorization", bearer(options.access_token)});
  } else if (!options.api_key.empty()) {
    upstream.set_headers.push_back({"x-goog-api-key", options.api_key});
  }
}

base::Result<UpstreamTarget> target(const Upstream& upstream, const ClientCall& call, base::Arena& arena) {
  const auto resource = resource_path(call.surface, call.path);
  const auto pieces = split_gemini_path(resource);
  if (resource.empty() || pieces.version.empty()) {
    return base::fail(base::ErrorCode::invalid_argument, "path does not belong to its surface");
  }
  TargetWriter writer(
      arena, target_bytes_max(upstream.prefix.size() + resource.size() + call.query.size(), call.model.size()));
  writer.add(upstream.prefix);
  if (!upstream.prefix_versioned) {
    writer.add(call.surface == Surface::vertex ? kVersionForVertexClients : pieces.version).add("/");
  }
  if (pieces.method.empty()) {
    if (call.surface == Surface::vertex) {
      return base::fail(base::ErrorCode::unsupported, "a Vertex path without a model has no AI Studio counterpart");
    }
    const size_t after_version = std::min(pieces.version.size() + 1, resource.size());
    writer.add(resource.substr(after_version));
  } else {
    if (call.model.empty()) return base::fail(base::ErrorCode::invalid_argument, "a Gemini call needs a model");
    std::string_view model = call.model;
    std::string_view collection = "models/";
    if (model.starts_with("models/")) model.remove_prefix(7);
    if (model.starts_with("tunedModels/")) {
      collection = "tunedModels/";
      model.remove_prefix(12);
    }
    writer.add(collection).add_encoded(model).add(":").add(pieces.method);
  }
  writer.add_query(call.query);
  return UpstreamTarget{.path_and_query = writer.text(), .body_model = BodyModel::keep, .model = call.model};
}

}  // namespace

const Vendor kGoogle = {.kind = ProviderKind::google,
                        .names = kNames,
                        .speaks = speaks_gemini,
                        .default_endpoint = default_endpoint,
                        .prepare = prepare,
                        .target = target};

}  // namespace llmgw::providers
