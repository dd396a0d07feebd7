#include "control/ledger/ledger_reader.h"

#include <string_view>
#include <vector>

#include "accounting/ledger_segment.h"
#include "control/ledger/ledger.h"

namespace llmgw::control {

base::Result<NewestRecords> newest_records(const std::string& data_dir, size_t limit,
                                           const std::function<bool(const accounting::LedgerRecord&)>& match,
                                           const std::function<void(const accounting::LedgerRecord&)>& visit) {
  const auto paths = ledger_segments(data_dir);
  NewestRecords found;
  size_t files = 0;
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) {
    if (found.shown == limit || ++files > kFilesReadMax) {
      found.more = true;
      break;
    }
    TRY(file, accounting::read_segment(*path));
    std::vector<std::string_view> payloads;
    accounting::scan_segment(file.bytes, accounting::kSegmentHeadBytes, [&](std::string_view payload) {
      const auto record = accounting::decode(payload);
      if (record && match(*record)) payloads.push_back(payload);
    });
    for (auto payload = payloads.rbegin(); payload != payloads.rend(); ++payload) {
      if (found.shown == limit) {
        found.more = true;
        break;
      }
      visit(*accounting::decode(*payload));
      ++found.shown;
    }
  }
  return found;
}

}  // namespace llmgw::control
