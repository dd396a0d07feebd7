#include "control/units.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <limits>

#include "base/text.h"

namespace llmgw::control {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr std::array<Unit, 5> kDurationUnits = {Unit{"d", 86'400'000'000'000},
                                                {"h", 3'600'000'000'000},
                                                {"m", 60'000'000'000},
                                                {"s", 1'000'000'000},
                                                {"ms", 1'000'000}};
constexpr std::array<Unit, 8> kSizeUnits = {
    Unit{"GiB", 1ull << 30}, {"GB", 1'000'000'000}, {"MiB", 1u << 20}, {"MB", 1'000'000},
    {"KiB", 1u << 10},       {"KB", 1000},          {"kB", 1000},      {"", 1}};

template <size_t N>
std::optional<uint64_t> parse(std::string_view text, const std::array<Unit, N>& units) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = base::parse_decimal(text.substr(0, digits));
  if (!number) return std::nullopt;
  for (const auto& unit : units) {
    if (text.substr(digits) != unit.name) continue;
    constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (*number > kMax / unit.factor) return std::nullopt;
    return *number * unit.factor;
  }
  return std::nullopt;
}

}  // namespace

std::optional<base::Duration> parse_duration(std::string_view text) {
  const auto value = parse(text, kDurationUnits);
  if (!value) return std::nullopt;
  return base::Duration(static_cast<int64_t>(*value));
}

std::optional<ByteSize> parse_size(std::string_view text) {
  const auto value = parse(text, kSizeUnits);
  if (!value) return std::nullopt;
  return ByteSize{*value};
}

std::string format_duration(base::Duration duration) {
  const auto count = static_cast<uint64_t>(duration.count());
  if (count == 0) return "0s";
  for (const auto& unit : kDurationUnits) {
    if (count % unit.factor == 0) return std::to_string(count / unit.factor).append(unit.name);
  }
  return std::to_string(count / 1'000'000) + "ms";
}

std::string format_size(ByteSize size) {
  for (const auto& unit : kSizeUnits) {
    const bool binary = unit.name.size() != 2;
    if (binary && size.bytes >= unit.factor && size.bytes % unit.factor == 0) {
      return std::to_string(size.bytes / unit.factor).append(unit.name);
    }
  }
  return std::to_string(size.bytes);
}

namespace {

// Two or four digits at the front of the text, followed by `end` (0: by anything).
std::optional<int> take_number(std::string_view& text, size_t digits, char end) {
  const auto number = text.size() >= digits ? base::parse_decimal(text.substr(0, digits)) : std::nullopt;
  if (!number || (end != 0 && (text.size() == digits || text[digits] != end))) return std::nullopt;
  text.remove_prefix(digits + (end != 0 ? 1 : 0));
  return static_cast<int>(*number);
}

// What stands behind the seconds: "Z" or "+02:00". The seconds it is ahead of UTC.
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

}  // namespace

std::optional<Timestamp> parse_timestamp(std::string_view text) {
  const auto year = take_number(text, 4, '-');
  const auto month = take_number(text, 2, '-');
  const auto day = take_number(text, 2, 0);
  if (!year || !month || !day || *year < 1970) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  int64_t seconds = std::chrono::sys_days(date).time_since_epoch().count() * 86'400LL;
  if (text.empty()) return Timestamp{seconds};
  if (text[0] != 'T' && text[0] != 't' && text[0] != ' ') return std::nullopt;
  text.remove_prefix(1);
  const auto hour = take_number(text, 2, ':');
  const auto minute = take_number(text, 2, ':');
  const auto second = take_number(text, 2, 0);
  const auto offset = parse_offset(text);
  if (!hour || !minute || !second || !offset || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  seconds += *hour * 3600 + *minute * 60 + *second - *offset;
  return seconds < 0 ? std::nullopt : std::optional(Timestamp{seconds});
}

std::string format_timestamp(Timestamp time) {
  const std::chrono::sys_seconds point{std::chrono::seconds(time.seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(point);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(point - day);
  char text[48];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

}  // namespace llmgw::control
