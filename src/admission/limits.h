// What one scope (an organization, team, user, key, assignment or model) may use. Plain data; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/money.h"

namespace llmgw::admission {

enum class BudgetPeriod : uint8_t { hour, day, week, month };

// What becomes of calls of which nobody knows the price.
enum class UnpricedCalls : uint8_t { allow, refuse };

struct Limits {
  double requests_per_second = 0;  // 0, here and below: no limit
  uint64_t requests_per_minute = 0;
  uint64_t tokens_per_minute = 0;
  uint32_t concurrency = 0;
  std::optional<base::NanoDollars> budget = {};  // 0 dollars is a budget: nothing may be spent
  BudgetPeriod budget_period = BudgetPeriod::month;
  std::string time_zone = {};  // in which the periods of the budget begin; a name of the IANA database

  UnpricedCalls unpriced = UnpricedCalls::allow;

  bool any() const {
    if (unpriced == UnpricedCalls::refuse) return true;
    return requests_per_second > 0 || requests_per_minute > 0 || tokens_per_minute > 0 || concurrency > 0 || budget;
  }
  bool operator==(const Limits&) const = default;
};

}  // namespace llmgw::admission
