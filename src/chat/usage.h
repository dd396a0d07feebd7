// What a call consumed, split so that every dialect's own arithmetic can be derived. Any thread.
#pragma once

#include <cstdint>
#include <optional>

namespace llmgw::chat {

// Token counts. Absent is unknown, never zero. The input counts do not overlap: their sum is the whole prompt.
struct Usage {
  std::optional<uint64_t> input;           // prompt tokens neither read from nor written to a cache
  std::optional<uint64_t> cache_read;      // prompt tokens served from the provider's cache
  std::optional<uint64_t> cache_write;     // prompt tokens written to it, all lifetimes together
  std::optional<uint64_t> cache_write_1h;  // the part of cache_write kept for an hour (Anthropic prices it apart)
  std::optional<uint64_t> output;          // generated tokens, reasoning included
  std::optional<uint64_t> reasoning;       // the part of output that was reasoning

  bool known() const { return input || cache_read || cache_write || output; }
  // The whole prompt, if any part of it is known.
  std::optional<uint64_t> total_input() const {
    if (!input && !cache_read && !cache_write) return std::nullopt;
    return input.value_or(0) + cache_read.value_or(0) + cache_write.value_or(0);
  }

  friend bool operator==(const Usage&, const Usage&) = default;
};

}  // namespace llmgw::chat
