#include "base/arena.h"

#include <algorithm>
#include <cstdint>

#include "base/memory_pool.h"

namespace llmgw::base {

void* Arena::allocate(size_t bytes, size_t alignment) {
  auto address = reinterpret_cast<uintptr_t>(cursor_);
  size_t padding = (alignment - address % alignment) % alignment;
  if (cursor_ == nullptr || padding + bytes > static_cast<size_t>(end_ - cursor_)) {
    const size_t size = std::max(kBlockBytes, sizeof(Block) + bytes + alignment);
    blocks_ = new (MemoryPool::allocate(size)) Block{.next = blocks_, .size = size};
    allocated_bytes_ += size;
    cursor_ = reinterpret_cast<char*>(blocks_ + 1);
    end_ = reinterpret_cast<char*>(blocks_) + size;
    address = reinterpret_cast<uintptr_t>(cursor_);
    padding = (alignment - address % alignment) % alignment;
  }
  char* result = cursor_ + padding;
  cursor_ = result + bytes;
  return result;
}

std::string_view Arena::copy(std::string_view text) {
  return concat(text, {});
}

std::string_view Arena::concat(std::string_view a, std::string_view b) {
  char* memory = static_cast<char*>(allocate(a.size() + b.size(), 1));
  std::copy(a.begin(), a.end(), memory);
  std::copy(b.begin(), b.end(), memory + a.size());
  return {memory, a.size() + b.size()};
}

void Arena::free_blocks(Block* first) {
  while (first != nullptr) {
    Block* next = first->next;
    MemoryPool::release(first, first->size);
    first = next;
  }
}

void Arena::reset() {
  Block** ordinary = &blocks_;
  while (*ordinary != nullptr && (*ordinary)->size != kBlockBytes) ordinary = &(*ordinary)->next;
  Block* kept = *ordinary;
  if (kept != nullptr) *ordinary = kept->next;
  free_blocks(blocks_);
  blocks_ = kept;
  cursor_ = end_ = nullptr;
  allocated_bytes_ = 0;
  if (kept == nullptr) return;
  kept->next = nullptr;
  cursor_ = reinterpret_cast<char*>(kept + 1);
  end_ = reinterpret_cast<char*>(kept) + kept->size;
  allocated_bytes_ = kept->size;
}

}  // namespace llmgw::base
