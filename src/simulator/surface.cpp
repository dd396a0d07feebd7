#include "simulator/surface.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "base/text.h"

namespace llmgw::simulator {

namespace {

struct Entry {
  std::string_view method;
  std::string_view path;  // a trailing '*' takes one more path segment, the object
  Operation operation;
};

constexpr Entry kOpenai[]{
    {"POST", "/chat/completions", Operation::chat},
    {"POST", "/completions", Operation::completions},
    {"POST", "/responses", Operation::responses},
    {"POST", "/responses/input_tokens", Operation::response_input_tokens},
    {"GET", "/responses/*", Operation::response_get},
    {"DELETE", "/responses/*", Operation::response_delete},
    {"POST", "/embeddings", Operation::embeddings},
    {"POST", "/rerank", Operation::rerank},
    {"POST", "/moderations", Operation::moderations},
    {"POST", "/images/generations", Operation::images},
    {"POST", "/images/edits", Operation::images},
    {"POST", "/images/variations", Operation::images},
    {"POST", "/audio/speech", Operation::speech},
    {"POST", "/audio/transcriptions", Operation::transcription},
    {"POST", "/audio/translations", Operation::transcription},
    {"GET", "/models", Operation::models},
    {"GET", "/models/*", Operation::model},
};

constexpr Entry kAnthropic[]{
    {"POST", "/messages", Operation::messages},
    {"POST", "/messages/count_tokens", Operation::count_tokens},
};

constexpr Entry kAnthropicModels[]{
    {"GET", "/models", Operation::models},
    {"GET", "/models/*", Operation::model},
};

// Below the collection of models.
constexpr Entry kGemini[]{
    {"GET", "", Operation::models},
    {"POST", "/*:generateContent", Operation::generate},
    {"POST", "/*:streamGenerateContent", Operation::stream_generate},
    {"POST", "/*:countTokens", Operation::gemini_count_tokens},
    {"POST", "/*:embedContent", Operation::embed_content},
    {"POST", "/*:batchEmbedContents", Operation::batch_embed_contents},
    {"GET", "/*", Operation::model},
};

constexpr Entry kControl[]{
    {"GET", "/metrics", Operation::metrics},
    {"GET", "/health", Operation::health},
    {"GET", "/version", Operation::version},
    {"GET", "/simulate/faults", Operation::faults_list},
    {"POST", "/simulate/faults", Operation::faults_set},
    {"DELETE", "/simulate/faults", Operation::faults_clear},
    {"POST", "/reset_prefix_cache", Operation::forget_prefixes},
};

// What the '*' of `pattern` stands for in `path`; empty text where there is no '*'.
std::optional<std::string_view> match(std::string_view pattern, std::string_view path) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return path == pattern ? std::optional(std::string_view{}) : std::nullopt;
  const std::string_view after = pattern.substr(star + 1);
  if (!path.starts_with(pattern.substr(0, star)) || !path.ends_with(after)) return std::nullopt;
  if (path.size() <= star + after.size()) return std::nullopt;
  const std::string_view object = path.substr(star, path.size() - star - after.size());
  return object.contains('/') ? std::nullopt : std::optional(object);
}

// Takes `prefix` off `path` if it begins with it.
bool take(std::string_view& path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return false;
  path.remove_prefix(prefix.size());
  return true;
}

class Finder {
 public:
  explicit Finder(const SurfaceQuestion& question) : question_(question) {}

  bool look(std::span<const Entry> entries, std::string_view path, Api api) {
    for (const Entry& entry : entries) {
      const auto object = match(entry.path, path);
      if (!object) continue;
      if (entry.method != question_.method) {
        wrong_method_ = true;
        continue;
      }
      auto decoded = base::percent_decode(*object);
      if (!decoded) continue;
      found_ = Surface{.api = api, .operation = entry.operation, .object = std::move(*decoded)};
      return true;
    }
    return false;
  }

  Surface& found() { return found_; }
  NoSurface nothing(Api api) const { return {.status = wrong_method_ ? 405 : 404, .api = api}; }

