#include "control/sharing/scope_tally.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "base/saturating.h"

namespace llmgw::control {
namespace {

using admission::Nanoseconds;
using store::RespValue;

constexpr std::array<std::string_view, ScopeTally::kWindows> kWindowNames = {"tps", "rpm", "tpm"};
constexpr double kNanosecondsPerMicrosecond = 1000.0;

std::string microseconds_text(Nanoseconds time) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3f", static_cast<double>(time) / kNanosecondsPerMicrosecond);
  return text;
}

template <class Number>
bool read_number(std::string_view text, Number& number) {
  return std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc();
}

}  // namespace

ScopeTally::Baseline ScopeTally::Baseline::of(const admission::Meter& meter) {
  return {
      .taken = {meter.taken.second.load(std::memory_order_relaxed), meter.taken.minute.load(std::memory_order_relaxed),
                meter.taken.tokens.load(std::memory_order_relaxed)},
      .charged = meter.charged.load(std::memory_order_relaxed)};
}

bool ScopeTally::is_used(const admission::Meter& meter) {
  const Baseline now = Baseline::of(meter);
  return now.taken != decltype(now.taken){} || now.charged != 0 ||
         meter.taken.begun.load(std::memory_order_relaxed) != 0 ||
         meter.period_end.load(std::memory_order_relaxed) != 0;
}

namespace {

std::string key_of(const Scope& scope, std::string_view prefix) {
  return std::string(prefix) + "v2:" + std::string(to_string(scope.kind)) + ":" + std::to_string(scope.identity) + ":";
}

std::string budget_key(const std::string& key, int64_t period_end) {
  return key + "budget:" + std::to_string(period_end);
}

std::string running_key(const std::string& key) {
  return key + "running";
}

}  // namespace

std::vector<std::string> ScopeTally::keys_of_others(const Scope& scope, std::string_view prefix, int64_t wall) {
  const std::string key = key_of(scope, prefix);
  const admission::CompiledLimits& limits = scope.compiled();
  std::vector<std::string> keys;
  if (limits.has_budget) keys.push_back(budget_key(key, limits.period.end_of_period(wall)));
  if (limits.concurrency != 0) keys.push_back(running_key(key));
  return keys;
}

ScopeTally::ScopeTally(const Scope& scope, std::string_view prefix, std::string gateway, const Baseline& baseline)
    : identity_(scope.identity),
      key_(key_of(scope, prefix)),
      gateway_(std::move(gateway)),
      set_(scope.set),
      meter_(scope.meter),
      taken_(baseline.taken),
      budget_(baseline.restored, baseline.charged),
      budget_gateway_(gateway_) {}

Nanoseconds ScopeTally::window_of(size_t window) const {
  const admission::CompiledLimits& limits = set_->compiled;
  switch (window) {
    case 0: return limits.second.window;
    case 1: return limits.minute.window;
    default: return limits.tokens_per_minute == 0 ? 0 : admission::kMinute;
  }
}

// How many microseconds of a window one request or token is.
std::string ScopeTally::unit_text(size_t window) const {
  const admission::CompiledLimits& limits = set_->compiled;
  const double unit = window == 0   ? static_cast<double>(limits.second.interval)
                      : window == 1 ? static_cast<double>(limits.minute.interval)
                                    : static_cast<double>(admission::kMinute) /
                                          static_cast<double>(std::max<uint64_t>(1, limits.tokens_per_minute));
  char text[40];
  std::snprintf(text, sizeof text, "%.12g", unit / kNanosecondsPerMicrosecond);
  return text;
}

std::atomic<Nanoseconds>& ScopeTally::taken_of(size_t window) const {
  const std::array all = {&meter_->taken.second, &meter_->taken.minute, &meter_->taken.tokens};
  return *all[window];
}

std::atomic<Nanoseconds>& ScopeTally::word_of(size_t window) const {
  const std::array all = {&meter_->second_word, &meter_->minute_word, &meter_->token_word};
  return *all[window];
}

void ScopeTally::collect(uint64_t number, Nanoseconds now, int64_t wall) {
  for (size_t i = 0; i < kWindows; ++i) {
    if (window_of(i) == 0) continue;
    const Nanoseconds taken = taken_of(i).load(std::memory_order_relaxed);
    const Nanoseconds amount = base::subtract_wrapping(taken, std::exchange(taken_[i], taken));
    windows_[i].use(number, amount, window_of(i), now);
    if (amount != 0) used_ = now;
  }
  if (set_->compiled.has_budget) collect_budget(number, now, wall);
  collect_running(now);
}

