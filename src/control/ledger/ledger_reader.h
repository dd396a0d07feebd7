// The newest records of a ledger's files, for who looks at single calls. Blocking; any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "accounting/ledger_record.h"
#include "base/result.h"

namespace llmgw::control {

struct NewestRecords {
  size_t shown = 0;
  bool more = false;  // there are others behind the limit, or in files that were not looked at any more
};

// Calls visit() for records that match(), newest first, at most `limit`. Looks at no more than kFilesReadMax files, so
// that a rare name does not cost the reading of everything.
inline constexpr size_t kFilesReadMax = 256;  // 1 GiB, some 3 million calls: a few seconds
// Each worker fills a file: behind the one that made enough, so many may hold newer calls. More workers are rare.
inline constexpr size_t kFilesFilledAtOnce = 16;
base::Result<NewestRecords> newest_records(const std::string& data_dir, size_t limit,
                                           const std::function<bool(const accounting::LedgerRecord&)>& match,
                                           const std::function<void(const accounting::LedgerRecord&)>& visit);

}  // namespace llmgw::control
