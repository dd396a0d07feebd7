// Memory of coroutine frames: freed frames are kept in size buckets of the thread that freed them, so a request that
// looks like the last one allocates nothing. One pool a thread; a frame may die on another thread than it was born on.
#pragma once

#include <cstddef>

namespace llmgw::net {

class FramePool {
 public:
  static constexpr size_t kGranularity = 64;
  static constexpr size_t kBuckets = 64;         // frames up to 4 KiB; larger ones go to malloc
  static constexpr size_t kKeptPerBucket = 256;  // bounds what a storm leaves behind: 256 x 4 KiB x a few sizes

  static void* allocate(size_t bytes);
  static void release(void* frame, size_t bytes) noexcept;
};

}  // namespace llmgw::net
