// GET /v1/models and /v1/models/{id} as Anthropic answers them (anthropic-sdk-python 0.121, ModelInfo and Page).
// `owned_by` is an addition of ours.
#pragma once

#include "dialects/models_list.h"

namespace llmgw::dialects::anthropic {

// Of the API: pages have 20 models unless the client says otherwise, and at most 1,000.
inline constexpr size_t kPageDefault = 20;
inline constexpr size_t kPageMax = 1000;

base::Result<std::string> write_models(std::span<const ModelInfo> models, std::string_view query);
std::string write_model(const ModelInfo& model);

}  // namespace llmgw::dialects::anthropic
