// Memory of what every request makes and frees: coroutine frames, arena blocks, receive buffers. Freed pieces are kept
// in size buckets of the thread that freed them, so a request that looks like the last one asks malloc for nothing.
// A piece may be freed on another thread than it was taken on. Contents are uninitialised. Any thread.
// A build with sanitizers keeps nothing, so that they see every piece die.
#pragma once

#include <cstddef>

namespace llmgw::base {

class MemoryPool {
 public:
  static constexpr size_t kGranularity = 64;
  static constexpr size_t kBuckets = 65;  // up to 4 KiB; larger pieces go to malloc
#if defined(LLMGW_SANITIZED)
  static constexpr size_t kKeptPerBucket = 0;
#else
  static constexpr size_t kKeptPerBucket = 256;  // bounds what a storm leaves behind: 256 x 4 KiB x a few sizes
#endif

  static void* allocate(size_t bytes) {
    const size_t index = bucket_of(bytes);
    if (index < kBuckets) {
      Bucket& bucket = buckets_[index];
      if (FreePiece* piece = bucket.head; piece != nullptr) {
        bucket.head = piece->next;
        --bucket.count;
        return piece;
      }
    }
    return allocate_new(bytes);
  }
  // `bytes` as allocate() got it. Null is allowed.
  static void release(void* memory, size_t bytes) noexcept {
    const size_t index = bucket_of(bytes);
    if (memory == nullptr || index >= kBuckets || buckets_[index].count >= kKeptPerBucket)
      return release_to_malloc(memory);
    Bucket& bucket = buckets_[index];
    auto* piece = static_cast<FreePiece*>(memory);
    piece->next = bucket.head;
    bucket.head = piece;
    ++bucket.count;
  }

 private:
  struct FreePiece {
    FreePiece* next;
  };
  struct Bucket {
    FreePiece* head = nullptr;
    size_t count = 0;
  };
  struct Cleaner;

  static constexpr size_t bucket_of(size_t bytes) { return (bytes + kGranularity - 1) / kGranularity; }
  static void* allocate_new(size_t bytes);
  static void release_to_malloc(void* memory) noexcept;

  // Needs no initialisation and no destructor, so that reaching it is one instruction; the Cleaner empties it.
  static constinit thread_local Bucket buckets_[kBuckets];
};

inline constinit thread_local MemoryPool::Bucket MemoryPool::buckets_[MemoryPool::kBuckets];

}  // namespace llmgw::base
