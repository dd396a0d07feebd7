// Whether an instance is fit to be called, as a state machine in one 64-bit word, so that workers share it by
// compare-and-exchange. Pure: time is an argument. The states:
//
//   up        counts outcomes; out after `failures_out` failures in a row, or by ratio over a window of outcomes
//   doubted   up after a failure that was not enough for out: others are better for a second, twice as long with each
//             trial that fails, up to `out`; then a call may try it as if nothing had been; success: up
//   out       until a moment; then whoever asks first becomes the probe (half-open)
//   probing   one request is under way; success: ramp, failure: out for twice as long, up to `out_max`
//   ramp      takes a growing share of its traffic until `ramp` is over, then up; one failure: out
//
// Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/time.h"

namespace llmgw::routing {

enum class HealthState : uint8_t { up, out, probing, ramp, doubted };
std::string_view to_string(HealthState state);

struct HealthOptions {
  uint32_t failures_out = 1;  // in a row; 0: never by count
  double failure_ratio = 0;   // of the last outcomes; 0: never by ratio
  base::Duration out = std::chrono::seconds(60);
  base::Duration out_max = std::chrono::minutes(10);
  base::Duration ramp = std::chrono::seconds(30);
};

// Outcomes a ratio is taken over: enough to mean something, few enough to act.
inline constexpr uint32_t kRatioOutcomesMin = 10;
inline constexpr uint32_t kRatioOutcomesMax = 100;
// A probe whose request never came back (its worker died) must not keep the instance out for ever.
inline constexpr base::Duration kProbeTime = std::chrono::minutes(2);

// How long an instance is doubted after the first failure.
inline constexpr base::Duration kDoubtTime = std::chrono::seconds(1);

// `doubted`: better another one, but none better than no answer. `trial`: the same, but it is time to try it.
enum class Admission : uint8_t { no, yes, probe, doubted, trial };

// What may be asked of an instance at `now`; `chance` is uniform in [0, 1) and decides during the ramp. Changes
// nothing: begin_probe() does. Reads the health, and no pause.
Admission admission(const std::atomic<uint64_t>& health, base::Instant now, const HealthOptions& options,
                    double chance);
// True for the one caller that may probe.
bool begin_probe(std::atomic<uint64_t>& health, base::Instant now);
// Before a call goes to one that is doubted: its success will clear it, its failure lengthen the doubt. False: somebody
// else has begun the trial that was due, so choose again.
bool begin_trial(std::atomic<uint64_t>& health, base::Instant now, const HealthOptions& options);
// Tells an outcome. Returns the state after it.
HealthState note_success(std::atomic<uint64_t>& health, base::Instant now, const HealthOptions& options);
HealthState note_failure(std::atomic<uint64_t>& health, base::Instant now, const HealthOptions& options);
// A probe that ended without an outcome (the client left): the next caller may probe at once.
void abandon_probe(std::atomic<uint64_t>& health, base::Instant now);
// How long nobody is to ask it; 0: it may be asked, or is being probed.
base::Duration out_left(const std::atomic<uint64_t>& health, base::Instant now);
// What kept it out, or let it be doubted, is over: the next caller may probe or try it at once.
void end_out(std::atomic<uint64_t>& health, base::Instant now);
// For status pages: the state at `now`; what is due counts as done.
HealthState health_state(const std::atomic<uint64_t>& health, base::Instant now, const HealthOptions& options);

}  // namespace llmgw::routing
