// The part of the ledger that tells budgets what they have spent before this process began.
#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "control/ledger/ledger.h"
#include "control/limit_changes.h"

namespace llmgw::control {
void Ledger::restore_budgets(std::shared_ptr<const Snapshot> snapshot, base::Duration limit) {
  std::unique_lock lock(mutex_);
  newest_ = snapshot;
  to_restore_ = std::move(snapshot);
  changed_.notify_all();
  changed_.wait_for(lock, limit, [this] { return to_restore_ == nullptr || restoring_late_; });
  restoring_late_ = true;
}

void Ledger::give_up_restoring() {
  const std::lock_guard lock(mutex_);
  if (to_restore_ != nullptr) restoring_late_ = true;
  changed_.notify_all();
}

// True: there is nothing left to be told. Until then nothing of this process is in the sums: what the database has is
// what was spent before, by other processes.
bool Ledger::restore() {
  std::shared_ptr<const Snapshot> snapshot;
  {
    const std::lock_guard lock(mutex_);
    snapshot = to_restore_;
  }
  if (snapshot == nullptr) return true;
  if (!open_store()) {
    give_up_restoring();
    return false;
  }
  if (!adopt_left_files()) {
    give_up_restoring();
    return false;
  }
  if (!sum_up(Which::left)) return false;
  if (const auto restored = restore_from(*snapshot); !restored) {
    leave_store("what budgets have spent cannot be read yet", restored.error());
    give_up_restoring();
    return false;
  }
  changed_.notify_all();
  return true;
}

namespace {

// Older gateways wrote down under names what objects of the store have used. Since one got its name, what stands under
// that is its own: it is handed over to it, so that it stays so whatever the name becomes. (From the quarter on in
// which it got it: what another of the name used in that is not told apart, and nothing is forgotten.)
base::Result<void> hand_over_names(LedgerStore& store, const Snapshot& snapshot) {
  std::vector<uint64_t> names;
  for (const Scope& scope : snapshot.scopes) {
    if (scope.compiled().has_budget && scope.identity_by_name != 0) names.push_back(scope.identity_by_name);
  }
  if (names.empty()) return {};
  TRY(charged, store.charged_since(names, 0));
  std::vector<LedgerStore::Handover> handovers;
  for (const Scope& scope : snapshot.scopes) {
    if (!scope.compiled().has_budget || !charged.contains(scope.identity_by_name)) continue;
    handovers.push_back(
        {.from = scope.identity_by_name, .to = scope.identity, .quarter = scope.named_since / kQuarterSeconds});
  }
  return handovers.empty() ? base::Result<void>() : store.hand_over(handovers);
}

// Records of processes that end only now, and of other gateways that are not upgraded yet.
constexpr int64_t kOlderRecordsQuarters = 96;

// The same of what reports say: of every owner, for good.
base::Result<void> note_holders(LedgerStore& store, const Snapshot& snapshot, int64_t wall) {
  std::vector<LedgerStore::Holder> holders;
  const auto note = [&](ReportColumn kind, const std::string& name, const std::string& id, int64_t named_since) {
    if (id.empty() || id == kAnonymous) return;
    holders.push_back({.kind = kind, .name = name, .id = id, .since = named_since / kQuarterSeconds});
  };
  for (const Organization& each : snapshot.organizations) {
    note(ReportColumn::organization, each.name, each.stored.id, each.stored.named_since);
  }
  for (const Team& each : snapshot.teams) note(ReportColumn::team, each.name, each.stored.id, each.stored.named_since);
  for (const User& each : snapshot.users) note(ReportColumn::user, each.name, each.stored.id, each.stored.named_since);
  for (const Principal& each : snapshot.principals) note(ReportColumn::key, each.name, each.id, each.named_since);
  return store.note_holders(holders, wall / kQuarterSeconds + kOlderRecordsQuarters);
}

}  // namespace

// What these budgets have paid in their periods at hand; those that have paid nothing may be missing.
base::Result<std::vector<Ledger::Spent>> Ledger::spent_at_hand(const std::vector<const Scope*>& scopes, int64_t wall) {
  // Budgets are many, and of few periods: those that began together are asked for together.
  std::map<int64_t, std::vector<const Scope*>> by_start;
  for (const Scope* const scope : scopes) {
    by_start[scope->compiled().period.start_of_period(wall)].push_back(scope);
  }
  std::vector<Spent> found;
  for (const auto& [start, of_start] : by_start) {
    std::vector<uint64_t> identities;
    for (const Scope* const scope : of_start) identities.push_back(scope->identity);
    TRY(charged, store_->charged_since(identities, start / kQuarterSeconds));
    for (const Scope* const scope : of_start) {
      const auto paid = charged.find(scope->identity);
      found.push_back({scope, paid == charged.end() ? 0 : paid->second});
    }
  }
  return found;
}

base::Result<void> Ledger::restore_from(const Snapshot& snapshot) {
  const int64_t wall = options_.wall();
  TRY_VOID(hand_over_names(*store_, snapshot));
  TRY_VOID(note_holders(*store_, snapshot, wall));
  std::vector<const Scope*> scopes;
  for (const Scope& scope : snapshot.scopes) {
    if (scope.compiled().has_budget) scopes.push_back(&scope);
  }
  TRY(found, spent_at_hand(scopes, wall));
  const std::lock_guard lock(mutex_);
  for (const auto& [scope, spent] : found) {
    admission::Meter& meter = *scope->meter;
    // A rule that comes before the first call finds another one's sum here.
    uint64_t none = 0;
    meter.taken.rule.compare_exchange_strong(none, scope->compiled().period.id(), std::memory_order_acq_rel);
    if (!restoring_late_) meter.charged.store(spent, std::memory_order_relaxed);
    if (!restoring_late_ || spent == 0) continue;
    // Calls are charged meanwhile, and other gateways are told of what `charged` grows by: the mark moves instead.
    admission::roll(meter, scope->compiled().period, wall);
    meter.charged_before.fetch_sub(spent, std::memory_order_acq_rel);
  }
  to_restore_ = nullptr;
  return {};
}

// A call charges its own budgets when it ends. Whether a batch has been charged before only the database knows, so that
// its budgets hear of it from here.
void Ledger::charge_budgets(const std::vector<RollupPart>& batches) {
  if (batches.empty()) return;
  std::shared_ptr<const Snapshot> snapshot;
  {
    const std::lock_guard lock(mutex_);
    snapshot = newest_;
  }
  if (snapshot == nullptr) return;
  const int64_t wall = options_.wall();
  for (const Scope& scope : snapshot->scopes) {
    if (!scope.compiled().has_budget) continue;
    for (const RollupPart& part : batches) {
      if (std::ranges::find(part.charged, scope.identity) == part.charged.end()) continue;
      admission::roll_on(*scope.meter, scope.compiled().period, wall);
      admission::charge(*scope.meter, part.sums.nano_dollars);
    }
  }
}

void Ledger::change_periods(std::shared_ptr<const Snapshot> snapshot) {
  const std::lock_guard lock(mutex_);
  newest_ = snapshot;
  to_change_ = std::move(snapshot);
  changed_.notify_all();
}

// What is in this process's records that sum_up() has not seen: nano-dollars by scope and quarter. Nothing is marked as
// read.
std::map<std::pair<uint64_t, int64_t>, int64_t> Ledger::charged_since_sum() {
  Rollup rollup;
  std::vector<MarkMove> unused;
  for (Work& work : work_at_hand()) (void)take(work, rollup, unused);
  return rollup.charges();
}

// True: there is nothing left to be changed. What this process has charged until now is summed up first, and a meter's
// own sum gives way to the ledger's. The database takes its time to say that one; calls that end meanwhile are found in
// the records. Left are the calls that end between this reading and the change of their meter, microseconds later, and
// are charged before that: of them the new period does not hear. One whose record is read and whose meter is charged
// only afterwards counts twice.
bool Ledger::go_over_to_new_periods() {
  std::shared_ptr<const Snapshot> snapshot;
  {
    const std::lock_guard lock(mutex_);
    snapshot = to_change_;
  }
  if (snapshot == nullptr) return true;
  if (const auto scopes = scopes_of_other_periods(*snapshot); !scopes.empty()) {
    // An older copy of the database may just have been put back.
    unsure_ = true;
    if (!sum_up()) return false;
    const int64_t wall = options_.wall();
    const auto found = spent_at_hand(scopes, wall);
    if (!found) {
      leave_store("what budgets have spent in their new periods cannot be read yet; the old ones go on", found.error());
      return false;
    }
    const auto since = charged_since_sum();
    for (const auto& [scope, spent] : *found) {
      const admission::PeriodRule& rule = scope->compiled().period;
      const int64_t first = rule.start_of_period(wall) / kQuarterSeconds;
      int64_t all = spent;
      for (auto each = since.lower_bound({scope->identity, first});
           each != since.end() && each->first.first == scope->identity; ++each) {
        all = base::add_saturating(all, each->second);
      }
      admission::change_period(*scope->meter, rule, all, wall);
    }
  }
  const std::lock_guard lock(mutex_);
  if (to_change_ == snapshot) to_change_ = nullptr;
  return true;
}

}  // namespace llmgw::control
