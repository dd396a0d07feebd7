// What a call costs, in whole nano-dollars. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "accounting/media_tokens.h"
#include "chat/usage.h"

namespace llmgw::accounting {

// Nano-dollars for a million tokens, so that every published price is a whole number. What is absent costs what it is a
// kind of: cache reads and writes as input, writes for an hour as those for five minutes, reasoning as output, sound
// and pictures as the text beside them.
struct Price {
  int64_t input = 0;
  int64_t output = 0;
  std::optional<int64_t> cache_read = {};
  std::optional<int64_t> cache_write = {};  // kept for five minutes
  std::optional<int64_t> cache_write_1h = {};
  std::optional<int64_t> reasoning = {};
  std::optional<int64_t> audio_input = {};  // as input
  std::optional<int64_t> image_input = {};
  std::optional<int64_t> audio_output = {};  // as output
  std::optional<int64_t> image_output = {};
  int64_t request = 0;  // nano-dollars for each call, whatever its size

  bool operator==(const Price&) const = default;
};

// The counts of `usage` do not overlap, whatever dialect they came in (chat/usage.h), so each is priced once. Products
// `media` are parts of input and output; what of them was read from a cache costs what that does. Products
// are summed in 128 bits and rounded once, half up. What is unknown counts as none; a sum that does not fit is the
// largest amount.
int64_t cost_of(const Price& price, const chat::Usage& usage, const MediaTokens& media = {});

}  // namespace llmgw::accounting
