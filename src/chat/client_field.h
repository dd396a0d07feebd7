// What the neutral model's settings are called in a client's own request, for warnings and errors. Any thread.
#pragma once

#include <string_view>

#include "chat/dialect.h"

namespace llmgw::chat {

// The path in the client's request; `field` itself where the two are the same, or the model has no such word.
std::string_view client_field(Dialect client, std::string_view field);

}  // namespace llmgw::chat
