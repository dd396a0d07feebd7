// What an HTTP/1.1 server connection has received and not yet used. One thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "base/memory_pool.h"

namespace llmgw::http {

// Freed while the connection is idle, so that keep-alive costs no memory.
class ReceiveBuffer {
 public:
  // Smallest allocation: holds an ordinary request whole.
  static constexpr size_t kBytesMin = 2048;

  ReceiveBuffer() = default;
  ReceiveBuffer(const ReceiveBuffer&) = delete;
  ReceiveBuffer& operator=(const ReceiveBuffer&) = delete;
  ~ReceiveBuffer() { base::MemoryPool::release(data_, capacity_); }

  std::string_view view() const { return {data_ + begin_, end_ - begin_}; }
  char* data() { return data_ + begin_; }
  size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }

  void append(std::string_view bytes) {
    reserve(bytes.size());
    std::memcpy(data_ + end_, bytes.data(), bytes.size());
    end_ += bytes.size();
  }
  // Where `bytes` more can be put; added() says how many were.
  std::span<char> room(size_t bytes) {
    reserve(bytes);
    return {data_ + end_, bytes};
  }
  void added(size_t bytes) { end_ += bytes; }
  void consume(size_t bytes) {
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Frees everything unless bytes are left.
  void release_if_empty() {
    if (!empty()) return;
    base::MemoryPool::release(data_, capacity_);
    data_ = nullptr;
    capacity_ = begin_ = end_ = 0;
  }
  // Moves what is left to memory of its own: views into the old one die.
  void compact() {
    if (begin_ == 0) return;
    std::memmove(data_, data_ + begin_, size());
    end_ -= begin_;
    begin_ = 0;
  }

 private:
  void reserve(size_t more) {
    if (capacity_ - end_ >= more) return;
    const size_t wanted = std::max({size() + more, 2 * size(), kBytesMin});
    auto* larger = static_cast<char*>(base::MemoryPool::allocate(wanted));
    if (!empty()) std::memcpy(larger, data_ + begin_, size());
    base::MemoryPool::release(data_, capacity_);
    end_ -= begin_;
    begin_ = 0;
    data_ = larger;
    capacity_ = wanted;
  }

  char* data_ = nullptr;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace llmgw::http
