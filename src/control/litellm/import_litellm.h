// A configuration of LiteLLM's proxy (config.yaml: model_list, litellm_settings, router_settings, general_settings, as
// documented in October 2026) as one of ours. Pure; any thread.
#pragma once

#include <expected>
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

// The error is a sentence with the place of the fault.
std::expected<LitellmImport, std::string> import_litellm(std::string_view yaml);

}  // namespace llmgw::control
