#include "routing/health/health.h"

#include <algorithm>
#include <array>
#include <bit>

namespace llmgw::routing {
namespace {

using base::Duration;
using base::Instant;

// 2 + 2 + 39 + 1 + 5 + 7 + 8 bits. Moments are milliseconds of the loops' clock: 17 years.
struct Word {
  uint64_t state : 2 = 0;
  uint64_t row : 2 = 0;        // failures in a row below the limit, saturating
  uint64_t at_ms : 39 = 0;     // out: until; probing and ramp: since; up: doubted until
  uint64_t tried : 1 = 0;      // up: a call was sent there in spite of the doubt
  uint64_t doublings : 5 = 0;  // up: 0 is no doubt
  uint64_t failures : 7 = 0;   // of `outcomes`
  uint64_t outcomes : 8 = 0;

  HealthState get() const { return static_cast<HealthState>(state); }
  void set(HealthState to) { state = static_cast<uint64_t>(to) & 3; }
  bool doubted() const { return get() == HealthState::up && doublings != 0; }
};
static_assert(sizeof(Word) == sizeof(uint64_t));

constexpr uint64_t kMomentMax = (uint64_t{1} << 39) - 1;
constexpr uint64_t kDoublingsMax = 20;  // a minute doubled so often is two years
constexpr uint32_t kRowMax = 3;         // as far as the word counts

uint64_t in_ms(Instant at) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
  return std::clamp<uint64_t>(static_cast<uint64_t>(std::max<int64_t>(ms, 0)), 0, kMomentMax);
}

uint64_t in_ms(Duration time) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

Word load(const std::atomic<uint64_t>& health) {
  return std::bit_cast<Word>(health.load(std::memory_order_relaxed));
}

// Time has passed: a ramp that is over is up, a lost probe is due again.
Word current(Word word, uint64_t now_ms, const HealthOptions& options) {
  if (word.get() == HealthState::ramp && now_ms >= word.at_ms + in_ms(options.ramp)) return Word{};
  if (word.get() == HealthState::probing && now_ms >= word.at_ms + in_ms(kProbeTime)) {
    word.set(HealthState::out);
    word.at_ms = now_ms;
  }
  return word;
}

// After so many doublings of `time`.
uint64_t moment_after(uint64_t now_ms, uint64_t time, uint64_t doublings, uint64_t longest) {
  return std::min(now_ms + std::min(time << std::min(doublings, kDoublingsMax), longest), kMomentMax);
}

Word put_out(Word word, uint64_t now_ms, const HealthOptions& options) {
  const uint64_t time = in_ms(options.out);
  const uint64_t before = word.doubted() ? 0 : word.doublings;
  Word out{.at_ms = moment_after(now_ms, time, before, std::max(in_ms(options.out_max), time))};
  out.doublings = std::min<uint64_t>(before + 1, kDoublingsMax);
  out.set(HealthState::out);
  return out;
}

uint64_t doubted_until(uint64_t now_ms, uint64_t doublings, const HealthOptions& options) {
  return moment_after(now_ms, in_ms(kDoubtTime), doublings, in_ms(options.out));
}

Word doubt(Word word, uint64_t now_ms, const HealthOptions& options) {
  if (word.doubted() && now_ms < word.at_ms && word.tried == 0) return word;  // a request of before
  word.at_ms = doubted_until(now_ms, word.doublings, options);
  word.doublings = std::min<uint64_t>(word.doublings + 1, kDoublingsMax);
  word.tried = 0;
  return word;
}

void count(Word& word, bool failed) {
  if (word.outcomes >= kRatioOutcomesMax) {
    word.outcomes /= 2;
    word.failures /= 2;
  }
  ++word.outcomes;
  if (failed) ++word.failures;
}

Word after_success(Word word, uint64_t now_ms, const HealthOptions& options) {
  if (word.get() == HealthState::probing || word.get() == HealthState::out) {
    Word ramp{.at_ms = now_ms};
    ramp.doublings = word.doublings;
    ramp.set(HealthState::ramp);
    return ramp;
  }
  if (word.get() == HealthState::up) {
    word.row = 0;
    // Answers that had begun before it failed say nothing of what comes now.
    if (word.tried != 0) word.tried = word.doublings = word.at_ms = 0;
    // Where nobody asks for the ratio, a success writes nothing: the line stays with all workers.
    if (options.failure_ratio > 0) count(word, false);
  }
  return word;
}

Word after_failure(Word word, uint64_t now_ms, const HealthOptions& options) {
  if (word.get() == HealthState::out) return word;  // a request of before
  if (word.get() != HealthState::up) return put_out(word, now_ms, options);
  if (options.failure_ratio > 0) count(word, true);
  const uint32_t row = static_cast<uint32_t>(word.row) + 1;
  word.row = std::min(row, kRowMax);
  const bool by_count = options.failures_out != 0 && row >= std::min(options.failures_out, kRowMax + 1);
  const bool by_ratio = options.failure_ratio > 0 && word.outcomes >= kRatioOutcomesMin &&
                        double(word.failures) >= options.failure_ratio * double(word.outcomes);
  return by_count || by_ratio ? put_out(word, now_ms, options) : doubt(word, now_ms, options);
}

template <class Step>
HealthState change(std::atomic<uint64_t>& health, Instant now, const HealthOptions& options, Step step) {
  const uint64_t now_ms = in_ms(now);
  uint64_t seen = health.load(std::memory_order_relaxed);
  for (;;) {
    const Word next = step(current(std::bit_cast<Word>(seen), now_ms, options), now_ms, options);
    const auto wanted = std::bit_cast<uint64_t>(next);
    if (wanted == seen || health.compare_exchange_weak(seen, wanted, std::memory_order_relaxed)) return next.get();
  }
}

}  // namespace

