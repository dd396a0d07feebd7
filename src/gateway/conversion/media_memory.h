// How much memory the images and documents take that were fetched for requests, of the whole program: a URL costs a
// client a few bytes, what is behind it is held until the call is over.
#pragma once

#include <atomic>
#include <cstdint>

namespace llmgw::gateway {

// Any thread.
class MediaMemory {
 public:
  // False: it would be more than `bytes_max` together, and nothing is taken.
  bool take(uint64_t bytes, uint64_t bytes_max) {
    if (held_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= bytes_max) return true;
    give_back(bytes);
    refused_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  void give_back(uint64_t bytes) { held_.fetch_sub(bytes, std::memory_order_relaxed); }

  uint64_t held() const { return held_.load(std::memory_order_relaxed); }
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> held_ = 0;
  std::atomic<uint64_t> refused_ = 0;
};

// What one call holds of it, given back with this. One thread.
class HeldMedia {
 public:
  explicit HeldMedia(MediaMemory& memory) : memory_(memory) {}
  HeldMedia(const HeldMedia&) = delete;
  HeldMedia& operator=(const HeldMedia&) = delete;
  ~HeldMedia() { memory_.give_back(bytes_); }

  // As in MediaMemory.
  bool take(uint64_t bytes, uint64_t bytes_max) {
    if (!memory_.take(bytes, bytes_max)) return false;
    bytes_ += bytes;
    return true;
  }

 private:
  MediaMemory& memory_;
  uint64_t bytes_ = 0;
};

}  // namespace llmgw::gateway
