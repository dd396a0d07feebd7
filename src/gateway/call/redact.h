// Providers repeat credentials in their error messages ("incorrect API key provided: sk-..."). Those are the operator's
// and must not reach a client. Pure; one thread.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "chat/list.h"
#include "providers/upstream.h"

namespace llmgw::gateway {

// What must not be shown of a connection: its credentials and its host's name. Views point into `upstream`.
chat::List<std::string_view> secrets_of(const providers::Upstream& upstream, base::Arena& arena);

// `text` with each secret replaced; `text` itself where there is none in it, else a copy in the arena.
std::string_view redact(std::string_view text, const chat::List<std::string_view>& secrets, base::Arena& arena);

}  // namespace llmgw::gateway
