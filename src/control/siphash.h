// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, and the
// authors' reference code for the 128-bit form): a keyed hash no one without the key can predict. About 50 ns for an
// API key. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace llmgw::control {

struct SipKey {
  uint64_t first = 0;
  uint64_t second = 0;
};

struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const Hash128&) const = default;
};

Hash128 siphash128(const SipKey& key, std::string_view text);

}  // namespace llmgw::control
