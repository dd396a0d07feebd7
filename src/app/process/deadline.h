// poll(2) against a deadline, for the blocking clients of this folder. Any thread.
#pragma once

#include "base/result.h"
#include "base/time.h"

namespace llmgw::process {

// Waits until `fd` has one of `events` (POLLIN, POLLOUT) or its peer is gone. deadline_exceeded: it did not by then.
base::Result<void> wait_until(int fd, short events, base::Instant deadline);

}  // namespace llmgw::process
