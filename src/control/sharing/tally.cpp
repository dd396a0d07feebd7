#include "control/sharing/tally.h"

#include <algorithm>

#include "base/saturating.h"

namespace llmgw::control {

using admission::Nanoseconds;

void WindowTally::use(uint64_t number, Nanoseconds amount, Nanoseconds window, Nanoseconds now) {
  if (amount == 0) return;
  total_ = base::add_saturating(total_, amount);
  drop_old(now - window);
  const Nanoseconds slice = std::max<Nanoseconds>(1, window / kSlices);
  const Point point{.number = number, .time = now, .total = total_};
  // What was told stays as it is.
  const bool is_open = !points_.empty() && points_.back().number > told_.number;
  if (is_open && (points_.back().time / slice == now / slice || points_.size() >= kPointsMax)) {
    points_.back() = point;
  } else {
    points_.push_back(point);
  }
}

// Of what is older than the window one point is enough, since it says how much that was; but a telling keeps its end.
void WindowTally::drop_old(Nanoseconds before) {
  size_t kept = 0;
  for (size_t i = 0; i < points_.size(); ++i) {
    const bool is_covered = i + 1 < points_.size() && points_[i + 1].time <= before;
    if (!is_covered || points_[i].number == told_.number) points_[kept++] = points_[i];
  }
  points_.resize(kept);
}

WindowTally::Mark WindowTally::begin_telling() {
  if (told_.number <= confirmed_.number) {
    told_ = points_.empty() ? confirmed_ : Mark{points_.back().number, points_.back().total};
  }
  return told_;
}

std::span<const WindowTally::Point> WindowTally::telling() const {
  const auto end =
      std::find_if(points_.begin(), points_.end(), [this](const Point& point) { return point.number > told_.number; });
  return {points_.begin(), end};
}

void WindowTally::confirm(Mark mark) {
  if (mark.number <= confirmed_.number) return;
  confirmed_ = mark;
  std::erase_if(points_, [&](const Point& point) { return point.number <= mark.number; });
}

Nanoseconds WindowTally::backlog(Nanoseconds window, Nanoseconds now) const {
  Nanoseconds word = 0;
  Nanoseconds before = confirmed_.total;
  for (const Point& point : points_) {
    if (point.time > now - window) {
      word = base::add_saturating(std::max(word, point.time), base::subtract_wrapping(point.total, before));
    }
    before = point.total;
  }
  return std::max<Nanoseconds>(0, word - now);
}

void BudgetTally::add(uint64_t number, int64_t amount) {
  if (amount == 0) return;
  Mark& newest = periods_.back().newest;
  newest = {.number = number, .total = base::add_saturating(newest.total, amount)};
}

// False: the mark is not there yet.
bool BudgetTally::begin_period(uint64_t number, const Reading& reading) {
  if (periods_.empty()) {
    periods_.push_back({.end = reading.end, .sum = restored_});
    return true;
  }
  int64_t before = reading.before;
  if (before == mark_ && before != charged_) {
    if (++waits_ <= kMarkWaitsMax) return false;
    before = charged_;
  }
  waits_ = 0;
  add(number, base::subtract_wrapping(before, charged_));
  charged_ = before;
  periods_.push_back({.end = reading.end});
  return true;
}

void BudgetTally::collect(uint64_t number, const Reading& reading) {
  if (reading.end == 0) return;  // no call yet
  if (periods_.empty() || periods_.back().end != reading.end) {
    if (!begin_period(number, reading)) return;
  }
  add(number, base::subtract_wrapping(reading.charged, charged_));
  charged_ = reading.charged;
  mark_ = reading.before;
}

bool BudgetTally::untold() const {
  return std::any_of(periods_.begin(), periods_.end(), [](const Period& period) { return period.untold(); });
}

void BudgetTally::confirm(int64_t end, Mark mark, int64_t sum, std::string_view memory) {
  for (Period& period : periods_) {
    if (period.end != end || mark.number < period.confirmed.number) continue;
    period.confirmed = mark;
    period.sum = sum;
    period.memory = memory;
  }
}

void BudgetTally::forget(int64_t wall) {
  if (periods_.size() < 2) return;
  const int64_t at_hand = periods_.back().end;
  std::erase_if(periods_, [&](const Period& period) {
    return period.end != at_hand && (!period.untold() || period.end + kKeptSeconds < wall);
  });
}

}  // namespace llmgw::control
