#include "routing/prefix/block_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

namespace llmgw::routing {

size_t hash_blocks(std::string_view prompt, uint64_t seed, std::span<uint64_t> hashes) {
  const size_t count = std::min(prompt.size() / kBlockBytes, hashes.size());
  uint64_t chain = seed;
  for (size_t i = 0; i < count; ++i) {
    chain = XXH3_64bits_withSeed(prompt.data() + i * kBlockBytes, kBlockBytes, chain);
    hashes[i] = chain;
  }
  return count;
}

uint64_t hash_text(std::string_view text, uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

uint64_t chain_hash(uint64_t previous, uint64_t block_id) {
  return XXH3_64bits_withSeed(&block_id, sizeof(block_id), previous);
}

}  // namespace llmgw::routing
