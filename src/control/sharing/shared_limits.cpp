#include "control/sharing/shared_limits.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "net/io.h"

namespace llmgw::control {
namespace {

using admission::Nanoseconds;
using base::Result;
using net::Task;
using store::RespValue;

// A window's word in microseconds of Redis's clock: a double, which is what its scripts count in, holds these exactly
// for the next 250 years. Keys are gone a window after they mean nothing. Answers how far the word is ahead of now.
constexpr std::string_view kWindowScript =
    "local t = redis.call('TIME') "
    "local now = t[1] * 1000000 + t[2] "
    "local word = tonumber(redis.call('GET', KEYS[1]) or '0') "
    "if word < now then word = now end "
    "word = word + tonumber(ARGV[1]) "
    "redis.call('SET', KEYS[1], string.format('%.3f', word), 'PX', ARGV[2]) "
    "return string.format('%.3f', word - now)";

// Money of a period, and when to forget it. Where Redis knows nothing (it is new, or has lost its memory), what this
// gateway's own ledger has is better than nothing.
constexpr std::string_view kBudgetScript =
    "redis.call('SET', KEYS[1], ARGV[3], 'NX') "
    "local sum = redis.call('INCRBY', KEYS[1], ARGV[1]) "
    "redis.call('EXPIREAT', KEYS[1], ARGV[2]) "
    "return sum";

constexpr double kNanosecondsPerMicrosecond = 1000.0;
// A limit changed by a reload, or a debt, may make a word lie further ahead than a window.
constexpr int64_t kKeyLife = 10;                  // windows
constexpr int64_t kBudgetKeySeconds = 24 * 3600;  // behind the end of its period
// After so many tellings without use (a second) nobody here needs to know a scope's state.
constexpr uint32_t kIdleTellings = 50;
constexpr base::Duration kRetryInterval = std::chrono::milliseconds(500);

std::string microseconds_text(Nanoseconds time) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3f", static_cast<double>(time) / kNanosecondsPerMicrosecond);
  return text;
}

}  // namespace

SharedLimits::SharedLimits(SharedLimitsOptions options, std::shared_ptr<const Snapshot> snapshot)
    : options_(std::move(options)),
      loop_(net::make_epoll_poller()),
      client_(loop_, options_.address),
      snapshot_(std::move(snapshot)) {
  // What was restored from the ledger has been told by the process that spent it.
  for (const Scope& scope : snapshot_->scopes) {
    if (!scope.compiled().has_budget) continue;
    Told& told = told_[scope.identity];
    told.charged = told.restored = scope.meter->charged.load(std::memory_order_relaxed);
  }
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "shared-limits");
    tasks_.spawn(tell_forever());
    loop_.run();
    tasks_.cancel_all();
  });
}

SharedLimits::~SharedLimits() {
  loop_.stop();
  thread_.join();
}

void SharedLimits::adopt(std::shared_ptr<const Snapshot> snapshot) {
  loop_.post([this, snapshot = std::move(snapshot)]() mutable {
    snapshot_ = std::move(snapshot);
    next_scope_ = 0;
  });
}

Task<void> SharedLimits::tell_forever() {
  while (true) {
    auto told = co_await tell();
    connected_.store(told.has_value(), std::memory_order_relaxed);
    if (!told && !complained_ && options_.report) {
      options_.report("Redis does not answer; every gateway now counts for itself", told.error());
    }
    if (told && complained_ && options_.report) {
      options_.report("Redis answers again; limits are shared", {base::ErrorCode::internal, "recovered"});
    }
    complained_ = !told;
    co_await net::sleep_for(loop_, told ? kTellInterval : kRetryInterval);
  }
}

Task<Result<void>> SharedLimits::tell() {
  const auto snapshot = snapshot_;  // a reload may come while this waits
  commands_.clear();
  questions_.clear();
  size_t asked = 0;
  const size_t count = snapshot->scopes.size();
  if (next_scope_ >= count) next_scope_ = 0;
  for (size_t seen = 0; seen < count && asked < kScopesPerExchangeMax; ++seen) {
    if (ask_scope(static_cast<uint32_t>(next_scope_))) ++asked;
    next_scope_ = next_scope_ + 1 < count ? next_scope_ + 1 : 0;
  }
  // Somebody must notice that Redis is gone, or back.
  if (questions_.empty()) store::append_command(commands_, std::array<std::string_view, 1>{"PING"});
  const auto answers = co_await client_.call(commands_, std::max<size_t>(1, questions_.size()), options_.timeout);
  if (!answers) co_return base::fail(answers.error());
  for (size_t i = 0; i < questions_.size(); ++i) {
    if ((*answers)[i].is_error()) co_return base::fail(base::ErrorCode::protocol, "Redis refuses a script");
    take_answer(*snapshot, questions_[i], (*answers)[i]);
  }
  co_return Result<void>{};
}

