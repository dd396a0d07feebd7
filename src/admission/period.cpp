#include "admission/period.h"

#include <chrono>
#include <functional>
#include <utility>

namespace llmgw::admission {
namespace {

using std::chrono::days;
using std::chrono::months;
using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr int64_t kHourSeconds = 3600;
constexpr int64_t kDaySeconds = 24 * kHourSeconds;

// The day on which the period of a day begins, and that of the next.
struct Span {
  sys_days first;
  sys_days next;
};

Span span_of(BudgetPeriod period, sys_days day) {
  switch (period) {
    case BudgetPeriod::week: {
      const sys_days monday = day - (std::chrono::weekday(day) - std::chrono::Monday);
      return {monday, monday + days(7)};
    }
    case BudgetPeriod::month: {
      const year_month_day date(day);
      const auto first = date.year() / date.month() / 1;
      return {sys_days(first), sys_days(first + months(1))};
    }
    default: return {day, day + days(1)};
  }
}

}  // namespace

std::shared_ptr<const base::TimeZone> ZoneCache::get(std::string_view name) {
  if (name.empty() || name == "UTC") return nullptr;
  if (const auto found = zones_.find(name); found != zones_.end()) return found->second;
  auto zone = base::TimeZone::load(name);
  auto shared = zone ? std::make_shared<const base::TimeZone>(std::move(*zone)) : nullptr;
  return zones_.emplace(name, std::move(shared)).first->second;
}

PeriodRule::PeriodRule(BudgetPeriod period, std::shared_ptr<const base::TimeZone> zone, std::string_view zone_name)
    : period_(period), id_(id_of(period)), zone_(std::move(zone)) {
  // Clock hours are the same everywhere.
  if (zone_ == nullptr || period == BudgetPeriod::hour) return;
  constexpr unsigned kPeriodBits = 3;
  id_ |= std::hash<std::string_view>{}(zone_name) << kPeriodBits;
}

int64_t PeriodRule::end_of_period(int64_t wall) const {
  if (period_ == BudgetPeriod::hour) return wall - wall % kHourSeconds + kHourSeconds;
  const int64_t local = wall + (zone_ ? zone_->offset_at(wall) : 0);
  const Span span = span_of(period_, sys_days(days(local / kDaySeconds)));
  const int64_t midnight = span.next.time_since_epoch().count() * kDaySeconds;
  return zone_ ? zone_->utc_of(midnight) : midnight;
}

int64_t PeriodRule::start_of_period(int64_t wall) const {
  if (period_ == BudgetPeriod::hour) return wall - wall % kHourSeconds;
  const int64_t local = wall + (zone_ ? zone_->offset_at(wall) : 0);
  const Span span = span_of(period_, sys_days(days(local / kDaySeconds)));
  const int64_t midnight = span.first.time_since_epoch().count() * kDaySeconds;
  return zone_ ? zone_->utc_of(midnight) : midnight;
}

}  // namespace llmgw::admission
