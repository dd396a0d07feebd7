#include "http/http_date.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/text.h"

namespace llmgw::http {
namespace {

constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Takes what it names off the front; the first that does not fit makes all further ones fail.
class Taker {
 public:
  explicit Taker(std::string_view text) : rest_(text) {}

  unsigned number(size_t digits) {
    unsigned value = 0;
    for (size_t i = 0; i < digits; ++i) {
      if (i >= rest_.size() || !base::is_digit(rest_[i])) return fail();
      value = value * 10 + static_cast<unsigned>(rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }
  void literal(std::string_view text) {
    if (!rest_.starts_with(text)) return void(fail());
    rest_.remove_prefix(text.size());
  }
  bool optional(char c) {
    const bool there = rest_.starts_with(c);
    if (there) rest_.remove_prefix(1);
    return there;
  }
  unsigned month() {
    const auto* const found = std::ranges::find(kMonths, rest_.substr(0, 3));
    if (found == kMonths.end()) return fail();
    rest_.remove_prefix(3);
    return static_cast<unsigned>(found - kMonths.begin()) + 1;
  }
  int64_t time_of_day() {
    const unsigned hour = number(2);
    literal(":");
    const unsigned minute = number(2);
    literal(":");
    const unsigned second = number(2);
    // A leap second has no number of its own.
    if (hour > 23 || minute > 59 || second > 60) fail();
    return hour * 3600LL + minute * 60LL + std::min(second, 59U);
  }
  bool fits() const { return good_ && rest_.empty(); }

 private:
  unsigned fail() {
    good_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool good_ = true;
};

std::optional<int64_t> moment(const Taker& taken, unsigned year, unsigned month, unsigned day, int64_t seconds) {
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!taken.fits() || !date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count() * 86'400LL + seconds;
}

// "06 Nov 1994 08:49:37 GMT", or with hyphens and two digits of the year.
std::optional<int64_t> parse_behind_comma(std::string_view text) {
  Taker taker(text);
  taker.literal(" ");
  const unsigned day = taker.number(2);
  const bool old = taker.optional('-');
  if (!old) taker.literal(" ");
  const unsigned month = taker.month();
  taker.literal(old ? "-" : " ");
  unsigned year = taker.number(old ? 2 : 4);
  if (old) year += year < 70 ? 2000 : 1900;
  taker.literal(" ");
  const int64_t seconds = taker.time_of_day();
  taker.literal(" GMT");
  return moment(taker, year, month, day, seconds);
}

// "Nov  6 08:49:37 1994".
std::optional<int64_t> parse_asctime(std::string_view text) {
  Taker taker(text);
  const unsigned month = taker.month();
  taker.literal(" ");
  const unsigned day = taker.optional(' ') ? taker.number(1) : taker.number(2);
  taker.literal(" ");
  const int64_t seconds = taker.time_of_day();
  taker.literal(" ");
  const unsigned year = taker.number(4);
  return moment(taker, year, month, day, seconds);
}

}  // namespace

std::optional<int64_t> parse_http_date(std::string_view text) {
  text = base::trim(text);
  if (const size_t comma = text.find(','); comma != std::string_view::npos) {
    return parse_behind_comma(text.substr(comma + 1));
  }
  constexpr size_t kDayName = 4;  // "Sun "
  return text.size() > kDayName ? parse_asctime(text.substr(kDayName)) : std::nullopt;
}

}  // namespace llmgw::http
