// A bounded ring of bytes between one producing and one consuming thread: lock-free, no allocation after construction.
// A push is whole or not at all, and becomes visible whole; the consumer therefore sees only whole lines and needs no
// framing. Positions count bytes since the start and never wrap (2^64 bytes are never written).
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace llmgw::telemetry {

class ByteRing {
 public:
  static constexpr size_t kCacheLine = 64;

  // `capacity` is a power of two. Pages are touched as they are first used.
  explicit ByteRing(size_t capacity) : mask_(capacity - 1), bytes_(std::make_unique_for_overwrite<char[]>(capacity)) {
    assert(std::has_single_bit(capacity));
  }
  ByteRing(const ByteRing&) = delete;
  ByteRing& operator=(const ByteRing&) = delete;

  size_t capacity() const { return mask_ + 1; }

  // Producer. False, and the drop counted, if the bytes do not fit.
  bool push(std::string_view bytes) {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (head + bytes.size() - seen_tail_ > capacity()) {
      seen_tail_ = tail_.load(std::memory_order_acquire);
      if (head + bytes.size() - seen_tail_ > capacity()) {
        dropped_.store(dropped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return false;
      }
    }
    const size_t start = head & mask_;
    const size_t first = std::min(bytes.size(), capacity() - start);
    std::memcpy(bytes_.get() + start, bytes.data(), first);
    std::memcpy(bytes_.get(), bytes.data() + first, bytes.size() - first);
    head_.store(head + bytes.size(), std::memory_order_release);
    return true;
  }
  // Producer. Bytes waiting as far as the producer knows: never less than there are.
  size_t filled_at_most() const { return head_.load(std::memory_order_relaxed) - seen_tail_; }
  // Producer. Brings filled_at_most() up to date.
  void refresh() { seen_tail_ = tail_.load(std::memory_order_acquire); }

  // Consumer. What is there, oldest first; the second part is not empty only when it wraps.
  std::array<std::string_view, 2> peek() const {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    const size_t size = head_.load(std::memory_order_acquire) - tail;
    const size_t start = tail & mask_;
    const size_t first = std::min(size, capacity() - start);
    return {std::string_view(bytes_.get() + start, first), std::string_view(bytes_.get(), size - first)};
  }
  void consume(size_t count) { tail_.store(tail_.load(std::memory_order_relaxed) + count, std::memory_order_release); }

  // Any thread.
  bool empty() const { return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire); }
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  const size_t mask_;
  const std::unique_ptr<char[]> bytes_;
  alignas(kCacheLine) std::atomic<uint64_t> head_{0};  // written by the producer, as are the next two
  uint64_t seen_tail_ = 0;
  std::atomic<uint64_t> dropped_{0};
  alignas(kCacheLine) std::atomic<uint64_t> tail_{0};  // written by the consumer
};

}  // namespace llmgw::telemetry
