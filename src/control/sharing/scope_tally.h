// What of one scope is shared: reads its meter into tallies, writes what Redis is to be told, and puts the meter where
// Redis says all gateways together are. The sharing thread's; the meter is everybody's.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "control/governance.h"
#include "control/sharing/tally.h"
#include "control/sharing/telling.h"
#include "store/redis/resp.h"

namespace llmgw::control {

class ScopeTally {
 public:
  static constexpr size_t kWindows = 3;
  // What others said that they have running holds so long without another word of Redis; as in running.lua.
  static constexpr admission::Nanoseconds kRunningKept = 3 * admission::kSecond;
  // After so long without use nobody here needs to know a scope's state.
  static constexpr admission::Nanoseconds kIdleAfter = admission::kSecond;
  // But what a budget has spent is told again after so long: Redis may have lost it, and others may not know. And how
  // many calls others have is asked again.
  static constexpr admission::Nanoseconds kRemindAfter = admission::kSecond;

  // Up to where others have told what the meter has.
  struct Baseline {
    std::array<admission::Nanoseconds, kWindows> taken = {};
    int64_t charged = 0;
    int64_t restored = 0;  // of `charged`: from the ledger

    static Baseline of(const admission::Meter& meter);
  };
  // What an answer is the answer to.
  struct Question {
    std::shared_ptr<ScopeTally> tally;
    enum class Of : uint8_t { window, budget, running };
    Of of = Of::window;
    size_t window = 0;
    WindowTally::Mark mark = {};
    uint64_t rule = 0;  // of the budget's period
    int64_t period_end = 0;
    BudgetTally::Mark spent = {};
    int64_t charged = 0;
    int64_t running = 0;
    admission::Nanoseconds asked = 0;  // when
  };
  // What is used is collected so often, at the latest.
  static constexpr admission::Nanoseconds kCollectedWithin = admission::kSecond / 50;
  // How late a word may be before anything is known of Redis.
  static constexpr admission::Nanoseconds kLatenessFirst = 3 * kCollectedWithin;

  static bool shares(const admission::CompiledLimits& limits) {
    return limits.limits_requests() || limits.tokens_per_minute != 0 || limits.has_budget || limits.concurrency != 0;
  }
  // Whether the meter has ever been used.
  static bool is_used(const admission::Meter& meter);
  // The keys in Redis that say what others have of a scope without this process: its budget, its calls at the same
  // time. `wall` in seconds since 1970.
  static std::vector<std::string> keys_of_others(const Scope& scope, std::string_view prefix, int64_t wall);

  // `prefix` begins all keys, `gateway` is the name under which this tally tells: no other tally of any process has it.
  ScopeTally(const Scope& scope, std::string_view prefix, std::string gateway, const Baseline& baseline);

  uint64_t identity() const { return identity_; }
  const admission::Meter* meter() const { return meter_.get(); }
  void set_limits(std::shared_ptr<const Scope::LimitSet> set) { set_ = std::move(set); }

  // What was used since the last time, as used now. `number` grows from call to call, `wall` in seconds since 1970.
  void collect(uint64_t number, admission::Nanoseconds now, int64_t wall);
  bool untold() const;
  // Something is to be told, or somebody may want to know, or nothing has been heard yet.
  bool wants(admission::Nanoseconds now) const { return now - used_ < kIdleAfter || !heard_ever_ || untold(); }
  // Redis has answered once.
  bool heard_ever() const { return heard_ever_; }
  // A budget has a period that is not over. `wall` in seconds since 1970.
  bool has_period(int64_t wall) const;
  // Nobody asked for so long what a budget whose period is not over has spent, or how many calls others have. `wall` in
  // seconds since 1970.
  bool wants_reminder(admission::Nanoseconds now, int64_t wall) const;
  // Appends what there is to tell of these and, for each command, the question.
  static void remind(const std::shared_ptr<ScopeTally>& tally, admission::Nanoseconds now, Telling& telling,
                     std::vector<Question>& questions);
  // The same of all limits.
  static void ask(const std::shared_ptr<ScopeTally>& tally, admission::Nanoseconds now, Telling& telling,
                  std::vector<Question>& questions);
  // The answer to a question of this tally, and no error.
  void take(const Question& question, const store::RespValue& answer, admission::Nanoseconds now);

 private:
  void collect_budget(uint64_t number, admission::Nanoseconds now, int64_t wall);
  void follow_rule();
  void collect_running(admission::Nanoseconds now);
  admission::Nanoseconds window_of(size_t window) const;
  std::string unit_text(size_t window) const;
  std::atomic<admission::Nanoseconds>& taken_of(size_t window) const;
  std::atomic<admission::Nanoseconds>& word_of(size_t window) const;
  void ask_window(size_t window, admission::Nanoseconds now, Telling& telling) const;
  void ask_running(Telling& telling) const;
  void ask_period(const BudgetTally::Period& period, Telling& telling) const;
  void take_window(const Question& question, const store::RespValue& answer, admission::Nanoseconds now);
  void take_period(const Question& question, const store::RespValue& answer);
  void take_running(const Question& question, const store::RespValue& answer, admission::Nanoseconds now);

  uint64_t identity_;
  std::string key_;  // up to the limit's name
  std::string gateway_;
  std::shared_ptr<const Scope::LimitSet> set_;
  std::shared_ptr<admission::Meter> meter_;
  std::array<WindowTally, kWindows> windows_;
  std::array<admission::Nanoseconds, kWindows> taken_;  // of the meter, as last read
  BudgetTally budget_;
  uint64_t rule_ = 0;                 // of the budget's period, as last read
  uint64_t rules_ = 0;                // changes of it
  std::string budget_gateway_;        // under which the budget tells, by this rule
  int64_t running_ = 0;               // of the meter, as last read
  int64_t running_told_ = 0;          // as Redis has it
  uint64_t asked_ = 0;                // calls that began or were refused, ever
  admission::Nanoseconds heard_ = 0;  // when others' were
  bool heard_ever_ = false;
  admission::Nanoseconds used_ = -kIdleAfter;
  admission::Nanoseconds reminded_ = -kRemindAfter;  // or asked
};

}  // namespace llmgw::control
