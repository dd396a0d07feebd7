#include "net/frame_pool.h"

#include <cstdlib>
#include <new>

namespace llmgw::net {
namespace {

struct FreeFrame {
  FreeFrame* next;
};

struct Bucket {
  FreeFrame* head = nullptr;
  size_t count = 0;
};

struct ThreadBuckets {
  Bucket buckets[FramePool::kBuckets];
  ~ThreadBuckets() {
    for (auto& bucket : buckets) {
      while (bucket.head != nullptr) {
        FreeFrame* frame = bucket.head;
        bucket.head = frame->next;
        std::free(frame);
      }
    }
  }
};

thread_local ThreadBuckets thread_buckets;

constexpr size_t bucket_of(size_t bytes) {
  return (bytes + FramePool::kGranularity - 1) / FramePool::kGranularity;
}

}  // namespace

void* FramePool::allocate(size_t bytes) {
  const size_t index = bucket_of(bytes);
  if (index < kBuckets) {
    Bucket& bucket = thread_buckets.buckets[index];
    if (bucket.head != nullptr) {
      FreeFrame* frame = bucket.head;
      bucket.head = frame->next;
      --bucket.count;
      return frame;
    }
  }
  void* memory = std::malloc(index * kGranularity);
  if (memory == nullptr) std::abort();  // out of memory crashes: nothing sensible can follow
  return memory;
}

void FramePool::release(void* frame, size_t bytes) noexcept {
  const size_t index = bucket_of(bytes);
  if (index < kBuckets && thread_buckets.buckets[index].count < kKeptPerBucket) {
    Bucket& bucket = thread_buckets.buckets[index];
    auto* free_frame = static_cast<FreeFrame*>(frame);
    free_frame->next = bucket.head;
    bucket.head = free_frame;
    ++bucket.count;
    return;
  }
  std::free(frame);
}

}  // namespace llmgw::net