std::string SharedLimits::key_of(const Scope& scope, Part part) const {
  static constexpr std::array<std::string_view, 4> kParts = {"tps", "rpm", "tpm", "budget"};
  return options_.prefix + std::string(to_string(scope.kind)) + ":" + std::to_string(scope.identity) + ":" +
         std::string(kParts[static_cast<size_t>(part)]);
}

void SharedLimits::ask_window(uint32_t scope, Part part, Nanoseconds taken, Nanoseconds told, Nanoseconds window) {
  const std::string key = key_of(snapshot_->scopes[scope], part);
  const std::string difference = microseconds_text(taken - told);
  const std::string life = std::to_string(window / 1'000'000 * kKeyLife);
  store::append_command(commands_, std::array<std::string_view, 6>{"EVAL", kWindowScript, "1", key, difference, life});
  questions_.push_back({.scope = scope, .part = part, .told = taken});
}

// What was charged since the last time goes to the period at hand; when that has just begun, so does the little that
// was charged at its end.
void SharedLimits::ask_budget(uint32_t scope, Told& told) {
  const Scope& of = snapshot_->scopes[scope];
  const int64_t end = of.meter->period_end.load(std::memory_order_acquire);
  if (end == 0) return;  // no call yet
  const int64_t charged = of.meter->charged.load(std::memory_order_relaxed);
  const std::string key = key_of(of, Part::budget) + ":" + std::to_string(end);
  const std::string difference = std::to_string(charged - told.charged);
  const std::string life = std::to_string(end + kBudgetKeySeconds);
  if (told.restored_until == 0) told.restored_until = end;
  const std::string restored = std::to_string(end == told.restored_until ? told.restored : 0);
  store::append_command(commands_,
                        std::array<std::string_view, 7>{"EVAL", kBudgetScript, "1", key, difference, life, restored});
  questions_.push_back({.scope = scope, .part = Part::budget, .told = charged, .period_end = end});
}

// Whether there was anything to ask: the scope was used lately.
bool SharedLimits::ask_scope(uint32_t scope) {
  const Scope& of = snapshot_->scopes[scope];
  const admission::CompiledLimits& limits = of.compiled();
  if (!limits.limits_requests() && limits.tokens_per_minute == 0 && !limits.has_budget) return false;
  Told& told = told_[of.identity];
  const auto& taken = of.meter->taken;
  const Nanoseconds second = taken.second.load(std::memory_order_relaxed);
  const Nanoseconds minute = taken.minute.load(std::memory_order_relaxed);
  const Nanoseconds tokens = taken.tokens.load(std::memory_order_relaxed);
  const bool used = second != told.second || minute != told.minute || tokens != told.tokens ||
                    of.meter->charged.load(std::memory_order_relaxed) != told.charged;
  told.idle = used ? 0 : told.idle + 1;
  if (told.idle > kIdleTellings) return false;
  if (limits.second.window != 0) ask_window(scope, Part::second, second, told.second, limits.second.window);
  if (limits.minute.window != 0) ask_window(scope, Part::minute, minute, told.minute, limits.minute.window);
  if (limits.tokens_per_minute != 0) ask_window(scope, Part::tokens, tokens, told.tokens, admission::kMinute);
  if (limits.has_budget) ask_budget(scope, told);
  return true;
}

void SharedLimits::take_answer(const Snapshot& snapshot, const Question& question, const RespValue& answer) {
  const Scope& of = snapshot.scopes[question.scope];
  Told& told = told_[of.identity];
  admission::Meter& meter = *of.meter;
  if (question.part == Part::budget) {
    told.charged = question.told;
    // All have spent `sum`, this process counts `charged`: the mark makes the difference what they have spent.
    if (meter.period_end.load(std::memory_order_acquire) == question.period_end) {
      meter.charged_before.store(question.told - answer.integer, std::memory_order_release);
    }
    return;
  }
  double ahead = 0;
  const char* const end = answer.text.data() + answer.text.size();
  if (std::from_chars(answer.text.data(), end, ahead).ec != std::errc()) return;
  const auto nanoseconds = static_cast<Nanoseconds>(ahead * kNanosecondsPerMicrosecond);
  const Nanoseconds now = loop_.precise_now().time_since_epoch().count();
  const auto follow = [&](std::atomic<Nanoseconds>& word, const std::atomic<Nanoseconds>& taken, Nanoseconds& last) {
    last = question.told;
    admission::cell::follow(word, taken, question.told, nanoseconds, now);
  };
  switch (question.part) {
    case Part::second: return follow(meter.second_word, meter.taken.second, told.second);
    case Part::minute: return follow(meter.minute_word, meter.taken.minute, told.minute);
    default: return follow(meter.token_word, meter.taken.tokens, told.tokens);
  }
}

}  // namespace llmgw::control
