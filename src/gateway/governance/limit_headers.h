// What is left of a call's limits, in the headers that its client's SDK knows: OpenAI's x-ratelimit-* and Anthropic's
// anthropic-ratelimit-*. Google's, AWS's and Cohere's APIs have none. Pure; any thread.
//
// Sources: platform.openai.com/docs/guides/rate-limits ("Rate limits in headers");
// docs.anthropic.com/en/api/rate-limits
// ("Response headers"); both read 2025-10.
#pragma once

#include <string_view>

#include "admission/reservation.h"
#include "base/arena.h"
#include "base/time.h"
#include "chat/dialect.h"
#include "http/message.h"

namespace llmgw::gateway {

// Replaces the provider's own, which tell of the gateway's account and not of the client's key. Limits that are 0 are
// left out. Values lie in the arena.
void write_limit_headers(chat::Dialect dialect, const admission::Allowance& requests,
                         const admission::Allowance& tokens, base::WallTime now, base::Arena& arena,
                         http::Headers& headers);

// "6m0s", "1.5s", "20ms": a duration as OpenAI writes it. Rounded up to a millisecond.
std::string reset_text(base::Duration time);

}  // namespace llmgw::gateway
