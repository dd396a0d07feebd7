// Sums that stay at their type's end instead of passing it, and differences of counters that may have passed it. Pure;
// any thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>

namespace llmgw::base {

template <std::integral T>
constexpr T add_saturating(T one, T other) {
  T sum = 0;
  if (!__builtin_add_overflow(one, other, &sum)) return sum;
  return other < 0 ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
}

template <std::integral T>
constexpr T multiply_saturating(T one, T other) {
  T product = 0;
  if (!__builtin_mul_overflow(one, other, &product)) return product;
  return (one < 0) != (other < 0) ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
}

// Of counters that only their differences are read of, modulo 2^64 as atomics have it.
constexpr int64_t add_wrapping(int64_t one, int64_t other) {
  return static_cast<int64_t>(static_cast<uint64_t>(one) + static_cast<uint64_t>(other));
}

constexpr int64_t subtract_wrapping(int64_t from, int64_t what) {
  return static_cast<int64_t>(static_cast<uint64_t>(from) - static_cast<uint64_t>(what));
}

}  // namespace llmgw::base
