#include "control/limit_changes.h"

#include <unordered_map>

namespace llmgw::control {
namespace {

using admission::CompiledLimits;
using admission::Rate;

void carry_over(std::atomic<admission::Nanoseconds>& word, const Rate& from, const Rate& to,
                admission::Nanoseconds now) {
  if (from.interval == to.interval || from.window == 0 || to.window == 0) return;
  admission::cell::rescale(word, static_cast<double>(from.interval), static_cast<double>(to.interval), to.window, now);
}

void carry_over(admission::Meter& meter, const CompiledLimits& from, const CompiledLimits& to,
                admission::Nanoseconds now) {
  carry_over(meter.second_word, from.second, to.second, now);
  carry_over(meter.minute_word, from.minute, to.minute, now);
  if (from.tokens_per_minute == to.tokens_per_minute || to.tokens_per_minute == 0) return;
  // A token's cost is the minute divided by their number.
  admission::cell::rescale(meter.token_word, static_cast<double>(to.tokens_per_minute),
                           static_cast<double>(from.tokens_per_minute), admission::kMinute, now);
}

}  // namespace

std::vector<const Scope*> scopes_of_other_periods(const Snapshot& snapshot) {
  std::vector<const Scope*> scopes;
  for (const Scope& scope : snapshot.scopes) {
    if (!scope.compiled().has_budget) continue;
    const uint64_t rule = scope.meter->taken.rule.load(std::memory_order_acquire);
    if (rule != 0 && rule != scope.compiled().period.id()) scopes.push_back(&scope);
  }
  return scopes;
}

void carry_windows_over(const Snapshot& before, const Snapshot& snapshot, admission::Nanoseconds now) {
  std::unordered_map<const admission::Meter*, const CompiledLimits*> limits;
  limits.reserve(before.scopes.size());
  for (const Scope& scope : before.scopes) limits.emplace(scope.meter.get(), &scope.compiled());
  for (const Scope& scope : snapshot.scopes) {
    const auto found = limits.find(scope.meter.get());
    if (found != limits.end()) carry_over(*scope.meter, *found->second, scope.compiled(), now);
  }
}

}  // namespace llmgw::control
