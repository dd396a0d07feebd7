// Cohere's chat, version 2: POST /v2/chat (docs.cohere.com, API reference and streaming guides, August 2026). Any
// thread.
#pragma once

#include "dialects/codec.h"

namespace llmgw::dialects::cohere {

const Codec& codec();

}  // namespace llmgw::dialects::cohere
