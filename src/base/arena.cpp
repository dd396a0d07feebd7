#include "base/arena.h"

#include <algorithm>
#include <cstdint>

namespace llmgw::base {

void* Arena::allocate(size_t bytes, size_t alignment) {
  auto address = reinterpret_cast<uintptr_t>(cursor_);
  size_t padding = (alignment - address % alignment) % alignment;
  if (cursor_ == nullptr || padding + bytes > static_cast<size_t>(end_ - cursor_)) {
    size_t size = std::max(kBlockBytes, bytes + alignment);
    blocks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
    allocated_bytes_ += size;
    cursor_ = blocks_.back().memory.get();
    end_ = cursor_ + size;
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

void Arena::reset() {
  if (blocks_.empty()) return;
  blocks_.resize(1);
  cursor_ = blocks_.front().memory.get();
  end_ = cursor_ + blocks_.front().size;
  allocated_bytes_ = blocks_.front().size;
}

}  // namespace llmgw::base
