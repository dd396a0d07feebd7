#include "base/find_text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace llmgw::base {
namespace {

constexpr size_t kBlock = 64;
constexpr size_t kCompared = 3;

using Bytes = unsigned char __attribute__((vector_size(16)));

Bytes load(const char* from) {
  Bytes bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

// Whether it may begin in the block: compilers make no vectors of the plain loop that would be worth it.
bool begins_in(const char* block, std::string_view needle) {
  const auto byte = [needle](size_t i) { return static_cast<unsigned char>(needle[i]); };
  Bytes found{};
  for (size_t i = 0; i < kBlock; i += sizeof(Bytes)) {
    const char* const at = block + i;
    found |= Bytes(load(at) == byte(0)) & Bytes(load(at + 1) == byte(1)) & Bytes(load(at + 2) == byte(2));
  }
  const auto halves = std::bit_cast<std::array<uint64_t, 2>>(found);
  return (halves[0] | halves[1]) != 0;
}

}  // namespace

size_t find_text(std::string_view text, std::string_view needle, size_t from) {
  size_t at = std::min(from, text.size());
  for (; at + kBlock + kCompared <= text.size(); at += kBlock) {
    if (!begins_in(text.data() + at, needle)) continue;
    const size_t found = text.substr(at, kBlock - 1 + needle.size()).find(needle);
    if (found != std::string_view::npos) return at + found;
  }
  return text.find(needle, at);
}

}  // namespace llmgw::base
