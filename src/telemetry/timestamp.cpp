#include "telemetry/timestamp.h"

namespace llmgw::telemetry {
namespace {

void put_digits(char* end, unsigned value, int count) {
  for (; count > 0; --count, value /= 10) *--end = static_cast<char>('0' + value % 10);
}

}  // namespace

void Timestamp::update(int64_t milliseconds) {
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(milliseconds)};
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  if (whole.time_since_epoch().count() != seconds_) {
    const auto day = std::chrono::floor<std::chrono::days>(whole);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(whole - day);
    text_ = {'0', '0', '0', '0', '-', '0', '0', '-', '0', '0', 'T', '0',
             '0', ':', '0', '0', ':', '0', '0', '.', '0', '0', '0', 'Z'};
    put_digits(text_.data() + 4, static_cast<unsigned>(static_cast<int>(date.year())), 4);
    put_digits(text_.data() + 7, static_cast<unsigned>(date.month()), 2);
    put_digits(text_.data() + 10, static_cast<unsigned>(date.day()), 2);
    put_digits(text_.data() + 13, static_cast<unsigned>(clock.hours().count()), 2);
    put_digits(text_.data() + 16, static_cast<unsigned>(clock.minutes().count()), 2);
    put_digits(text_.data() + 19, static_cast<unsigned>(clock.seconds().count()), 2);
    seconds_ = whole.time_since_epoch().count();
  }
  put_digits(text_.data() + 23, static_cast<unsigned>((time - whole).count()), 3);
  milliseconds_ = milliseconds;
}

}  // namespace llmgw::telemetry
