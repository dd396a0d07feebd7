#include "control/siphash.h"

#include <bit>
#include <cstring>

namespace llmgw::control {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read in the machine's order");

struct State {
  uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void compress(uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
  uint64_t finish() {
    for (int i = 0; i < 4; ++i) round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

Hash128 siphash128(const SipKey& key, std::string_view text) {
  State state{key.first ^ 0x736f6d6570736575, key.second ^ 0x646f72616e646f6d ^ 0xee, key.first ^ 0x6c7967656e657261,
              key.second ^ 0x7465646279746573};
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    state.compress(word);
  }
  uint64_t last = static_cast<uint64_t>(text.size()) << 56;
  if (at < text.size()) {
    uint64_t tail = 0;
    std::memcpy(&tail, text.data() + at, text.size() - at);
    last |= tail;
  }
  state.compress(last);
  state.v2 ^= 0xee;
  Hash128 hash;
  hash.low = state.finish();
  state.v1 ^= 0xdd;
  hash.high = state.finish();
  return hash;
}

}  // namespace llmgw::control
