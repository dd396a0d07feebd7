#include "accounting/cost.h"

#include <algorithm>

namespace llmgw::accounting {

int64_t cost_of(const Price& price, const chat::Usage& usage, const MediaTokens& media) {
  constexpr unsigned __int128 kMillion = 1'000'000;
  unsigned __int128 sum = 0;
  const auto add = [&sum](uint64_t tokens, int64_t per_million) {
    sum += static_cast<unsigned __int128>(tokens) * static_cast<uint64_t>(std::max<int64_t>(0, per_million));
  };
  const int64_t cache_write = price.cache_write.value_or(price.input);
  const uint64_t written = usage.cache_write.value_or(0);
  const uint64_t written_1h = std::min(written, usage.cache_write_1h.value_or(0));
  const uint64_t output = usage.output.value_or(0);
  const uint64_t reasoning = std::min(output, usage.reasoning.value_or(0));
  // Takes a part out of what is left, at its own price.
  const auto add_part = [&add](uint64_t& left, uint64_t part, const std::optional<int64_t>& own, int64_t otherwise) {
    part = std::min(left, part);
    left -= part;
    add(part, own.value_or(otherwise));
  };
  uint64_t text_input = usage.input.value_or(0);
  add_part(text_input, media.audio_input, price.audio_input, price.input);
  add_part(text_input, media.image_input, price.image_input, price.input);
  add(text_input, price.input);
  add(usage.cache_read.value_or(0), price.cache_read.value_or(price.input));
  add(written - written_1h, cache_write);
  add(written_1h, price.cache_write_1h.value_or(cache_write));
  uint64_t text_output = output - reasoning;
  add_part(text_output, media.audio_output, price.audio_output, price.output);
  add_part(text_output, media.image_output, price.image_output, price.output);
  add(text_output, price.output);
  add(reasoning, price.reasoning.value_or(price.output));
  const unsigned __int128 nano =
      (sum + kMillion / 2) / kMillion + static_cast<uint64_t>(std::max<int64_t>(0, price.request));
  return nano > INT64_MAX ? INT64_MAX : static_cast<int64_t>(nano);
}

}  // namespace llmgw::accounting
