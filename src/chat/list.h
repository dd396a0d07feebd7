// A growing sequence in a request's arena: two words, no destructor, cheap to pass. What it outgrows stays in the arena
// until the request dies, at most as much again as the list. One thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <type_traits>

#include "base/arena.h"

namespace llmgw::chat {

template <class T>
class List {
 public:
  // A list over elements somebody else owns; it must not grow.
  static List of(T* elements, uint32_t count) {
    List list;
    list.data_ = elements;
    list.size_ = list.capacity_ = count;
    return list;
  }

  T& push(base::Arena& arena, const T& element) {
    if (size_ == capacity_) grow(arena);
    return *new (static_cast<void*>(data_ + size_++)) T(element);
  }
  void clear() { size_ = 0; }
  void pop() { --size_; }

  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }
  const T& back() const { return data_[size_ - 1]; }
  const T& front() const { return data_[0]; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // NOLINTNEXTLINE(google-explicit-constructor): a list is a span wherever one is taken
  operator std::span<const T>() const { return {data_, size_}; }

 private:
  void grow(base::Arena& arena) {
    static_assert(std::is_trivially_destructible_v<T>, "the arena runs no destructors");
    const uint32_t capacity = capacity_ == 0 ? 2 : capacity_ * 2;
    // NOLINTNEXTLINE(bugprone-sizeof-expression): an element may be a pointer
    T* const bigger = static_cast<T*>(arena.allocate(sizeof(T) * capacity, alignof(T)));
    for (uint32_t i = 0; i < size_; ++i) new (static_cast<void*>(bigger + i)) T(data_[i]);
    data_ = bigger;
    capacity_ = capacity;
  }

  T* data_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

}  // namespace llmgw::chat
