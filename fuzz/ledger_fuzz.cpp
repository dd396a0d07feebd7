// links: accounting
// A ledger's segment that somebody damaged: nothing is read beyond its end, what is found is whole, and a second pass
// from where the first ended finds nothing more.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "accounting/ledger_record.h"
#include "accounting/ledger_segment.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace llmgw::accounting;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // Also as a record by itself: frames have checksums that a fuzzer does not guess.
  if (const auto record = decode(bytes)) {
    std::string again(kLedgerRecordBytesMax, '\0');
    const size_t written = encode(*record, again);
    const auto twice = decode(std::string_view(again).substr(0, written));
    if (!twice || twice->usage != record->usage || twice->nano_dollars != record->nano_dollars) std::abort();
  }
  size_t records = 0;
  const auto first = scan_segment(bytes, kSegmentHeadBytes, [&](std::string_view payload) {
    if (payload.data() < bytes.data() || payload.data() + payload.size() > bytes.data() + bytes.size()) std::abort();
    (void)decode(payload);
    ++records;
  });
  if (records != first.records || first.end > size) std::abort();
  const auto rest = scan_segment(bytes, first.end, [](std::string_view) { std::abort(); });
  if (first.valid && rest.end != std::max(first.end, kSegmentHeadBytes) && rest.end != first.end) std::abort();
  return 0;
}
