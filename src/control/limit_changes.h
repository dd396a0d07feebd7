// What has been used of limits that a new snapshot changes. Any thread; the meters are everybody's.
#pragma once

#include <vector>

#include "admission/meter.h"
#include "control/governance.h"
#include "control/snapshot.h"

namespace llmgw::control {

// Those with a budget whose meters are in a period by another rule.
std::vector<const Scope*> scopes_of_other_periods(const Snapshot& snapshot);

// Where a limit of requests or tokens is another than before, what was used of the window stays as many requests or
// tokens as it was, and does not become the same share of the new limit. `now` is of the monotonic clock. Of calls that
// are running now what they had reserved is corrected by the old limit when they end.
void carry_windows_over(const Snapshot& before, const Snapshot& snapshot, admission::Nanoseconds now);

}  // namespace llmgw::control
