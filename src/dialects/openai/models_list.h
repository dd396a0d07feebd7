// GET /v1/models and /v1/models/{id} as OpenAI answers them (openai-openapi 2.3.0, ListModelsResponse and Model): one
// page.
#pragma once

#include "dialects/models_list.h"

namespace llmgw::dialects::openai {

std::string write_models(std::span<const ModelInfo> models);
std::string write_model(const ModelInfo& model);

}  // namespace llmgw::dialects::openai
