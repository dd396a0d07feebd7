// Times as people write them. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace llmgw::control {

// A date, or a date and a time of day behind a T or a blank, with or without seconds ("2026-12-31 23:59"), on the clock
// of "Z" or "+02:00" behind it or on one that is not said. Years 1970 to 9999.
struct ClockTime {
  int64_t seconds = 0;            // since 1970-01-01T00:00 on its clock
  std::optional<int64_t> offset;  // that its clock is ahead of UTC, in seconds; empty: not said
  bool date_only = false;
  bool to_the_minute = false;  // no seconds are said
  bool fraction = false;       // there is a part of a second, which is left out
};
std::optional<ClockTime> parse_clock_time(std::string_view text);

}  // namespace llmgw::control
