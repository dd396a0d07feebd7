// The records of all segments as one sequence. Blocking; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "accounting/ledger_record.h"
#include "base/result.h"

namespace llmgw::control {

// Seconds since 1970; the end is not included.
struct TimeSpan {
  int64_t from = 0;
  int64_t to = std::numeric_limits<int64_t>::max();
};

// Calls visit() for the records of the span in the order in which their calls ended, whichever workers and processes
// wrote them: the oldest first. Within a segment the order is the worker's own, so a clock that was set back is the
// only thing that leaves a younger record before an older one. Files that somebody writes are read as far as they are.
//
// A segment is in memory from its first record's turn to its last one's: some 4 MiB for each worker that wrote at the
// same time.
base::Result<void> visit_oldest_first(const std::string& data_dir, const TimeSpan& span,
                                      const std::function<void(const accounting::LedgerRecord&)>& visit);

}  // namespace llmgw::control
