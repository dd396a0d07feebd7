// How long a provider wants to be left alone. Pure; any thread.
#pragma once

#include <optional>

#include "base/time.h"
#include "http/message.h"

namespace llmgw::gateway {

// `retry-after-ms` (OpenAI, Azure), or `retry-after` in seconds or as a date. A date counts from the answer's own, so
// that a clock that is wrong does no harm; without one from `now`; one that is over means at once. At most a month.
std::optional<base::Duration> read_retry_after(const http::Headers& headers, base::WallTime now);

}  // namespace llmgw::gateway
