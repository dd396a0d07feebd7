#include "control/sharing/shared_limits.h"

#include <pthread.h>

#include <algorithm>
#include <cstdio>
#include <unordered_map>

#include "base/rng.h"
#include "net/io.h"

namespace llmgw::control {
namespace {

using admission::Nanoseconds;
using base::Result;
using net::Task;
using store::RespValue;

constexpr base::Duration kRetryInterval = std::chrono::milliseconds(500);
// While an answer is waited for; else each telling collects.
constexpr base::Duration kCollectInterval = std::chrono::milliseconds(100);

std::string random_identity() {
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(base::system_random()));
  return text;
}

}  // namespace

SharedLimits::SharedLimits(SharedLimitsOptions options, std::shared_ptr<const Snapshot> snapshot)
    : options_(std::move(options)),
      loop_(net::make_epoll_poller()),
      client_(loop_, options_.address),
      snapshot_(std::move(snapshot)),
      identity_(random_identity()),
      tallies_(snapshot_->scopes.size()) {
  survey_.adopt(*snapshot_, nullptr);
  expect_lateness();
  // What was restored from the ledger has been told by the process that spent it.
  for (size_t i = 0; i < tallies_.size(); ++i) {
    const Scope& scope = snapshot_->scopes[i];
    const int64_t restored = scope.meter->charged.load(std::memory_order_relaxed);
    if (scope.compiled().has_budget && restored != 0) {
      tallies_[i] = make_tally(scope, {.charged = restored, .restored = restored});
    }
  }
  thread_ = std::thread([this] { run(); });
}

SharedLimits::~SharedLimits() {
  loop_.post([this] {
    ending_ = true;
    tasks_.spawn(stop_at_limit());
  });
  thread_.join();
}

void SharedLimits::run() {
  pthread_setname_np(pthread_self(), "shared-limits");
  tasks_.spawn(collect_forever());
  tasks_.spawn(tell_until_the_end());
  loop_.run();
  tasks_.cancel_all();
  if (untold() && options_.report) {
    options_.report("Redis did not take what was used last; other gateways will not know of it",
                    {base::ErrorCode::deadline_exceeded, "telling the last use"});
  }
}

bool SharedLimits::wait_until_known(base::Duration limit) {
  return on_known_.get_future().wait_for(limit) == std::future_status::ready;
}

void SharedLimits::adopt(std::shared_ptr<const Snapshot> snapshot) {
  loop_.post([this, snapshot = std::move(snapshot)]() mutable { take_snapshot(std::move(snapshot)); });
}

SharedLimits::Tally SharedLimits::make_tally(const Scope& scope, const ScopeTally::Baseline& baseline) {
  return std::make_shared<ScopeTally>(scope, options_.prefix, identity_ + "." + std::to_string(++tallies_made_),
                                      baseline);
}

// Of what has never been used Redis has said nothing yet.
void SharedLimits::expect_lateness() const {
  for (const Scope& scope : snapshot_->scopes) {
    if (!ScopeTally::shares(scope.compiled())) continue;
    Nanoseconds none = 0;
    scope.meter->taken.lateness.compare_exchange_strong(none, ScopeTally::kLatenessFirst, std::memory_order_relaxed);
  }
}

void SharedLimits::take_snapshot(std::shared_ptr<const Snapshot> snapshot) {
  // What was used until now for the first time has a tally then, and so is told.
  collect();
  survey_.adopt(*snapshot, snapshot_.get());
  std::unordered_map<uint64_t, Tally> known;
  for (auto* const tallies : {&tallies_, &leaving_}) {
    for (Tally& tally : *tallies) {
      if (tally != nullptr) known[tally->identity()] = std::move(tally);
    }
  }
  snapshot_ = std::move(snapshot);
  expect_lateness();
  next_scope_ = 0;
  next_reminder_ = 0;
  tallies_.assign(snapshot_->scopes.size(), nullptr);
  for (size_t i = 0; i < tallies_.size(); ++i) {
    const Scope& scope = snapshot_->scopes[i];
    if (!ScopeTally::shares(scope.compiled())) continue;
    const auto found = known.find(scope.identity);
    if (found != known.end() && found->second->meter() == scope.meter.get()) {
      found->second->set_limits(scope.set);
      tallies_[i] = std::move(found->second);
      known.erase(found);
    } else if (ScopeTally::is_used(*scope.meter)) {
      tallies_[i] = make_tally(scope, ScopeTally::Baseline::of(*scope.meter));
    }
  }
  leaving_.clear();
  for (auto& [identity, tally] : known) leaving_.push_back(std::move(tally));
}

