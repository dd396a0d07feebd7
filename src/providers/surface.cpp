#include "providers/surface.h"

#include "base/text.h"

namespace llmgw::providers {
namespace {

std::string_view strip(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) ? path.substr(prefix.size()) : std::string_view{};
}

std::string_view azure_resource(std::string_view path) {
  const auto rest = strip(path, "/openai/");
  const auto scoped = strip(rest, "deployments/");
  if (scoped.empty()) return rest;
  const size_t slash = scoped.find('/');
  return slash == std::string_view::npos ? std::string_view{} : scoped.substr(slash + 1);
}

// Takes one "." or "%2e" off the front.
bool take_dot(std::string_view& segment) {
  if (segment.starts_with('.')) {
    segment.remove_prefix(1);
    return true;
  }
  if (segment.size() >= 3 && base::equals_ignoring_case(segment.substr(0, 3), "%2e")) {
    segment.remove_prefix(3);
    return true;
  }
  return false;
}

}  // namespace

std::string_view to_string(Surface surface) {
  switch (surface) {
    case Surface::openai: return "openai";
    case Surface::azure: return "azure";
    case Surface::azure_v1: return "azure_v1";
    case Surface::anthropic: return "anthropic";
    case Surface::gemini: return "gemini";
    case Surface::vertex: return "vertex";
    case Surface::bedrock: return "bedrock";
    case Surface::cohere: return "cohere";
  }
  return "unknown";
}

bool has_dot_segment(std::string_view path) {
  while (!path.empty()) {
    const size_t slash = path.find('/');
    auto segment = path.substr(0, slash);
    if (take_dot(segment)) {
      take_dot(segment);
      if (segment.empty()) return true;
    }
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  }
  return false;
}

std::string_view resource_path(Surface surface, std::string_view path) {
  if (has_dot_segment(path)) return {};
  switch (surface) {
    case Surface::openai:
    case Surface::anthropic: return strip(path, "/v1/");
    case Surface::azure: return azure_resource(path);
    case Surface::azure_v1: return strip(path, "/openai/v1/");
    case Surface::cohere: return strip(path, "/v2/");
    case Surface::gemini:
    case Surface::vertex:
    case Surface::bedrock: return strip(path, "/");
  }
  return {};
}

GeminiPath split_gemini_path(std::string_view resource) {
  const size_t version_end = resource.find('/');
  GeminiPath result{.version = resource.substr(0, version_end), .model = {}, .method = {}};
  const size_t models = resource.rfind("/models/");
  if (models == std::string_view::npos) return result;
  const auto tail = resource.substr(models + std::string_view("/models/").size());
  size_t colon = tail.rfind(':');
  size_t colon_size = 1;
  if (colon == std::string_view::npos) {
    colon = tail.rfind("%3A");
    if (colon == std::string_view::npos) colon = tail.rfind("%3a");
    colon_size = 3;
  }
  if (colon == std::string_view::npos || tail.find('/', colon) != std::string_view::npos) return result;
  result.model = tail.substr(0, colon);
  result.method = tail.substr(colon + colon_size);
  return result;
}

BedrockPath split_bedrock_path(std::string_view resource) {
  constexpr std::string_view kRoot = "model/";
  const size_t slash = resource.rfind('/');
  if (!resource.starts_with(kRoot) || slash <= kRoot.size()) return {};
  return {.model = resource.substr(kRoot.size(), slash - kRoot.size()), .operation = resource.substr(slash + 1)};
}

bool is_version_segment(std::string_view segment) {
  return segment.size() >= 2 && segment.size() <= 10 && segment[0] == 'v' && base::is_digit(segment[1]);
}

}  // namespace llmgw::providers
