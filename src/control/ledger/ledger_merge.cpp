#include "control/ledger/ledger_merge.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <optional>
#include <queue>
#include <string_view>
#include <vector>

#include "accounting/ledger_segment.h"
#include "control/ledger/ledger.h"

namespace llmgw::control {
namespace {

using accounting::LedgerRecord;

constexpr int64_t kSecond = 1'000'000'000;

// A segment that waits for its turn, or has it.
struct Entry {
  int64_t time = 0;   // of its next record
  size_t number = 0;  // among the segments: of two records of one moment the older segment's is first
};
struct Later {
  bool operator()(const Entry& a, const Entry& b) const {
    return a.time != b.time ? a.time > b.time : a.number > b.number;
  }
};

// The time of a file's first record, without reading the whole of it.
std::optional<int64_t> first_time(const std::string& path) {
  constexpr size_t kBeginning =
      accounting::kSegmentHeadBytes + accounting::kFrameHeadBytes + accounting::kLedgerRecordBytesMax;
  std::string bytes(kBeginning, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(file.gcount()));
  std::optional<int64_t> time;
  accounting::scan_segment(bytes, accounting::kSegmentHeadBytes, [&](std::string_view payload) {
    const auto record = accounting::decode(payload);
    if (record && !time) time = record->time;
  });
  return time;
}

// The records of one segment's file.
class Reader {
 public:
  static base::Result<std::unique_ptr<Reader>> open(const std::string& path) {
    TRY(file, accounting::read_segment(path));
    auto reader = std::make_unique<Reader>();
    reader->bytes_ = std::move(file.bytes);
    accounting::scan_segment(reader->bytes_, accounting::kSegmentHeadBytes,
                             [&](std::string_view payload) { reader->payloads_.emplace_back(payload); });
    return reader;
  }

  // Null: there is none any more. What cannot be read is left out; `ledger verify` tells.
  const LedgerRecord* record() {
    while (next_ < payloads_.size() && !record_) {
      record_ = accounting::decode(payloads_[next_]);
      if (!record_) ++next_;
    }
    return record_ ? &*record_ : nullptr;
  }
  void advance() {
    record_.reset();
    ++next_;
  }

 private:
  std::string bytes_;
  std::vector<std::string_view> payloads_;
  size_t next_ = 0;
  std::optional<LedgerRecord> record_;
};

}  // namespace

base::Result<void> visit_oldest_first(const std::string& data_dir, const TimeSpan& span,
                                      const std::function<void(const LedgerRecord&)>& visit) {
  const std::vector<std::string> paths = ledger_segments(data_dir);
  std::vector<std::unique_ptr<Reader>> readers(paths.size());
  std::priority_queue<Entry, std::vector<Entry>, Later> entries;
  for (size_t i = 0; i < paths.size(); ++i) {
    if (const auto time = first_time(paths[i])) entries.push({*time, i});
  }
  while (!entries.empty()) {
    const size_t number = entries.top().number;
    entries.pop();
    std::unique_ptr<Reader>& reader = readers[number];
    if (reader == nullptr) {
      TRY(opened, Reader::open(paths[number]));
      reader = std::move(opened);
    }
    // As long as it is the oldest there is nothing to choose.
    const LedgerRecord* record = reader->record();
    while (record != nullptr && (entries.empty() || !Later()({record->time, number}, entries.top()))) {
      const int64_t second = record->time / kSecond;
      if (second >= span.from && second < span.to) visit(*record);
      reader->advance();
      record = reader->record();
    }
    if (record != nullptr) {
      entries.push({record->time, number});
    } else {
      reader.reset();
    }
  }
  return {};
}

}  // namespace llmgw::control
