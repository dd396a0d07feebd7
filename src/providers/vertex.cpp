// Vertex AI: Gemini's protocol under project and location, or in express mode (API key, no project); and Claude, whose
// messages it takes in an envelope of its own. Hosts and paths: google-genai 2.19.0, anthropic-sdk-python 0.121.0
// (vertex client) and cloud.google.com, "Vertex AI in express mode".
#include <utility>

#include "base/text.h"
#include "providers/vendor.h"

namespace llmgw::providers {
namespace {

constexpr ProviderInfo kNames[] = {
    {"vertex", ProviderKind::vertex, "", CredentialNeed::required, "google"},
};
// What Claude's body says instead of the anthropic-version header.
constexpr std::string_view kClaudeVersion = "vertex-2023-10-16";

bool speaks_some(Surface surface) {
  return surface == Surface::gemini || surface == Surface::vertex || surface == Surface::anthropic;
}

bool model_speaks(const Upstream&, std::string_view model, Surface surface) {
  if (model.empty()) return false;  // nothing there is without one
  return is_claude(model) == (surface == Surface::anthropic);
}

std::string default_endpoint(const UpstreamOptions& options) {
  const std::string_view location = options.location;
  if (location.empty() || location == "global") return "https://aiplatform.googleapis.com";
  if (location == "us" || location == "eu")
    return "https://aiplatform." + std::string(location) + ".rep.googleapis.com";
  return "https://" + std::string(location) + "-aiplatform.googleapis.com";
}

void prepare_credential(const UpstreamOptions& options, Upstream& upstream, std::vector<UpstreamFault>& faults) {
  refuse_oauth_token_as_key(options, faults);
  if (!options.access_token.empty()) {
    upstream.set_headers.push_back({"authorization", bearer(options.access_token)});
  } else if (!options.api_key.empty()) {
    upstream.set_headers.push_back({"x-goog-api-key", options.api_key});
  } else if (!options.service_account.empty()) {
    auto credentials = parse_google_credentials(options.service_account.reveal());
    if (!credentials) {
      faults.push_back({"service_account_file", credentials.error()});
      return;
    }
    if (!credentials->quota_project.empty()) {
      upstream.set_headers.push_back({"x-goog-user-project", base::Secret(credentials->quota_project)});
    }
    upstream.google = std::make_shared<const GoogleCredentials>(std::move(*credentials));
  }
}

void prepare(const UpstreamOptions& options, Upstream& upstream, std::vector<UpstreamFault>& faults) {
  prepare_credential(options, upstream, faults);
  // The file of a service account names its project.
  std::string project(options.project);
  if (project.empty() && upstream.google != nullptr) project = upstream.google->project;
  if (project.empty() != options.location.empty()) {
    faults.push_back({project.empty() ? "location" : "project",
                      "project and location belong together: give both, or neither for express mode with an api_key"});
  } else if (project.empty() && (!options.access_token.empty() || upstream.google != nullptr)) {
    faults.push_back({"project", "an access token needs project = \"...\" and location = \"...\""});
  }
  upstream.prefix_versioned = has_version_segment(upstream.endpoint.base_path);
  upstream.prefix = upstream.endpoint.base_path + "/";
  if (!project.empty()) {
    upstream.resource_scope =
        "projects/" + base::percent_encode(project) + "/locations/" + base::percent_encode(options.location) + "/";
  }
}

// Messages become rawPredict; counting has a model of its own, and names the one meant in the body.
base::Result<UpstreamTarget> claude_target(const Upstream& upstream, const ClientCall& call, base::Arena& arena) {
  const auto resource = resource_path(call.surface, call.path);
  const bool counts = resource == "messages/count_tokens";
  if (!counts && resource != "messages") {
    return base::fail(base::ErrorCode::unsupported, "Claude on Vertex has messages and count_tokens only");
  }
  constexpr size_t kFixedBytes = 80;  // version, publisher and method
  TargetWriter writer(
      arena, target_bytes_max(upstream.prefix.size() + upstream.resource_scope.size() + kFixedBytes + call.query.size(),
                              call.model.size()));
  writer.add(upstream.prefix).add(upstream.prefix_versioned ? "" : "v1/").add(upstream.resource_scope);
  writer.add("publishers/anthropic/models/");
  if (counts) {
    writer.add("count-tokens:rawPredict");
  } else {
    writer.add_encoded(call.model).add(call.stream ? ":streamRawPredict" : ":rawPredict");
  }
  // `beta=true` is for Anthropic's own router.
  writer.add_query(call.query, {"beta"});
  return UpstreamTarget{.path_and_query = writer.text(),
                        .body_model = counts ? BodyModel::set : BodyModel::keep,
                        .model = call.model,
                        .envelope = {.drop_model = !counts, .anthropic_version = kClaudeVersion}};
}

base::Result<UpstreamTarget> target(const Upstream& upstream, const ClientCall& call, base::Arena& arena) {
  if (call.surface == Surface::anthropic) return claude_target(upstream, call, arena);
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

const Vendor kVertex = {.kind = ProviderKind::vertex,
                        .names = kNames,
                        .speaks = speaks_some,
                        .model_speaks = model_speaks,
                        .default_endpoint = default_endpoint,
                        .prepare = prepare,
                        .target = target};

}  // namespace llmgw::providers
