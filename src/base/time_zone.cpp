#include "base/time_zone.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <optional>

#include "base/text.h"

namespace llmgw::base {
namespace {

constexpr int32_t kHour = 3600;
constexpr int64_t kDay = 86'400;

bool is_zone_name(std::string_view name) {
  const auto good = [](char c) {
    return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || c == '/' || c == '_' || c == '-' || c == '+';
  };
  return !name.empty() && name.size() <= 64 && name[0] != '/' && std::ranges::all_of(name, good);
}

}  // namespace

// Reads TZif and TZ strings; past the end it reads zeros and remembers that it did.
class TzReader {
 public:
  explicit TzReader(std::string_view bytes) : left_(bytes) {}

  static Result<TimeZone> read(std::string_view bytes) {
    TimeZone zone;
    TzReader reader(bytes);
    if (!reader.file(zone)) return fail(ErrorCode::protocol, "not a time zone file");
    return zone;
  }

 private:
  struct Counts {
    uint32_t utc_marks, standard_marks, leaps, times, types, letters;
  };

  int64_t number(size_t size) {
    if (left_.size() < size) {
      short_ = true;
      left_ = {};
      return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(left_[i]);
    left_.remove_prefix(size);
    return size == 4 ? static_cast<int32_t>(value) : static_cast<int64_t>(value);
  }
  void skip(uint64_t size) {
    if (size > left_.size()) short_ = true;
    left_.remove_prefix(std::min<uint64_t>(size, left_.size()));
  }

  bool header(Counts& counts, bool& has_second) {
    if (left_.size() < 44 || !left_.starts_with("TZif")) return false;
    has_second = left_[4] >= '2';
    skip(20);
    for (uint32_t* each :
         {&counts.utc_marks, &counts.standard_marks, &counts.leaps, &counts.times, &counts.types, &counts.letters}) {
      *each = static_cast<uint32_t>(number(4));
      if (*each > TimeZone::kFileBytesMax) return false;
    }
    return counts.types > 0;
  }

  bool body(const Counts& counts, size_t time_size, TimeZone& zone) {
    std::vector<int64_t> times(counts.times);
    for (auto& time : times) time = number(time_size);
    std::vector<size_t> indices(counts.times);
    for (auto& index : indices) index = static_cast<size_t>(number(1));
    std::vector<int32_t> offsets(counts.types);
    for (auto& offset : offsets) {
      offset = static_cast<int32_t>(number(4));
      skip(2);
      if (offset < -26 * kHour || offset > 26 * kHour) return false;
    }
    skip(uint64_t{counts.letters} + counts.leaps * (time_size + 4) + counts.standard_marks + counts.utc_marks);
    if (short_ || !std::ranges::is_sorted(times)) return false;
    zone.first_offset_ = offsets[0];
    for (size_t i = 0; i < times.size(); ++i) {
      if (indices[i] >= offsets.size()) return false;
      zone.transitions_.push_back({times[i], offsets[indices[i]]});
    }
    return true;
  }

  bool file(TimeZone& zone) {
    Counts counts{};
    bool has_second = false;
    if (!header(counts, has_second)) return false;
    if (!has_second) return body(counts, 4, zone);
    skip(uint64_t{counts.times} * 5 + uint64_t{counts.types} * 6 + counts.letters + uint64_t{counts.leaps} * 8 +
         counts.standard_marks + counts.utc_marks);
    if (short_ || !header(counts, has_second) || !body(counts, 8, zone)) return false;
    if (!left_.starts_with('\n')) return false;
    left_.remove_prefix(1);
    const size_t end = left_.find('\n');
    if (end == std::string_view::npos) return false;
    left_ = left_.substr(0, end);
    zone.has_rule_ = !left_.empty();
    return left_.empty() || rule(zone.rule_);
  }

  // "CET-1CEST,M3.5.0,M10.5.0/3"
  bool rule(TimeZone::Rule& rule) {
    if (!name() || !time(rule.standard)) return false;
    rule.standard = -rule.standard;
    if (left_.empty()) return true;
    rule.has_daylight = true;
    rule.daylight = rule.standard + kHour;
    if (!name()) return false;
    if (!left_.starts_with(',')) {
      if (!time(rule.daylight)) return false;
      rule.daylight = -rule.daylight;
    }
    return change(rule.begin) && change(rule.end) && left_.empty();
  }
  bool name() {
    size_t size = 0;
    if (left_.starts_with('<')) {
      size = left_.find('>');
      if (size == std::string_view::npos) return false;
      ++size;
    } else {
      while (size < left_.size() && to_lower(left_[size]) >= 'a' && to_lower(left_[size]) <= 'z') ++size;
    }
    left_.remove_prefix(size);
    return size >= 3;
  }
  std::optional<int> digits() {
    const size_t size = std::min(left_.find_first_not_of("0123456789"), left_.size());
    const auto value = size <= 3 ? parse_decimal(left_.substr(0, size)) : std::nullopt;
    left_.remove_prefix(size);
    return value ? std::optional(static_cast<int>(*value)) : std::nullopt;
  }
  // "[+-]hh[:mm[:ss]]"
  bool time(int32_t& seconds) {
    const bool minus = left_.starts_with('-');
    if (minus || left_.starts_with('+')) left_.remove_prefix(1);
    seconds = 0;
    int32_t unit = kHour;
    while (true) {
      const auto part = digits();
      if (!part || *part > (unit == kHour ? 167 : 59)) return false;
      seconds += *part * unit;
      if (!left_.starts_with(':') || unit == 1) break;
      left_.remove_prefix(1);
      unit /= 60;
    }
    if (minus) seconds = -seconds;
    return true;
  }
  bool change(TimeZone::Change& change) {
    using Kind = TimeZone::Change::Kind;
    if (!left_.starts_with(',')) return false;
    left_.remove_prefix(1);
    if (left_.starts_with('M')) {
      left_.remove_prefix(1);
      if (!bounded(change.month, 1, 12) || !dot() || !bounded(change.week, 1, 5) || !dot() ||
          !bounded(change.day, 0, 6)) {
        return false;
      }
    } else {
      change.kind = left_.starts_with('J') ? Kind::julian : Kind::zero_julian;
      if (change.kind == Kind::julian) left_.remove_prefix(1);
      if (!bounded(change.day, change.kind == Kind::julian ? 1 : 0, 365)) return false;
    }
    if (!left_.starts_with('/')) return true;
    left_.remove_prefix(1);
    return time(change.seconds);
  }
  bool bounded(int& value, int min, int max) {
    const auto number = digits();
    if (!number || *number < min || *number > max) return false;
    value = *number;
    return true;
  }
  bool dot() {
    if (!left_.starts_with('.')) return false;
    left_.remove_prefix(1);
    return true;
  }

  std::string_view left_;
  bool short_ = false;
};

Result<TimeZone> TimeZone::load(std::string_view name) {
  if (!is_zone_name(name)) return fail(ErrorCode::not_found, "no name of a time zone");
  std::ifstream file("/usr/share/zoneinfo/" + std::string(name), std::ios::binary);
  std::string bytes(kFileBytesMax, '\0');
  if (!file || !file.read(bytes.data(), static_cast<std::streamsize>(bytes.size())).eof()) {
    return fail(ErrorCode::not_found, "no such time zone");
  }
  return parse(std::string_view(bytes).substr(0, static_cast<size_t>(file.gcount())));
}

Result<TimeZone> TimeZone::parse(std::string_view bytes) {
  return TzReader::read(bytes);
}

// Local seconds, as if of UTC, at which clocks change in a year.
int64_t TimeZone::change_in(int64_t year, const Change& change) {
  using std::chrono::last;
  using std::chrono::month;
  using std::chrono::sys_days;
  using std::chrono::weekday;
  const std::chrono::year in(static_cast<int>(year));
  if (change.kind != Change::Kind::month_week_day) {
    int day = change.day;
    // "J60" is the first of March, leap year or not.
    if (change.kind == Change::Kind::julian) day -= in.is_leap() && day >= 60 ? 0 : 1;
    return (sys_days(in / 1 / 1).time_since_epoch().count() + day) * kDay + change.seconds;
  }
  const weekday wanted(static_cast<unsigned>(change.day));
  const month of(static_cast<unsigned>(change.month));
  const sys_days day = change.week == 5 ? sys_days(in / of / wanted[last])
                                        : sys_days(in / of / wanted[static_cast<unsigned>(change.week)]);
  return day.time_since_epoch().count() * kDay + change.seconds;
}

int32_t TimeZone::offset_by_rule(int64_t utc) const {
  if (!rule_.has_daylight) return rule_.standard;
  const auto day = std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(utc)));
  const int64_t year = static_cast<int>(std::chrono::year_month_day(day).year());
  const int64_t begin = change_in(year, rule_.begin) - rule_.standard;
  const int64_t end = change_in(year, rule_.end) - rule_.daylight;
  const bool daylight = begin < end ? utc >= begin && utc < end : utc >= begin || utc < end;
  return daylight ? rule_.daylight : rule_.standard;
}

int32_t TimeZone::offset_at(int64_t utc) const {
  const auto next = std::ranges::upper_bound(transitions_, utc, {}, &Transition::at);
  if (next == transitions_.end() && has_rule_) return offset_by_rule(utc);
  return next == transitions_.begin() ? first_offset_ : std::prev(next)->offset;
}

int64_t TimeZone::utc_of(int64_t local) const {
  // Of two moments the earlier has the larger offset.
  const int32_t before = offset_at(local - kDay);
  const int32_t after = offset_at(local + kDay);
  for (const int32_t offset : {std::max(before, after), std::min(before, after)}) {
    if (offset_at(local - offset) == offset) return local - offset;
  }
  // Skipped: the clocks are put forward somewhere between.
  int64_t low = local - std::max(before, after);
  int64_t high = local - std::min(before, after);
  const int32_t there = offset_at(high);
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (offset_at(middle) == there) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace llmgw::base