int64_t SharedLimits::wall() const {
  return std::chrono::floor<std::chrono::seconds>(loop_.wall_now()).time_since_epoch().count();
}

void SharedLimits::collect() {
  collected_at_ = now();
  const int64_t wall = this->wall();
  ++collected_;
  for (size_t i = 0; i < tallies_.size(); ++i) {
    Tally& tally = tallies_[i];
    if (tally == nullptr) {
      const Scope& scope = snapshot_->scopes[i];
      if (!ScopeTally::shares(scope.compiled()) || !ScopeTally::is_used(*scope.meter)) continue;
      tally = make_tally(scope, {});
    }
    tally->collect(collected_, collected_at_, wall);
  }
  for (const Tally& tally : leaving_) tally->collect(collected_, collected_at_, wall);
  std::erase_if(leaving_, [](const Tally& tally) { return !tally->untold(); });
}

bool SharedLimits::untold() const {
  const auto is_untold = [](const Tally& tally) { return tally != nullptr && tally->untold(); };
  return std::any_of(tallies_.begin(), tallies_.end(), is_untold) ||
         std::any_of(leaving_.begin(), leaving_.end(), is_untold);
}

// So that use keeps its time while Redis lets an answer wait.
Task<void> SharedLimits::collect_forever() {
  while (true) {
    (void)co_await net::sleep_for(loop_, kCollectInterval);
    if (base::Duration(now() - collected_at_) >= kCollectInterval / 2) collect();
  }
}

Task<void> SharedLimits::tell_until_the_end() {
  auto first_tries = kFirstAnswerLimit / kFirstRetryInterval;
  while (true) {
    const bool is_end = ending_;  // and so nothing is used behind this
    collect();
    const auto told = co_await tell();
    note(told);
    if (is_end && (!told || !untold())) break;
    if (ending_) continue;
    const bool is_awaited = !known_ && first_tries-- > 0;
    if (!told) co_await pause(is_awaited ? kFirstRetryInterval : kRetryInterval);
    if (told && survey_.complete()) co_await pause(kTellInterval);
  }
  loop_.stop();
}

// Cut short by the end.
Task<void> SharedLimits::pause(base::Duration duration) {
  const base::Instant until = loop_.now() + duration;
  while (!ending_ && loop_.now() < until) {
    (void)co_await net::sleep_until(loop_, std::min(until, loop_.now() + kTellInterval));
  }
}

Task<void> SharedLimits::stop_at_limit() {
  (void)co_await net::sleep_for(loop_, kFarewellLimit);
  loop_.stop();
}

void SharedLimits::note(const Result<void>& told) {
  connected_.store(told.has_value(), std::memory_order_relaxed);
  if (!told && !complained_ && options_.report) {
    options_.report("Redis does not answer; every gateway now counts for itself", told.error());
  }
  if (told && complained_ && options_.report) {
    options_.report("Redis answers again; limits are shared", {base::ErrorCode::internal, "recovered"});
  }
  complained_ = !told;
}

void SharedLimits::ask(Nanoseconds now) {
  size_t asked = 0;
  const auto ask_one = [&](const Tally& tally) {
    if (tally == nullptr || !tally->wants(now)) return;
    ScopeTally::ask(tally, now, telling_, questions_);
    ++asked;
  };
  const auto has_room = [&] { return asked < kScopesPerExchangeMax && telling_.commands().size() < kExchangeBytes; };
  for (size_t i = 0; i < leaving_.size() && has_room(); ++i) ask_one(leaving_[i]);
  const size_t count = tallies_.size();
  if (next_scope_ >= count) next_scope_ = 0;
  for (size_t seen = 0; seen < count && has_room(); ++seen) {
    ask_one(tallies_[next_scope_]);
    next_scope_ = next_scope_ + 1 < count ? next_scope_ + 1 : 0;
  }
}

