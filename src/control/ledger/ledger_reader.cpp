#include "control/ledger/ledger_reader.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "accounting/ledger_segment.h"
#include "control/ledger/ledger.h"

namespace llmgw::control {
namespace {

struct Kept {
  int64_t time;
  uint64_t order;  // of reading: calls of one moment stay in the order in which they were written
  std::string payload;
};

bool newer(const Kept& a, const Kept& b) {
  return a.time != b.time ? a.time > b.time : a.order > b.order;
}

}  // namespace

base::Result<NewestRecords> newest_records(const std::string& data_dir, size_t limit,
                                           const std::function<bool(const accounting::LedgerRecord&)>& match,
                                           const std::function<void(const accounting::LedgerRecord&)>& visit) {
  const auto paths = ledger_segments(data_dir);
  NewestRecords found;
  std::vector<Kept> kept;
  uint64_t order = 0;
  size_t files = 0;
  size_t files_since_enough = 0;
  const auto keep_newest = [&] {
    if (kept.size() <= limit) return;
    std::ranges::nth_element(kept, kept.begin() + static_cast<ptrdiff_t>(limit), newer);
    kept.resize(limit);
    found.more = true;
  };
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) {
    if (files_since_enough > kFilesFilledAtOnce || ++files > kFilesReadMax) {
      found.more = true;
      break;
    }
    TRY(file, accounting::read_segment(*path));
    accounting::scan_segment(file.bytes, accounting::kSegmentHeadBytes, [&](std::string_view payload) {
      const auto record = accounting::decode(payload);
      if (record && match(*record)) kept.push_back({record->time, order++, std::string(payload)});
    });
    keep_newest();
    if (kept.size() == limit) ++files_since_enough;
  }
  std::ranges::sort(kept, newer);
  for (const Kept& each : kept) visit(*accounting::decode(each.payload));
  found.shown = kept.size();
  return found;
}

}  // namespace llmgw::control