void ScopeTally::collect_running(Nanoseconds now) {
  running_ = set_->compiled.concurrency == 0 ? 0 : meter_->running.load(std::memory_order_relaxed);
  // Those that are refused want to know, too, when others have ended.
  const uint64_t asked =
      meter_->taken.begun.load(std::memory_order_relaxed) + meter_->refused.load(std::memory_order_relaxed);
  if (std::exchange(asked_, asked) != asked || running_ != 0) used_ = now;
  std::atomic<int64_t>& elsewhere = meter_->taken.running_elsewhere;
  if (now - heard_ > kRunningKept && elsewhere.load(std::memory_order_relaxed) != 0) {
    elsewhere.store(0, std::memory_order_relaxed);
  }
}

// By another rule the meter's sum is one of another period, which the ledger knows: it is told as such, under another
// name, because what was told of that period before, if it is one of an earlier rule, is in what the ledger knows.
void ScopeTally::follow_rule() {
  const uint64_t rule = meter_->taken.rule.load(std::memory_order_acquire);
  const uint64_t before = std::exchange(rule_, rule);
  if (before == 0 || before == rule) return;
  const int64_t restored = meter_->taken.restored.load(std::memory_order_relaxed);
  const int64_t mark = meter_->charged_before.load(std::memory_order_acquire);
  budget_ = BudgetTally(restored, base::add_wrapping(mark, restored));
  budget_gateway_ = gateway_ + "." + std::to_string(++rules_);
}

void ScopeTally::collect_budget(uint64_t number, Nanoseconds now, int64_t wall) {
  // What the ledger has restored is told before anybody calls.
  const bool restored = meter_->charged.load(std::memory_order_relaxed) != 0;
  if (restored && meter_->period_end.load(std::memory_order_relaxed) == 0) {
    admission::roll(*meter_, set_->compiled.period, wall);
  }
  follow_rule();
  // In this order: see BudgetTally::Reading.
  const int64_t before = meter_->charged_before.load(std::memory_order_acquire);
  const int64_t end = meter_->period_end.load(std::memory_order_acquire);
  const int64_t charged = meter_->charged.load(std::memory_order_acquire);
  if (charged != budget_.charged()) used_ = now;
  budget_.collect(number, {.before = before, .end = end, .charged = charged});
  budget_.forget(wall);
}

bool ScopeTally::untold() const {
  for (size_t i = 0; i < kWindows; ++i) {
    if (window_of(i) != 0 && windows_[i].untold()) return true;
  }
  return running_ != running_told_ || (set_->compiled.has_budget && budget_.untold());
}

void ScopeTally::ask(const std::shared_ptr<ScopeTally>& tally, Nanoseconds now, Telling& telling,
                     std::vector<Question>& questions) {
  for (size_t i = 0; i < kWindows; ++i) {
    if (tally->window_of(i) == 0) continue;
    questions.push_back({.tally = tally,
                         .of = Question::Of::window,
                         .window = i,
                         .mark = tally->windows_[i].begin_telling(),
                         .asked = now});
    tally->ask_window(i, now, telling);
  }
  remind(tally, now, telling, questions);
}

bool ScopeTally::has_period(int64_t wall) const {
  const auto periods = budget_.periods();
  return set_->compiled.has_budget && !periods.empty() && periods.back().end > wall;
}

bool ScopeTally::wants_reminder(Nanoseconds now, int64_t wall) const {
  return (has_period(wall) || set_->compiled.concurrency != 0) && now - reminded_ >= kRemindAfter;
}

void ScopeTally::remind(const std::shared_ptr<ScopeTally>& tally, Nanoseconds now, Telling& telling,
                        std::vector<Question>& questions) {
  tally->reminded_ = now;
  if (tally->set_->compiled.concurrency != 0 || tally->running_told_ != 0) {
    tally->ask_running(telling);
    questions.push_back({.tally = tally, .of = Question::Of::running, .running = tally->running_});
  }
  if (!tally->set_->compiled.has_budget) return;
  const auto periods = tally->budget_.periods();
  for (const BudgetTally::Period& period : periods) {
    if (&period != &periods.back() && !period.untold()) continue;
    tally->ask_period(period, telling);
    questions.push_back({.tally = tally,
                         .of = Question::Of::budget,
                         .rule = tally->rule_,
                         .period_end = period.end,
                         .spent = period.newest,
                         .charged = tally->budget_.charged()});
  }
}

