// A configuration of LiteLLM's proxy (config.yaml: model_list, litellm_settings, router_settings, general_settings, as
// documented in October 2026) as one of ours. Pure; any thread.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace llmgw::control {

inline constexpr size_t kImportBytesMax = size_t{4} << 20;  // tens of thousands of models

struct LitellmImport {
  std::string toml;
  std::vector<std::string> left_out;  // "litellm_settings.cache: ...", a line each: what it says is not in the TOML
  size_t connections = 0;
  size_t models = 0;
};

// Gives the text of a file that `include` names, or why it cannot.
using ReadIncluded = std::function<std::expected<std::string, std::string>(const std::string& name)>;

// The error is a sentence with the place of the fault. Without `read` a file that includes others is one.
std::expected<LitellmImport, std::string> import_litellm(std::string_view yaml, const ReadIncluded& read = {});

}  // namespace llmgw::control
