// The wire surfaces a client can call, as far as the choice of the upstream's path depends on them. The gateway's
// endpoint table maps its entries to these. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace llmgw::providers {

enum class Surface : uint8_t {
  openai,     // /v1/{resource}
  azure,      // /openai/deployments/{deployment}/{resource} and /openai/{resource}
  azure_v1,   // /openai/v1/{resource}
  anthropic,  // /v1/{resource}
  gemini,     // /{version}/models/{model}:{method}
  vertex,     // /{version}/projects/../locations/../publishers/{publisher}/models/{model}:{method}, or without projects
  bedrock,    // /model/{model}/{operation}
  cohere,     // /v2/{resource}
};

std::string_view to_string(Surface surface);

// What is left of a client's path (no query) after the surface's prefix, without a leading slash: "chat/completions".
// For gemini, vertex and bedrock the whole path without the leading slash. Empty when the path does not have the prefix
// or has a dot segment, which must never be joined to an upstream's base path.
std::string_view resource_path(Surface surface, std::string_view path);

// The pieces of "v1beta/models/gemini-2.0-flash:generateContent" and of Vertex's longer shape. `method` is empty when
// the path names no model.
struct GeminiPath {
  std::string_view version;
  std::string_view model;  // still percent-encoded
  std::string_view method;
};
GeminiPath split_gemini_path(std::string_view resource);

// The pieces of "model/anthropic.claude-v2%3A1/converse". `operation` is empty when the path is not of this form.
struct BedrockPath {
  std::string_view model;  // still percent-encoded
  std::string_view operation;
};
BedrockPath split_bedrock_path(std::string_view resource);

// True for a path segment that stands for an API version: "v1", "v1beta", "v4".
bool is_version_segment(std::string_view segment);

// True when a segment is "." or "..", plain or percent-encoded.
bool has_dot_segment(std::string_view path);

}  // namespace llmgw::providers
