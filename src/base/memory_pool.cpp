#include "base/memory_pool.h"

#include <cstdlib>

namespace llmgw::base {

// Gives a thread's pieces back when it ends.
struct MemoryPool::Cleaner {
  bool armed = false;
  ~Cleaner() {
    for (Bucket& bucket : buckets_) {
      while (bucket.head != nullptr) {
        FreePiece* piece = bucket.head;
        bucket.head = piece->next;
        std::free(piece);
      }
      bucket.count = kKeptPerBucket;  // what is freed after this is not kept
    }
  }
};

void* MemoryPool::allocate_new(size_t bytes) {
  thread_local Cleaner cleaner;
  cleaner.armed = true;
  void* memory = std::malloc(bucket_of(bytes) * kGranularity);
  if (memory == nullptr) std::abort();  // out of memory crashes: nothing sensible can follow
  return memory;
}

void MemoryPool::release_to_malloc(void* memory) noexcept {
  std::free(memory);
}

}  // namespace llmgw::base