std::string_view to_string(HealthState state) {
  static constexpr std::array<std::string_view, 5> kNames{"up", "out", "probing", "ramp", "doubted"};
  return kNames[static_cast<size_t>(state)];
}

Admission admission(const std::atomic<uint64_t>& health, Instant now, const HealthOptions& options, double chance) {
  const uint64_t bits = health.load(std::memory_order_relaxed);
  Word word = std::bit_cast<Word>(bits);
  if (word.get() == HealthState::up && !word.doubted()) [[likely]]
    return Admission::yes;
  const uint64_t now_ms = in_ms(now);
  word = current(word, now_ms, options);
  if (word.doubted()) return now_ms >= word.at_ms ? Admission::trial : Admission::doubted;
  switch (word.get()) {
    case HealthState::doubted:
    case HealthState::up: return Admission::yes;
    case HealthState::out: return now_ms >= word.at_ms ? Admission::probe : Admission::no;
    case HealthState::probing: return Admission::no;
    case HealthState::ramp: {
      // From a tenth of its share to all of it.
      const double passed = double(now_ms - std::min<uint64_t>(word.at_ms, now_ms)) / double(in_ms(options.ramp));
      return chance < 0.1 + 0.9 * passed ? Admission::yes : Admission::no;
    }
  }
  return Admission::no;
}

bool begin_probe(std::atomic<uint64_t>& health, Instant now) {
  const uint64_t now_ms = in_ms(now);
  uint64_t seen = health.load(std::memory_order_relaxed);
  Word word = std::bit_cast<Word>(seen);
  const bool lost = word.get() == HealthState::probing && now_ms >= word.at_ms + in_ms(kProbeTime);
  if (!lost && (word.get() != HealthState::out || now_ms < word.at_ms)) return false;
  word.set(HealthState::probing);
  word.at_ms = now_ms;
  return health.compare_exchange_strong(seen, std::bit_cast<uint64_t>(word), std::memory_order_relaxed);
}

bool begin_trial(std::atomic<uint64_t>& health, Instant now, const HealthOptions& options) {
  const uint64_t now_ms = in_ms(now);
  uint64_t seen = health.load(std::memory_order_relaxed);
  Word word = std::bit_cast<Word>(seen);
  if (!word.doubted()) return true;
  // Others leave it alone while the trial goes on.
  const bool due = now_ms >= word.at_ms;
  if (due) word.at_ms = doubted_until(now_ms, word.doublings - 1, options);
  word.tried = 1;
  const auto wanted = std::bit_cast<uint64_t>(word);
  return wanted == seen || health.compare_exchange_strong(seen, wanted, std::memory_order_relaxed) || !due;
}

HealthState note_success(std::atomic<uint64_t>& health, Instant now, const HealthOptions& options) {
  return change(health, now, options, after_success);
}

HealthState note_failure(std::atomic<uint64_t>& health, Instant now, const HealthOptions& options) {
  return change(health, now, options, after_failure);
}

void abandon_probe(std::atomic<uint64_t>& health, Instant now) {
  uint64_t seen = health.load(std::memory_order_relaxed);
  Word word = std::bit_cast<Word>(seen);
  if (word.get() != HealthState::probing) return;
  word.set(HealthState::out);
  word.at_ms = in_ms(now);
  health.compare_exchange_strong(seen, std::bit_cast<uint64_t>(word), std::memory_order_relaxed);
}

Duration out_left(const std::atomic<uint64_t>& health, Instant now) {
  const Word word = load(health);
  const uint64_t now_ms = in_ms(now);
  if (word.get() != HealthState::out || word.at_ms <= now_ms) return Duration::zero();
  return std::chrono::milliseconds(word.at_ms - now_ms);
}

void end_out(std::atomic<uint64_t>& health, Instant now) {
  uint64_t seen = health.load(std::memory_order_relaxed);
  Word word = std::bit_cast<Word>(seen);
  if ((word.get() != HealthState::out && !word.doubted()) || word.at_ms <= in_ms(now)) return;
  word.at_ms = in_ms(now);
  health.compare_exchange_strong(seen, std::bit_cast<uint64_t>(word), std::memory_order_relaxed);
}

HealthState health_state(const std::atomic<uint64_t>& health, Instant now, const HealthOptions& options) {
  const Word word = current(load(health), in_ms(now), options);
  return word.doubted() ? HealthState::doubted : word.get();
}

}  // namespace llmgw::routing
