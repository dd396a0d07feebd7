// OpenAI Chat Completions, also as Azure and every OpenAI-compatible vendor speak it (openai-openapi 2.3.0, paths
// /chat/completions, 2026-08; vendors' additions as recorded). Any thread.
#pragma once

#include "dialects/codec.h"

namespace llmgw::dialects::openai_chat {

const Codec& codec();

}  // namespace llmgw::dialects::openai_chat