void ScopeTally::ask_window(size_t window, Nanoseconds now, Telling& telling) const {
  const WindowTally& tally = windows_[window];
  std::vector<std::string> arguments = {gateway_, microseconds_text(window_of(window)),
                                        microseconds_text(tally.confirmed().total), unit_text(window)};
  for (const WindowTally::Point& point : tally.telling()) {
    arguments.push_back(std::to_string(point.number));
    arguments.push_back(microseconds_text(now - point.time));
    arguments.push_back(microseconds_text(point.total));
  }
  telling.call(Telling::Script::window, key_ + std::string(kWindowNames[window]), arguments);
}

void ScopeTally::ask_running(Telling& telling) const {
  const std::array<std::string, 2> arguments = {gateway_, std::to_string(running_)};
  telling.call(Telling::Script::running, running_key(key_), arguments);
}

void ScopeTally::ask_period(const BudgetTally::Period& period, Telling& telling) const {
  const std::array<std::string, 7> arguments = {budget_gateway_,
                                                std::to_string(period.newest.number),
                                                std::to_string(period.newest.total),
                                                std::to_string(period.confirmed.total),
                                                std::to_string(period.sum),
                                                period.memory,
                                                std::to_string(period.end + BudgetTally::kKeptSeconds)};
  telling.call(Telling::Script::budget, budget_key(key_, period.end), arguments);
}

void ScopeTally::take(const Question& question, const RespValue& answer, Nanoseconds now) {
  heard_ever_ = true;
  switch (question.of) {
    case Question::Of::window: return take_window(question, answer, now);
    case Question::Of::budget: return take_period(question, answer);
    case Question::Of::running: return take_running(question, answer, now);
  }
}

void ScopeTally::take_running(const Question& question, const RespValue& answer, Nanoseconds now) {
  int64_t others = 0;
  if (!read_number(answer.text, others)) return;
  running_told_ = question.running;
  heard_ = now;
  meter_->taken.running_elsewhere.store(others, std::memory_order_relaxed);
}

void ScopeTally::take_window(const Question& question, const RespValue& answer, Nanoseconds now) {
  double ahead = 0;
  if (!read_number(answer.text, ahead)) return;
  WindowTally& tally = windows_[question.window];
  tally.confirm(question.mark);
  // Use is booked at the time at which it was collected, by a clock that was read an exchange later, and so is seen an
  // exchange later still; of one that is slow now the last may have been fast.
  std::atomic<Nanoseconds>& lateness = meter_->taken.lateness;
  const Nanoseconds lasted = 2 * (now - question.asked) + kCollectedWithin;
  lateness.store(std::max(lasted, lateness.load(std::memory_order_relaxed) / 8 * 7), std::memory_order_relaxed);
  const Nanoseconds window = window_of(question.window);
  if (window == 0) return;  // a reload has taken the limit away meanwhile
  // All gateways together, what was used here since it was told, and what was used since that was last read.
  constexpr auto kMost = static_cast<double>(admission::cell::kAheadMax);
  const auto booked = static_cast<Nanoseconds>(std::min(ahead * kNanosecondsPerMicrosecond, kMost));
  const Nanoseconds all = base::add_saturating(booked, tally.backlog(window, now));
  admission::cell::follow(word_of(question.window), taken_of(question.window), taken_[question.window], all, now);
}

void ScopeTally::take_period(const Question& question, const RespValue& answer) {
  int64_t sum = 0;
  if (!read_number(answer.text, sum) || question.rule != rule_) return;
  // "1230 memory"
  const std::string_view text = answer.text;
  budget_.confirm(question.period_end, question.spent, sum, text.substr(std::min(text.find(' '), text.size() - 1) + 1));
  // A worker that begins a period meanwhile sets the mark behind this, or has, and then this does not.
  int64_t before = meter_->charged_before.load(std::memory_order_acquire);
  if (meter_->period_end.load(std::memory_order_acquire) != question.period_end) return;
  // All have spent `sum`, this process counts `charged`: the mark makes the difference what they have spent.
  const int64_t mark = base::subtract_wrapping(question.charged, sum);
  if (meter_->charged_before.compare_exchange_strong(before, mark, std::memory_order_acq_rel)) budget_.set_mark(mark);
}

}  // namespace llmgw::control
