// The meaning of an error object, wherever it stands: a body, a stream's event, a body of Vertex or Bedrock in front of
// Claude. Pure; any thread.
#pragma once

#include "base/arena.h"
#include "chat/error.h"
#include "json/tree.h"

namespace llmgw::dialects::anthropic {

// {"type":"error","error":{"type","message"}}; also Google's {"error":{"code","status","message"}} and AWS's
// {"message"}. `status` is the HTTP status, 0 in a stream or in a body of status 200.
chat::ClientError error_of(json::Value root, int status, base::Arena& arena);

// True of an error without an envelope, as engines told them that now speak Anthropic's API, too:
// {"object":"error","message","type":"BadRequestError","code":400}. error_of() reads it.
bool is_flat_error(json::Value root);

}  // namespace llmgw::dialects::anthropic