// So that a Redis that has lost a sum gets it back of those who know it, whoever else calls meanwhile.
void SharedLimits::remind(Nanoseconds now) {
  const int64_t wall = this->wall();
  const size_t count = tallies_.size();
  size_t reminded = 0;
  for (size_t seen = 0; seen < count && reminded < kRemindersPerExchangeMax; ++seen) {
    if (telling_.commands().size() >= kExchangeBytes) return;
    if (next_reminder_ >= count) next_reminder_ = 0;
    const Tally& tally = tallies_[next_reminder_++];
    if (tally == nullptr || !tally->wants_reminder(now, wall)) continue;
    ScopeTally::remind(tally, now, telling_, questions_);
    ++reminded;
  }
}

bool SharedLimits::is_survey_needed(const Scope& scope, const Tally& tally, int64_t wall) const {
  const admission::CompiledLimits& limits = scope.compiled();
  if (limits.has_budget && (tally == nullptr || !tally->has_period(wall))) return true;
  return limits.concurrency != 0 && tally == nullptr;
}

void SharedLimits::survey(Nanoseconds now) {
  looks_.clear();
  const int64_t wall = this->wall();
  const auto wants = [&](size_t scope) { return is_survey_needed(snapshot_->scopes[scope], tallies_[scope], wall); };
  if (telling_.commands().size() >= kExchangeBytes) return;
  for (const Survey::Item& item : survey_.next(now, wants)) {
    const Scope& scope = snapshot_->scopes[item.scope];
    for (const std::string& key : ScopeTally::keys_of_others(scope, options_.prefix, wall)) {
      telling_.count_fields(key);
      looks_.push_back({.item = item, .identity = scope.identity});
    }
  }
}

bool SharedLimits::is_at_hand(const Look& look) const {
  const std::vector<Scope>& scopes = snapshot_->scopes;
  return look.item.scope < scopes.size() && scopes[look.item.scope].identity == look.identity;
}

void SharedLimits::put_back_looks() {
  std::vector<Survey::Item> items;
  for (const Look& look : looks_) {
    if (is_at_hand(look)) items.push_back(look.item);
  }
  survey_.put_back(items);
}

// Where others have something a tally asks what, with the next telling.
void SharedLimits::take_survey(const Look& look, const RespValue& answer) {
  if (answer.integer == 0 || !is_at_hand(look)) return;
  const Scope& scope = snapshot_->scopes[look.item.scope];
  Tally& tally = tallies_[look.item.scope];
  if (!is_survey_needed(scope, tally, wall())) return;
  if (scope.compiled().has_budget) admission::roll(*scope.meter, scope.compiled().period, wall());
  if (tally == nullptr) tally = make_tally(scope, {});
}

void SharedLimits::note_known() {
  const auto is_unheard = [](const Tally& tally) { return tally != nullptr && !tally->heard_ever(); };
  if (known_ || !survey_.complete() || std::any_of(tallies_.begin(), tallies_.end(), is_unheard)) return;
  known_ = true;
  on_known_.set_value();
}

Task<Result<void>> SharedLimits::tell() {
  telling_ = {};
  questions_.clear();
  ask(now());
  remind(now());
  survey(now());
  if (telling_.count() == 0) telling_.ping();
  const auto answers = co_await client_.call(telling_.commands(), telling_.count(), options_.timeout);
  if (!answers) {
    put_back_looks();
    co_return base::fail(answers.error());
  }
  Result<void> result;
  for (size_t i = 0; i < answers->size(); ++i) {
    const RespValue& answer = (*answers)[i];
    if (answer.is_error()) {
      // Of this key only: it is told again, and the others are not kept waiting.
      result = base::fail(base::ErrorCode::protocol, "Redis refuses a script");
    } else if (i < questions_.size()) {
      questions_[i].tally->take(questions_[i], answer, now());
    } else if (i - questions_.size() < looks_.size()) {
      take_survey(looks_[i - questions_.size()], answer);
    }
  }
  note_known();
  co_return result;
}

}  // namespace llmgw::control
