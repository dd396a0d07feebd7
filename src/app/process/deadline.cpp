#include "app/process/deadline.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace llmgw::process {

base::Result<void> wait_until(int fd, short events, base::Instant deadline) {
  while (true) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - base::real_now()).count();
    pollfd waited{fd, events, 0};
    auto left_ms = std::clamp<int64_t>(left, 0, std::numeric_limits<int>::max());
    int ready = poll(&waited, 1, static_cast<int>(left_ms));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return base::fail(base::os_error(errno, "poll"));
    if (ready == 0 && left <= left_ms) return base::fail(base::ErrorCode::deadline_exceeded, "poll");
  }
}

}  // namespace llmgw::process