 private:
  const SurfaceQuestion& question_;
  Surface found_;
  bool wrong_method_ = false;
};

std::expected<Surface, NoSurface> find_gemini(Finder& finder, std::string_view path, std::string_view query) {
  if (!finder.look(kGemini, path, Api::gemini)) return std::unexpected(finder.nothing(Api::gemini));
  Surface& found = finder.found();
  found.sse = query_value(query, "alt") == "sse" || query_value(query, "$alt") == "sse";
  const std::string_view encoding = query_value(query, "$alt");
  found.integer_enums = encoding.contains("enum-encoding=int") || encoding.contains("enum-encoding%3Dint");
  return std::move(found);
}

std::expected<Surface, NoSurface> find_azure(Finder& finder, std::string_view path) {
  if (take(path, "/v1")) {
    if (finder.look(kOpenai, path, Api::azure)) return std::move(finder.found());
    return std::unexpected(finder.nothing(Api::azure));
  }
  if (take(path, "/deployments/")) {
    const size_t slash = path.find('/');
    const auto deployment = base::percent_decode(path.substr(0, slash));
    if (slash != std::string_view::npos && slash > 0 && deployment &&
        finder.look(kOpenai, path.substr(slash), Api::azure)) {
      finder.found().object = *deployment;
      return std::move(finder.found());
    }
    return std::unexpected(finder.nothing(Api::azure));
  }
  // The Responses API is not deployment-scoped in the classic form.
  if (finder.look(kOpenai, path, Api::azure)) return std::move(finder.found());
  return std::unexpected(finder.nothing(Api::azure));
}

// The collection of models in a Vertex path: /projects/{p}/locations/{l}/publishers/{who}/models, or express mode.
bool take_vertex_models(std::string_view& path) {
  if (!path.starts_with("/projects/") && !path.starts_with("/publishers/")) return false;
  const size_t models = path.find("/models/");
  if (models == std::string_view::npos || !path.substr(0, models).contains("publishers/")) return false;
  path.remove_prefix(models + std::string_view("/models").size());
  return true;
}

}  // namespace

std::string_view query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name) return pair.substr(std::min(equals + 1, pair.size()));
  }
  return {};
}

std::expected<Surface, NoSurface> find_surface(const SurfaceQuestion& question) {
  Finder finder(question);
  std::string_view path = question.path;
  if (finder.look(kControl, path, Api::control)) return std::move(finder.found());
  if (take(path, "/openai")) return find_azure(finder, path);
  if (take(path, "/v1beta/openai")) {
    if (finder.look(kOpenai, path, Api::openai)) return std::move(finder.found());
    return std::unexpected(finder.nothing(Api::openai));
  }
  const bool beta = take(path, "/v1beta1") || take(path, "/v1beta");
  if (!beta && !take(path, "/v1")) {
    // Engines also serve /rerank without a version.
    if (finder.look(kOpenai, path, Api::openai) && finder.found().operation == Operation::rerank) {
      return std::move(finder.found());
    }
    return std::unexpected(finder.nothing(Api::openai));
  }
  if (take_vertex_models(path)) return find_gemini(finder, path, question.query);
  const bool gemini_models = path == "/models" || path.starts_with("/models/");
  if (gemini_models && (beta || question.google_key || (question.method == "POST" && path.contains(':')))) {
    take(path, "/models");
    return find_gemini(finder, path, question.query);
  }
  if (beta) return std::unexpected(finder.nothing(Api::gemini));
  if (finder.look(kAnthropic, path, Api::anthropic)) return std::move(finder.found());
  if (question.anthropic_version && finder.look(kAnthropicModels, path, Api::anthropic)) {
    return std::move(finder.found());
  }
  if (finder.look(kOpenai, path, Api::openai)) return std::move(finder.found());
  return std::unexpected(finder.nothing(path.starts_with("/messages") ? Api::anthropic : Api::openai));
}

}  // namespace llmgw::simulator
