// OpenAI's Responses API, as clients speak it to us and as we speak it to providers. Pure; any thread.
// Source: openai-openapi 2.3.0 (August 2026), schemas CreateResponse, Response and ResponseStreamEvent.
#pragma once

#include "dialects/codec.h"

namespace llmgw::dialects::openai_responses {

const Codec& codec();

}  // namespace llmgw::dialects::openai_responses
