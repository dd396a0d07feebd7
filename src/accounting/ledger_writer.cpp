#include "accounting/ledger_writer.h"

#include <utility>

namespace llmgw::accounting {

LedgerWriter::~LedgerWriter() {
  take_all();
}

// Only the worker moves segments on, so plain steps will do.
bool LedgerWriter::next_segment() {
  const size_t end = full_end_.load(std::memory_order_relaxed);
  Segment* const old = current_.load(std::memory_order_relaxed);
  if (old != nullptr && end - full_begin_.load(std::memory_order_acquire) == kFullMax) return false;
  Segment* const next = spare_.exchange(nullptr, std::memory_order_acq_rel);
  if (next == nullptr) return false;
  current_.store(next, std::memory_order_release);
  if (old == nullptr) return true;
  full_[end % kFullMax] = old;
  full_end_.store(end + 1, std::memory_order_release);
  return true;
}

bool LedgerWriter::append(const LedgerRecord& record) {
  std::array<char, kLedgerRecordBytesMax> bytes;
  const size_t size = encode(record, bytes);
  const std::string_view payload(bytes.data(), size);
  Segment* segment = current_.load(std::memory_order_relaxed);
  if (segment != nullptr && segment == leave_.load(std::memory_order_relaxed) && next_segment()) {
    segment = current_.load(std::memory_order_relaxed);
  }
  if (segment == nullptr || !segment->append(payload)) {
    if (!next_segment()) {
      lost_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    current_.load(std::memory_order_relaxed)->append(payload);
  }
  appended_.store(appended_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);  // no other writer
  return true;
}

void LedgerWriter::give_spare(std::unique_ptr<Segment> segment) {
  delete spare_.exchange(segment.release(), std::memory_order_acq_rel);
}

std::unique_ptr<Segment> LedgerWriter::take_spare() {
  return std::unique_ptr<Segment>(spare_.exchange(nullptr, std::memory_order_acq_rel));
}

std::vector<std::unique_ptr<Segment>> LedgerWriter::take_full() {
  std::vector<std::unique_ptr<Segment>> taken;
  size_t begin = full_begin_.load(std::memory_order_relaxed);
  const size_t end = full_end_.load(std::memory_order_acquire);
  for (; begin != end; ++begin) taken.emplace_back(full_[begin % kFullMax]);
  full_begin_.store(begin, std::memory_order_release);
  return taken;
}

std::vector<std::unique_ptr<Segment>> LedgerWriter::take_all() {
  auto taken = take_full();
  for (std::atomic<Segment*>* each : {&current_, &spare_}) {
    if (Segment* const segment = each->exchange(nullptr, std::memory_order_acq_rel)) taken.emplace_back(segment);
  }
  return taken;
}

}  // namespace llmgw::accounting
