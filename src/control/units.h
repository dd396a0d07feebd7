// How durations and sizes are written in the configuration. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace llmgw::control {

struct ByteSize {
  uint64_t bytes = 0;
  auto operator<=>(const ByteSize&) const = default;
};

// "250ms", "30s", "5m", "1h", "7d"; whole numbers, one unit. No overflow.
std::optional<base::Duration> parse_duration(std::string_view text);
// "512", "512KiB", "10MiB", "1GiB", "10MB" (powers of 1000 without the i). No overflow.
std::optional<ByteSize> parse_size(std::string_view text);

// With the largest unit that divides it.
std::string format_duration(base::Duration duration);
std::string format_size(ByteSize size);

}  // namespace llmgw::control
