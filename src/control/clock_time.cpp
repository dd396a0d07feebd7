#include "control/clock_time.h"

#include <algorithm>
#include <chrono>

#include "base/text.h"

namespace llmgw::control {
namespace {

// Two or four digits at the front of the text, followed by `end` (0: by anything).
std::optional<int> take_number(std::string_view& text, size_t digits, char end) {
  const auto number = text.size() >= digits ? base::parse_decimal(text.substr(0, digits)) : std::nullopt;
  if (!number || (end != 0 && (text.size() == digits || text[digits] != end))) return std::nullopt;
  text.remove_prefix(digits + (end != 0 ? 1 : 0));
  return static_cast<int>(*number);
}

// "Z" or "+02:00". The seconds it is ahead of UTC.
std::optional<int64_t> parse_offset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (!text.starts_with('+') && !text.starts_with('-')) return std::nullopt;
  const int64_t sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  const auto hours = take_number(text, 2, ':');
  const auto minutes = take_number(text, 2, 0);
  if (!hours || !minutes || !text.empty() || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 3600 + *minutes * 60);
}

// Takes ".250" off the front, where it is. False: there is a point, and no digit.
bool take_fraction(std::string_view& text, bool& any) {
  if (!text.starts_with('.')) return true;
  text.remove_prefix(1);
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  any = text.substr(0, digits).find_first_not_of('0') != std::string_view::npos;
  text.remove_prefix(digits);
  return digits != 0;
}

// And what stands behind it.
bool take_time_of_day(std::string_view text, ClockTime& time) {
  const auto hour = take_number(text, 2, ':');
  const auto minute = take_number(text, 2, 0);
  if (!hour || !minute || *hour > 23 || *minute > 59) return false;
  time.seconds += *hour * 3600 + *minute * 60;
  time.to_the_minute = !text.starts_with(':');
  if (!time.to_the_minute) {
    text.remove_prefix(1);
    const auto second = take_number(text, 2, 0);
    if (!second || *second > 59 || !take_fraction(text, time.fraction)) return false;
    time.seconds += *second;
  }
  if (text.empty()) return true;
  time.offset = parse_offset(text);
  return time.offset.has_value();
}

}  // namespace

std::optional<ClockTime> parse_clock_time(std::string_view text) {
  const auto year = take_number(text, 4, '-');
  const auto month = take_number(text, 2, '-');
  const auto day = take_number(text, 2, 0);
  if (!year || !month || !day || *year < 1970) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  ClockTime time{.seconds = std::chrono::sys_days(date).time_since_epoch().count() * 86'400LL,
                 .offset = {},
                 .date_only = text.empty()};
  if (time.date_only) return time;
  if (text[0] != 'T' && text[0] != 't' && text[0] != ' ') return std::nullopt;
  return take_time_of_day(text.substr(1), time) ? std::optional(time) : std::nullopt;
}

}  // namespace llmgw::control
