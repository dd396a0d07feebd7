// Gemini's generateContent and streamGenerateContent as one row of the codec table: AI Studio
// (google.ai.generativelanguage.v1beta) and Vertex AI (google.cloud.aiplatform.v1), whose JSON differs in details. Any
// thread.
#pragma once

#include "dialects/codec.h"

namespace llmgw::dialects::gemini {

const Codec& codec();

}  // namespace llmgw::dialects::gemini
