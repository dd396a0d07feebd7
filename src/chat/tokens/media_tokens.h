// What images, documents, sound and video cost in a prompt, by each vendor's own arithmetic, as far as the bytes are at
// hand. Pure; any thread.
#pragma once

#include <cstdint>

#include "chat/message.h"
#include "chat/token_estimate.h"

namespace llmgw::chat {

// `part` has media.
uint64_t media_tokens(const Part& part, const TokenModel& model);

}  // namespace llmgw::chat
