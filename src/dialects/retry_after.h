// Retry-After as HTTP and the vendors' SDKs want it. Any thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace llmgw::dialects {

// Longer waits mean nothing to a client that retries; SDKs ignore more than a minute.
inline constexpr base::Duration kRetryAfterMax = std::chrono::hours(24 * 31);

inline base::Duration bounded_retry_after(base::Duration wait) {
  return std::clamp(wait, base::Duration::zero(), kRetryAfterMax);
}
// Whole seconds and milliseconds, rounded up: a client that waits this long is not early.
inline int64_t retry_after_seconds(base::Duration wait) {
  return std::chrono::ceil<std::chrono::seconds>(bounded_retry_after(wait)).count();
}
inline int64_t retry_after_ms(base::Duration wait) {
  return std::chrono::ceil<std::chrono::milliseconds>(bounded_retry_after(wait)).count();
}

}  // namespace llmgw::dialects
