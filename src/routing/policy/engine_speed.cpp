#include "routing/policy/engine_speed.h"

#include <algorithm>
#include <bit>

#include "routing/engine/engine_gauges.h"
#include "routing/policy/peak_ewma.h"

namespace llmgw::routing {
namespace {

using base::Instant;

// Until an instance has shown its own: the order of a large model on one accelerator.
constexpr double kTokensPerSecondGuess = 8000;
// What an answer under way costs a new one, in prompt tokens: decoding shares the accelerator.
constexpr double kTokensPerRequest = 16;

// Of so many answers the speed is the mean; of more, a moving average.
constexpr uint32_t kMeanOf = 20;
// Before so many an instance has not shown it: a first answer waits for a connection, too.
constexpr uint32_t kShownAfter = 4;
// After this time without an answer what it has shown counts half.
constexpr double kStaleSeconds = 60;

void learn_speed(std::atomic<uint32_t>& tokens_per_second, double seen, double rate) {
  seen = std::clamp(seen, 1.0, 1e9);
  const uint32_t old = tokens_per_second.load(std::memory_order_relaxed);
  // One answer that had no queue before it after all must not double the estimate.
  const double next = old == 0 ? seen : old + rate * (std::clamp(seen, old * 0.25, old * 4.0) - old);
  tokens_per_second.store(static_cast<uint32_t>(std::max(next, 1.0)), std::memory_order_relaxed);
}

bool has_shown(const InstanceState& state) {
  return state.speeds_seen.load(std::memory_order_relaxed) >= kShownAfter;
}

}  // namespace

double tokens_per_second(const InstanceState& state) {
  const uint32_t learnt = state.tokens_per_second.load(std::memory_order_relaxed);
  return learnt == 0 ? kTokensPerSecondGuess : learnt;
}

uint32_t learnt_speed(const InstanceState& state, const GateState& gate) {
  const uint32_t learnt = state.tokens_per_second.load(std::memory_order_relaxed);
  return learnt != 0 ? learnt : gate.whole_tokens_per_second.load(std::memory_order_relaxed);
}

double tokens_per_second(const InstanceState& state, const GateState& gate) {
  const uint32_t learnt = learnt_speed(state, gate);
  return learnt == 0 ? kTokensPerSecondGuess : learnt;
}

void ComparedSpeeds::add(const InstanceState& state) {
  const uint32_t seen = state.tokens_per_second.load(std::memory_order_relaxed);
  fastest_seen_ = std::max(fastest_seen_, seen);
  if (has_shown(state)) fastest_shown_ = std::max(fastest_shown_, seen);
}

double ComparedSpeeds::of(const InstanceState& state, Instant now) const {
  const double fastest = fastest_shown_ != 0 ? fastest_shown_ : fastest_seen_;
  if (fastest == 0) return kTokensPerSecondGuess;
  const double shown = state.tokens_per_second.load(std::memory_order_relaxed);
  if (shown >= fastest || !has_shown(state)) return fastest;
  const double age = std::chrono::duration<double>(now - PeakEwma::last(state.latency, now)).count();
  const double share = (shown + (fastest - shown) * age / (age + kStaleSeconds)) / fastest;
  // A float's bits grow with its logarithm: one bit of mantissa is a grid of quarters of 1 between 1/2 and 1, of
  // eighths down to 1/4, and so on.
  constexpr uint32_t kStep = uint32_t{1} << 22;
  const auto bits = std::bit_cast<uint32_t>(static_cast<float>(share)) + static_cast<uint32_t>(chance_ * kStep);
  return fastest * double(std::bit_cast<float>(bits & ~(kStep - 1)));
}

double queue_seconds(const InstanceState& state, Instant now, uint32_t weight, double speed) {
  const double sent = std::max(state.requests_in_flight.load(std::memory_order_relaxed), 0);
  const double prompts = std::max(state.prompts_in_flight.load(std::memory_order_relaxed), 0);
  auto tokens = static_cast<double>(std::max<int64_t>(state.tokens_in_flight.load(std::memory_order_relaxed), 0));
  if (prompts > 0) {
    // What is done of the prompt under way, at most all of it: an engine that hangs must not look idle.
    const double passed =
        std::chrono::duration<double>(since_short(state.progress_ms.load(std::memory_order_relaxed), now)).count();
    tokens -= std::clamp(passed * speed, 0.0, tokens / prompts);
  }
  // What others sent there shows in its own queue only.
  const double foreign = foreign_requests(state) * kForeignTokens;
  // Prompts are also those that wait in the gateway.
  return (tokens + foreign + std::max(sent, prompts) * kTokensPerRequest) / speed / std::max(weight, 1U);
}

void note_first_token(InstanceState& state, int64_t computed_tokens, Instant sent, Instant now) {
  // Little work says more about the network than about the engine.
  constexpr int64_t kTokensMin = 512;
  const Instant before = PeakEwma::last(state.latency, now);
  PeakEwma::record(state.latency, now, now - sent);
  const double seconds = std::chrono::duration<double>(now - std::max(sent, before)).count();
  if (computed_tokens < kTokensMin || seconds < 0.005) return;
  const uint32_t answers = std::min<uint32_t>(state.speeds_seen.load(std::memory_order_relaxed) + 1, kMeanOf);
  state.speeds_seen.store(static_cast<uint16_t>(answers), std::memory_order_relaxed);
  learn_speed(state.tokens_per_second, double(computed_tokens) / seconds, 1.0 / answers);
}

void note_whole_answer(GateState& gate, int64_t computed_tokens, uint64_t said, base::Duration took) {
  if (const auto speed = gate.answer_times.note(computed_tokens, said, took)) {
    learn_speed(gate.whole_tokens_per_second, *speed, 1.0 / kMeanOf);
  }
}

}  // namespace llmgw::routing
