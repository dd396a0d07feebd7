// A copy of a stream's piece, which lies in memory that the next reader of this turn uses. Lives on the coroutine's
// frame, its memory comes from the thread's pool. One thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "base/memory_pool.h"

namespace llmgw::gateway {

class KeptPiece {
 public:
  static constexpr size_t kBytesMax = 2048;  // some events

  KeptPiece() = default;
  KeptPiece(const KeptPiece&) = delete;
  KeptPiece& operator=(const KeptPiece&) = delete;
  ~KeptPiece() { base::MemoryPool::release(memory_, kBytesMax); }

  // Points `data` to the copy; at most once. False if it is too large: to copy it would cost more than to send it at
  // once.
  bool keep(std::string_view& data) {
    if (data.size() > kBytesMax) return false;
    memory_ = static_cast<char*>(base::MemoryPool::allocate(kBytesMax));
    data = {memory_, static_cast<size_t>(std::copy(data.begin(), data.end(), memory_) - memory_)};
    return true;
  }

 private:
  char* memory_ = nullptr;
};

}  // namespace llmgw::gateway
