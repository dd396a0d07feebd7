// Where responses wait that the database cannot take just now: a file of the data directory, so that they survive the
// end of the process, kill -9 included, because the kernel has them. A process has one file, made when it is needed and
// locked (flock) while it lives; what another one left behind is taken over. A power cut may cost what sync() has not
// given to the disk.
//
//   "LLMGWRS1", u64 where the first that waits begins, then frames: u32 size, u32 CRC-32 (zlib's) of the payload,
//   payload
//
// Numbers are little-endian. The first frame that is not whole is the end. Oldest first out. Any thread, but front()
// and pop() are one thread's.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace llmgw::store {

class ResponsesSpool {
 public:
  static constexpr size_t kHeadBytes = 16;
  static constexpr size_t kFrameHeadBytes = 8;
  static constexpr size_t kFileBytesMax = size_t{256} << 20;     // hours of answers, and a bound for the disk
  static constexpr size_t kPayloadBytesMax = size_t{160} << 20;  // beyond any response that is stored

  // For new ones; the folder is made when the first comes.
  explicit ResponsesSpool(std::string directory) : directory_(std::move(directory)) {}
  // A file that somebody left. already_exists: its process lives. not_found: it is gone. protocol: it is none.
  static base::Result<ResponsesSpool> adopt(const std::string& path);
  ResponsesSpool(ResponsesSpool&& other) noexcept;
  ResponsesSpool& operator=(ResponsesSpool&&) = delete;
  // Removes the file if nothing waits in it.
  ~ResponsesSpool();

  // exhausted: the disk, or the file, is full; io.
  base::Result<void> append(std::string_view payload);
  // The oldest; not_found: there is none.
  base::Result<std::string> front();
  // It is done with.
  void pop();
  // Waits until the disk has all.
  void sync();
  bool empty();

 private:
  base::Result<void> make_file();
  base::Result<void> write_at(uint64_t offset, std::string_view bytes);
  base::Result<std::string> read_at(uint64_t offset, size_t size);
  void note_begin();

  std::string directory_;
  std::string path_;
  std::mutex mutex_;
  int fd_ = -1;
  uint64_t begin_ = kHeadBytes;
  uint64_t end_ = kHeadBytes;
  uint64_t synced_ = kHeadBytes;
};

// Files of a folder that may have something, oldest first; none where there is no folder.
std::vector<std::string> spool_files(const std::string& directory);

}  // namespace llmgw::store
