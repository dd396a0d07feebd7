// A prompt as a chain of block hashes: each stands for everything up to its end, so that equal hashes mean an equal
// prefix. The same prompt of another model is another chain (the seed). XXH3 of 64 bits, xxhash.com.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace llmgw::routing {

// About 256 tokens of English: small enough that a short conversation has some, large enough that a long prompt takes
// few look-ups. Engines' blocks are 16 to 64 tokens, clouds cache from 1,024 on.
inline constexpr size_t kBlockBytes = 1024;
// 256 KiB of prompt; what is behind it decides nothing any more.
inline constexpr size_t kBlocksMax = 256;

// Fills `hashes` with the whole blocks of `prompt`, as many as fit; returns how many there are.
size_t hash_blocks(std::string_view prompt, uint64_t seed, std::span<uint64_t> hashes);
uint64_t hash_text(std::string_view text, uint64_t seed = 0);
// The chain's next link where blocks have ids of their own, as in traces.
uint64_t chain_hash(uint64_t previous, uint64_t block_id);
// What stands for the first `tokens` of a prompt: the last whole block of them; 0: there is none.
inline uint64_t prefix_of(std::span<const uint64_t> blocks, uint64_t tokens, uint32_t block_tokens) {
  const uint64_t count = std::min<uint64_t>(tokens / block_tokens, blocks.size());
  return count == 0 ? 0 : blocks[count - 1];
}

}  // namespace llmgw::routing
