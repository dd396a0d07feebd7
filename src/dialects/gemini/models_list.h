// GET /v1beta/models and /v1beta/models/{m} as Gemini answers them (googleapis, generativelanguage v1beta, ListModels
// and Model). `owned_by` is an addition of ours.
#pragma once

#include "dialects/models_list.h"

namespace llmgw::dialects::gemini {

// Of the API: pages have 50 models unless the client says otherwise; larger requests are cut to 1,000.
inline constexpr size_t kPageDefault = 50;
inline constexpr size_t kPageMax = 1000;

base::Result<std::string> write_models(std::span<const ModelInfo> models, std::string_view query);
std::string write_model(const ModelInfo& model);

}  // namespace llmgw::dialects::gemini
