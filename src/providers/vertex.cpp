// Vertex AI: Gemini's protocol under project and location, or in express mode (API key, no project). Hosts and paths:
// google-genai 2.19.0 and cloud.google.com, "Vertex AI in express mode".
#include "base/text.h"
#include "providers/vendor.h"

namespace llmgw::providers {
namespace {

constexpr ProviderInfo kNames[] = {
    {"vertex", ProviderKind::vertex, true, "", CredentialNeed::required, "google"},
};

bool speaks_gemini(Surface surface) {
  return surface == Surface::gemini || surface == Surface::vertex;
}

std::string default_endpoint(const UpstreamOptions& options) {
  const std::string_view location = options.location;
  if (location.empty() || location == "global") return "https://aiplatform.googleapis.com";
  if (location == "us" || location == "eu")
    return "https://aiplatform." + std::string(location) + ".rep.googleapis.com";
  return "https://" + std::string(location) + "-aiplatform.googleapis.com";
}

void prepare(const UpstreamOptions& options, Upstream& upstream, std::vector<UpstreamFault>& faults) {
  if (options.project.empty() != options.location.empty()) {
    faults.push_back({options.project.empty() ? "location" : "project",
                      "project and location belong together: give both, or neither for express mode with an api_key"});
  }
  upstream.prefix_versioned = has_version_segment(upstream.endpoint.base_path);
  upstream.prefix = upstream.endpoint.base_path + "/";
  if (!options.project.empty()) {
    upstream.resource_scope = "projects/" + base::percent_encode(options.project) + "/locations/" +
                              base::percent_encode(options.location) + "/";
  }
  const auto& credential = options.access_token.empty() ? options.api_key : options.access_token;
  const bool oauth = !options.access_token.empty() || looks_like_oauth_token(credential);
  if (oauth && !credential.empty() && options.project.empty()) {
    faults.push_back({"project", "an access token needs project = \"...\" and location = \"...\""});
  }
  if (credential.empty()) return;
  if (oauth) {
    upstream.set_headers.push_back({"authorization", bearer(credential)});
  } else {
    upstream.set_headers.push_back({"x-goog-api-key", credential});
  }
}

base::Result<UpstreamTarget> target(const Upstream& upstream, const ClientCall& call, base::Arena& arena) {
  const auto resource = resource_path(call.surface, call.path);
  const auto pieces = split_gemini_path(resource);
  if (resource.empty()) return base::fail(base::ErrorCode::invalid_argument, "path does not belong to its surface");
  if (pieces.method.empty()) return base::fail(base::ErrorCode::unsupported, "Vertex has no such path without a model");
  if (call.model.empty()) return base::fail(base::ErrorCode::invalid_argument, "a Gemini call needs a model");
  std::string_view model = call.model;
  if (model.starts_with("models/")) model.remove_prefix(7);
  TargetWriter writer(arena, target_bytes_max(upstream.prefix.size() + resource.size() + call.query.size() +
                                                  upstream.resource_scope.size(),
                                              model.size()));
  writer.add(upstream.prefix);
  if (!upstream.prefix_versioned) {
    const bool beta = pieces.version.find("beta") != std::string_view::npos;
    writer.add(beta ? "v1beta1/" : "v1/");
  }
  writer.add(upstream.resource_scope).add("publishers/google/models/").add_encoded(model).add(":").add(pieces.method);
  writer.add_query(call.query);
  return UpstreamTarget{.path_and_query = writer.text(), .body_model = BodyModel::keep, .model = call.model};
}

}  // namespace

const Vendor kVertex = {ProviderKind::vertex, kNames, speaks_gemini, default_endpoint, prepare, target};

}  // namespace llmgw::providers
