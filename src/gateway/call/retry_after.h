// How long a provider wants to be left alone. Pure; any thread.
#pragma once

#include <optional>

#include "base/time.h"
#include "http/message.h"

namespace llmgw::gateway {

// `retry-after-ms` (OpenAI, Azure) or `retry-after` in seconds; a date is not understood. At most a month.
std::optional<base::Duration> read_retry_after(const http::Headers& headers);

}  // namespace llmgw::gateway
