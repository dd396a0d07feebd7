#include "accounting/cost.h"

#include <algorithm>

namespace llmgw::accounting {

int64_t cost_of(const Price& price, const chat::Usage& usage) {
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
  add(usage.input.value_or(0), price.input);
  add(usage.cache_read.value_or(0), price.cache_read.value_or(price.input));
  add(written - written_1h, cache_write);
  add(written_1h, price.cache_write_1h.value_or(cache_write));
  add(output - reasoning, price.output);
  add(reasoning, price.reasoning.value_or(price.output));
  const unsigned __int128 nano =
      (sum + kMillion / 2) / kMillion + static_cast<uint64_t>(std::max<int64_t>(0, price.request));
  return nano > INT64_MAX ? INT64_MAX : static_cast<int64_t>(nano);
}

}  // namespace llmgw::accounting
