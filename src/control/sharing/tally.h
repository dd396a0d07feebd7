// What this process has used of limits that gateways share, and how much of it Redis is known to have booked. Pure;
// time is passed in. One thread.
//
// A process tells totals, not differences: what it has used in all, with a number that grows. Redis keeps number and
// total of each process beside the sum and books the difference (window.lua, budget.lua). So it does not matter how
// often a telling comes, how late, or whether its answer is lost: what was booked is known there, and the next telling
// has all that was not.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admission/meter.h"

namespace llmgw::control {

// Of a window: requests a second, requests a minute, tokens a minute. Use is nanoseconds of the window, as in the
// meter. What is not booked is kept with the time of its use, one point for a slice of the window; what is older than
// the window is in none any more and only moves the total. So a tally is small however long Redis is away.
//
// Points are told by their age, so one that is run late is booked late. A telling is therefore repeated as it is until
// it is answered, and what is used meanwhile waits: Redis may have run it long ago, or run each try when it thaws.
class WindowTally {
 public:
  static constexpr int kSlices = 30;  // of a window, as in window.lua
  // A window touches one slice more, the end of a telling parts one, and of what is older two points are kept.
  static constexpr size_t kPointsMax = kSlices + 4;
  struct Point {
    uint64_t number;
    admission::Nanoseconds time;  // of the last use in it; monotonic
    admission::Nanoseconds total;
  };
  // What a telling says: an answer to it confirms so much.
  struct Mark {
    uint64_t number = 0;
    admission::Nanoseconds total = 0;
  };

  // `number` is greater than that of every earlier use, in all tallies of the process.
  void use(uint64_t number, admission::Nanoseconds amount, admission::Nanoseconds window, admission::Nanoseconds now);
  // What is to be told next: what was told last, unless that has been confirmed, and then all there is.
  Mark begin_telling();
  // The points of the telling that was begun, oldest first.
  std::span<const Point> telling() const;
  // What Redis may not have yet.
  bool untold() const { return !points_.empty(); }
  size_t points() const { return points_.size(); }
  Mark confirmed() const { return confirmed_; }
  void confirm(Mark mark);
  // How far what is not booked lies ahead of now by itself.
  admission::Nanoseconds backlog(admission::Nanoseconds window, admission::Nanoseconds now) const;

 private:
  void drop_old(admission::Nanoseconds before);

  std::vector<Point> points_;  // behind what is confirmed
  admission::Nanoseconds total_ = 0;
  Mark told_;
  Mark confirmed_;
};

// Of a budget: nano-dollars, each in the period in which they were charged.
class BudgetTally {
 public:
  // Nobody asks for a period that has ended so long ago; with an hour's budget that is 25 periods.
  static constexpr int64_t kKeptSeconds = 24 * 3600;
  // A worker has moved a meter's period on, but not yet its mark: collecting waits so often, then what was charged is
  // the new period's.
  static constexpr uint32_t kMarkWaitsMax = 5;

  struct Mark {
    uint64_t number = 0;
    int64_t total = 0;
  };
  struct Period {
    int64_t end;  // seconds since 1970
    Mark newest = {};
    Mark confirmed = {};
    int64_t sum = 0;          // what all gateways have spent, as far as is known
    std::string memory = {};  // of Redis, that told it (budget.lua)

    bool untold() const { return newest.number != confirmed.number; }
  };
  // A meter's words. `before` is read first, then `end`, then `charged`: so a period that begins meanwhile is noticed.
  struct Reading {
    int64_t before;
    int64_t end;
    int64_t charged;
  };

  BudgetTally() = default;
  // What the ledger knew when the process began, and what of the meter's sum was told by others.
  BudgetTally(int64_t restored, int64_t charged) : restored_(restored), charged_(charged) {}

  // `number` as of a window's use.
  void collect(uint64_t number, const Reading& reading);
  // The one at hand last. Empty before the first call.
  std::span<const Period> periods() const { return periods_; }
  bool untold() const;
  int64_t charged() const { return charged_; }  // by the meter, when it was last read
  void confirm(int64_t end, Mark mark, int64_t sum, std::string_view memory);
  // The meter's mark has been set to this.
  void set_mark(int64_t mark) { mark_ = mark; }
  // Periods that have been told or that nobody asks for any more. `wall` in seconds since 1970.
  void forget(int64_t wall);

 private:
  bool begin_period(uint64_t number, const Reading& reading);
  void add(uint64_t number, int64_t amount);

  std::vector<Period> periods_;
  int64_t restored_ = 0;
  int64_t charged_ = 0;
  int64_t mark_ = 0;
  uint32_t waits_ = 0;
};

}  // namespace llmgw::control
