#include "control/units.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <limits>

#include "base/text.h"
#include "control/clock_time.h"

namespace llmgw::control {
namespace {

constexpr int64_t kLastSecond = 253'402'300'799;  // 9999-12-31T23:59:59Z

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

std::optional<Timestamp> parse_timestamp(std::string_view text) {
  const auto time = parse_clock_time(text);
  if (!time || time->to_the_minute) return std::nullopt;
  if (!time->offset && !time->date_only) return std::nullopt;
  const int64_t seconds = time->seconds - time->offset.value_or(0) + (time->fraction ? 1 : 0);
  return seconds < 0 || seconds > kLastSecond ? std::nullopt : std::optional(Timestamp{seconds});
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
