// How durations, sizes and points in time are written in the configuration. Pure; any thread.
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

// A point in time, of the calendar.
struct Timestamp {
  int64_t seconds = 0;  // since 1970-01-01 UTC
  auto operator<=>(const Timestamp&) const = default;
};

// "250ms", "30s", "5m", "1h", "7d"; whole numbers, one unit. No overflow.
std::optional<base::Duration> parse_duration(std::string_view text);
// "512", "512KiB", "10MiB", "1GiB", "10MB" (powers of 1000 without the i). No overflow.
std::optional<ByteSize> parse_size(std::string_view text);

// RFC 3339: "2026-12-31T23:59:59Z", with an offset instead of Z, or a date alone, which is its first second in UTC.
// Years 1970 to 9999 in UTC. With a fraction it is the next whole second: what ends then does not end early.
std::optional<Timestamp> parse_timestamp(std::string_view text);

// With the largest unit that divides it.
std::string format_duration(base::Duration duration);
std::string format_size(ByteSize size);
// "2026-12-31T23:59:59Z"
std::string format_timestamp(Timestamp time);

}  // namespace llmgw::control
