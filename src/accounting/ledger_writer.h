// A worker's end of the ledger: appends records to the segment at hand, without a system call, a lock or an allocation.
// The ledger's thread hands it empty segments and takes away full ones.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "accounting/ledger_record.h"
#include "accounting/ledger_segment.h"

namespace llmgw::accounting {

class LedgerWriter {
 public:
  // Full segments that may wait to be taken away; the ledger's thread comes every tenth of a second.
  static constexpr size_t kFullMax = 64;

  LedgerWriter() = default;
  LedgerWriter(const LedgerWriter&) = delete;
  LedgerWriter& operator=(const LedgerWriter&) = delete;
  ~LedgerWriter();

  // The worker's thread. False: there was no segment to write to, and the record is lost; lost() counts them. That
  // takes a full disk and then all the memory the ledger may have.
  bool append(const LedgerRecord& record);

  // From here on the ledger's thread, or before the worker starts.
  bool wants_spare() const { return spare_.load(std::memory_order_acquire) == nullptr; }
  void give_spare(std::unique_ptr<Segment> segment);
  // The spare that is not needed any more; null: there is none.
  std::unique_ptr<Segment> take_spare();
  // The worker goes on in its spare with the next record, if it still writes to this segment then and has a spare.
  void leave(const Segment* segment) { leave_.store(segment, std::memory_order_relaxed); }
  // Full ones, oldest first.
  std::vector<std::unique_ptr<Segment>> take_full();
  // The one being filled; null before the first record. Valid until take_full() has returned it.
  Segment* current() const { return current_.load(std::memory_order_acquire); }
  // The worker has ended: all that is left.
  std::vector<std::unique_ptr<Segment>> take_all();

  uint64_t appended() const { return appended_.load(std::memory_order_relaxed); }
  uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  bool next_segment();

  std::atomic<Segment*> current_ = nullptr;  // owned, like all below
  std::atomic<Segment*> spare_ = nullptr;
  std::atomic<const Segment*> leave_ = nullptr;  // compared only
  std::array<Segment*, kFullMax> full_{};        // a ring
  std::atomic<size_t> full_end_ = 0;
  std::atomic<size_t> full_begin_ = 0;
  std::atomic<uint64_t> appended_ = 0;
  std::atomic<uint64_t> lost_ = 0;
};

}  // namespace llmgw::accounting
