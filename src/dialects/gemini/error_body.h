// google.rpc.Status as it stands in bodies and streams (AIP-193). Pure; one thread.
#pragma once

#include "chat/error.h"
#include "json/tree.h"

namespace llmgw::dialects::gemini {

// What stands at "error". `status` is the error's own code where it has one. Texts are in the arena.
chat::ClientError read_error_value(json::Value error, base::Arena& arena);

}  // namespace llmgw::dialects::gemini
