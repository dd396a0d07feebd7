// A segment of the ledger: a file of fixed size that one worker fills, mapped into memory, so that to write a record is
// to copy it. What has been copied belongs to the kernel: it survives the end of the process, however that comes
// (kill -9 included); a power cut may cost what the ledger's thread has not yet synced, at most about a second.
//
//   64 bytes: "LLMGWLG1", then when it was made (nanoseconds since 1970), then zeros
//   frames, each at a multiple of 8: u32 size, u32 CRC-32C of the payload, payload (a LedgerRecord)
//
// The size of a frame is written last. So the first size that is 0 is the end; anything else that is not a whole frame
// is a torn tail, and the end as well. A segment that is being written is locked (flock), which ends with the process.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace llmgw::accounting {

inline constexpr size_t kSegmentBytes = 4u << 20;  // ten thousand calls; two for each worker are at hand
inline constexpr size_t kSegmentHeadBytes = 64;
// At hand beyond what is written: some hundred calls. All of a segment would be memory that an idle gateway never
// needs.
inline constexpr size_t kPopulatedBytes = 128u << 10;
inline constexpr size_t kFrameHeadBytes = 8;

// CRC-32C (Castagnoli; RFC 3720, appendix B.4).
uint32_t crc32c(std::string_view bytes);
// What it does on a processor without the instruction. For the test that compares the two.
uint32_t crc32c_by_table(std::string_view bytes);

// Made and destroyed by the ledger's thread; filled by one worker; `written()` any thread.
class Segment {
 public:
  // A new file of that name, with its blocks allocated: a full disk is found out here and not while writing.
  // `bytes`: of the file, for one that is filled at once.
  static base::Result<std::unique_ptr<Segment>> create(const std::string& path, int64_t now,
                                                       size_t bytes = kSegmentBytes);
  // Memory only, for the time the disk is full.
  static std::unique_ptr<Segment> in_memory();
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  // False: it does not fit any more.
  bool append(std::string_view payload);

  // Has the file system take in what is to be written next, `ahead` bytes beyond written(): the first write to a page
  // asks it (6 us), and it may wait for its journal. The ledger's thread only.
  void populate(size_t ahead);

  // Bytes that are whole frames, from the start of the segment.
  size_t written() const { return end_.load(std::memory_order_acquire); }
  std::string_view bytes() const { return {data_, written()}; }
  bool on_disk() const { return fd_ >= 0; }
  const std::string& path() const { return path_; }
  // Of its file, for who wants to wait for the disk; the caller closes it. -1: none.
  int duplicate_descriptor() const;

 private:
  Segment(char* data, size_t size, int fd, std::string path)
      : data_(data), size_(size), fd_(fd), path_(std::move(path)) {}

  char* data_;
  const size_t size_;
  int fd_;
  std::string path_;
  std::atomic<size_t> end_ = kSegmentHeadBytes;
  size_t populated_ = 0;
};

// Waits until the disk has these bytes of a segment's file. Of them alone: a page that the disk has been given costs
// its next writer what a new one does, so those populated ahead must stay as they are.
base::Result<void> sync_segment(int fd, size_t from, size_t to);

// What a segment's bytes hold.
struct SegmentScan {
  size_t end = 0;  // of the last whole frame
  size_t records = 0;
  bool torn = false;   // something behind `end` is neither a frame nor zeros
  bool valid = false;  // it begins like a segment
};
// Calls `visit` with each payload from `from` on (kSegmentHeadBytes, or the end of an earlier scan).
SegmentScan scan_segment(std::string_view bytes, size_t from, const std::function<void(std::string_view)>& visit);

// A segment's file, read whole. `live`: somebody is writing it.
struct SegmentFile {
  std::string bytes;
  bool live = false;
};
base::Result<SegmentFile> read_segment(const std::string& path);

}  // namespace llmgw::accounting
