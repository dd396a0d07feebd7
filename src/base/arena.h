// A bump allocator for one request: everything a request makes dies with it in one step. One thread.
// Returned memory is uninitialised and never moves; objects placed in it must be trivially destructible.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace llmgw::base {

class Arena {
 public:
  static constexpr size_t kBlockBytes = 4096;  // covers the heads and small values of an ordinary request

  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { free_blocks(blocks_); }

  void* allocate(size_t bytes, size_t alignment = alignof(std::max_align_t));

  template <class T, class... Args>
  T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>, "the arena runs no destructors");
    return new (allocate(sizeof(T), alignof(T))) T{static_cast<Args&&>(args)...};
  }

  std::span<char> bytes(size_t count) { return {static_cast<char*>(allocate(count, 1)), count}; }
  std::string_view copy(std::string_view text);
  // Both strings, one after the other.
  std::string_view concat(std::string_view a, std::string_view b);

  // Frees everything but one block of kBlockBytes.
  void reset();
  size_t allocated_bytes() const { return allocated_bytes_; }

 private:
  struct Block {
    Block* next;
    size_t size;  // with this head
  };
  void free_blocks(Block* first);

  Block* blocks_ = nullptr;  // the newest first
  char* cursor_ = nullptr;
  char* end_ = nullptr;
  size_t allocated_bytes_ = 0;
};

}  // namespace llmgw::base
