// When a budget's period ends: clock hours, and days, weeks and months that begin at midnight of a time zone. Rules are
// pure; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "admission/limits.h"
#include "base/time_zone.h"

namespace llmgw::admission {

// Zones by name, each read once. One thread.
class ZoneCache {
 public:
  // Null for UTC, and for a zone that cannot be read: the configuration's check has refused it.
  std::shared_ptr<const base::TimeZone> get(std::string_view name);

 private:
  std::map<std::string, std::shared_ptr<const base::TimeZone>, std::less<>> zones_;
};

class PeriodRule {
 public:
  PeriodRule() = default;
  // Null: UTC. `zone_name` tells zones apart.
  PeriodRule(BudgetPeriod period, std::shared_ptr<const base::TimeZone> zone, std::string_view zone_name = {});

  // The same of rules that have the same periods, in this process. Never 0.
  uint64_t id() const { return id_; }

  // The first second behind the period that `wall` lies in, and the first in it. Seconds since 1970. About 1 µs.
  int64_t end_of_period(int64_t wall) const;
  int64_t start_of_period(int64_t wall) const;

 private:
  static constexpr uint64_t id_of(BudgetPeriod period) { return static_cast<uint64_t>(period) + 1; }

  BudgetPeriod period_ = BudgetPeriod::month;
  uint64_t id_ = id_of(BudgetPeriod::month);
  std::shared_ptr<const base::TimeZone> zone_;
};

}  // namespace llmgw::admission
