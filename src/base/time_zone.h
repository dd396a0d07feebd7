// A time zone of the IANA database, as the system has it in /usr/share/zoneinfo (TZif, RFC 8536; the rule for the time
// behind the table is POSIX's TZ string, IEEE Std 1003.1, section 8.3). libstdc++ 12 has no time zones of its own.
// Immutable; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace llmgw::base {

class TimeZone {
 public:
  static constexpr size_t kFileBytesMax = 64u << 10;  // the largest is below 4 KiB

  // "Europe/Berlin". not_found: no such zone, or no database (Debian's package tzdata); protocol: not a TZif file.
  static Result<TimeZone> load(std::string_view name);
  // A TZif file's bytes.
  static Result<TimeZone> parse(std::string_view bytes);

  // Seconds that local time is ahead of UTC at a moment (seconds since 1970).
  int32_t offset_at(int64_t utc) const;
  // The moment at which local clocks show `local` (as if it were seconds of UTC): the first if it comes twice; if it is
  // skipped, that at which they are put forward.
  int64_t utc_of(int64_t local) const;

 private:
  struct Transition {
    int64_t at;
    int32_t offset;
  };
  // "M3.5.0/2" of a TZ string.
  struct Change {
    enum class Kind : uint8_t { month_week_day, julian, zero_julian } kind = Kind::month_week_day;
    int month = 0, week = 0, day = 0;
    int32_t seconds = 7200;  // of the local day
  };
  struct Rule {
    int32_t standard = 0;
    int32_t daylight = 0;
    bool has_daylight = false;
    Change begin;
    Change end;
  };
  friend class TzReader;

  static int64_t change_in(int64_t year, const Change& change);
  int32_t offset_by_rule(int64_t utc) const;

  int32_t first_offset_ = 0;
  std::vector<Transition> transitions_;  // by time
  Rule rule_;                            // behind the last of them
  bool has_rule_ = false;
};

}  // namespace llmgw::base
