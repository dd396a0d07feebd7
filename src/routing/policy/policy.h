// The choice of an instance for a call, by any policy: pure but for reading the shared states and the worker's random
// numbers. No allocation once the scratch has grown.
//
// Priority comes before policy: only the instances of the lowest number that has one fit to be called are looked at.
// One that comes back takes a growing share of calls by a draw, and those for which no other is fit. Where none is, the
// last resort takes the one that will be fit soonest, or none.
//
// An instance whose last call failed, and that is not out for it, is doubted (health/health.h): it is chosen after all
// of its priority that are not, and after waiting for one of them; a call that has failed already goes to one that is
// not doubted first, whatever its priority. When it is time to try it again it is looked at like the others, by so few
// calls that at most about a tenth of all are such trials however many instances are ill, and by none that has failed.
//
// The default, `adaptive`, counts in seconds of prompt computation: queue is the uncached tokens in flight at an
// instance, miss the tokens of this prompt that it has not cached, both over its speed (engine_speed.h). Where shorter
// prompts go first a new call goes before those that wait already, so its miss delays them, too; a third of them are
// still there when it is its turn. Of the instances that hold nearly the longest part of the prompt it takes the one
// with the least
//
//   delay = queue + miss × (1 + calls that wait / 3)
//
// and leaves it for the one of the least delay of all only if that gains more than
//
//   (4 + 20 × mean queue) × the miss that is added
//
// and where nothing is in flight, 4 times that: what is computed again drives something else out of the cache. What
// calls have lost by staying with the same cached part counts half until one leaves, so that what many ask for is
// copied (ski rental), and what nobody else asks for is not. Where shorter prompts go first, only what goes before this
// one is counted as its wait. An idle fleet answers where a free instance is; in a busy one every token computed twice
// delays all that wait behind it, so the price grows with the queues until calls wait for the warm instance.
// docs/routing.md has the measurements behind the numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "routing/health/health.h"
#include "routing/load/instance_table.h"
#include "routing/policy/engine_speed.h"
#include "routing/policy/policy_kind.h"
#include "routing/prefix/prefix_index.h"
#include "routing/queue/gate.h"
#include "routing/session/session_table.h"

namespace llmgw::routing {

struct Candidate {
  Slot slot = 0;               // load, cache and health of the instance
  Slot model_slot = kUnknown;  // health of this model there; kUnknown: only the instance's
  uint32_t priority = 1;       // lower is better
  uint32_t weight = 1;         // 0: nothing but as a last resort
  float price = 0;             // of a typical call, any unit; unknown is the dearest
  GateLimits gate = {};        // what it is given at a time
  bool excluded = false;       // tried before by this call, or not the kind it needs

  // Whether `is` holds for the slot of the instance or that of this model there.
  template <class Is>  // bool(Slot)
  bool either(Is is) const {
    return is(slot) || (model_slot != kUnknown && is(model_slot));
  }
};

struct Settings {
  PolicyKind policy = PolicyKind::adaptive;
  HealthOptions health;
  bool sticky = false;  // a session stays on its instance while that is fit, and is pinned anew when it is not
  base::Duration session_lifetime = std::chrono::hours(1);
  bool last_resort = true;      // all are out: try one rather than refuse
  bool waits = false;           // where all that are fit have as many calls as they may: one that is, to wait for
  double shortest_first_s = 0;  // in lines longer than this shorter prompts go first; 0: in none
};

struct Ask {
  base::Instant now = {};
  uint32_t prompt_tokens = 0;
  uint32_t block_tokens = 256;            // tokens a block of `blocks` stands for
  std::span<const uint64_t> blocks = {};  // chain of hashes; empty: nothing is known of the prompt
  uint64_t session = 0;                   // hash of what binds calls together; 0: nothing does
  base::Duration cache_lifetime = PrefixIndex::kForEver;
  bool again = false;  // it has failed already: nothing is tried with it
};

// Why an instance is not taken.
enum class Fitness : uint8_t { fit, probe, excluded, out, paused, full, doubted, trial };
std::string_view to_string(Fitness fitness);

// One line of an explanation.
struct Score {
  uint32_t candidate = 0;
  Fitness fitness = Fitness::fit;
  bool considered = false;  // of the priority that was looked at
  bool compared = false;    // by its cost; the policy may pass it over, or choose by something else
  double cost = 0;          // of one that was compared, in the policy's own unit: less is better
  double queue = 0;         // of one that was considered, in seconds: of those that cost the same the shorter one
  uint32_t cached_tokens = 0;
  int64_t tokens_in_flight = 0;
  int32_t requests_in_flight = 0;  // and waiting for it
};

struct Choice {
  uint32_t candidate = 0;
  uint32_t cached_tokens = 0;    // expected
  uint32_t uncached_tokens = 0;  // for the lease
  bool probe = false;            // the caller must tell the outcome or abandon_probe()
  bool trial = false;            // of one that is doubted: the caller must ask begin_trial()
  bool last_resort = false;
  bool pinned = false;  // by its session
};

// One a worker; one thread. The table and the index outlive it.
class Chooser {
 public:
  Chooser(const InstanceTable& instances, const PrefixIndex& index, SessionTable& sessions, base::Rng& rng);

  // Nothing: no candidate is fit and there is no last resort. `explanation` gets a line a candidate.
  std::optional<Choice> choose(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask,
                               std::vector<Score>* explanation = nullptr);

 private:
  struct View {
    uint32_t index = 0;
    Fitness fitness = Fitness::fit;
    uint32_t cached = 0;
    uint32_t miss = 0;
    float queue = 0;   // seconds
    float wait = 0;    // of it, what goes before this call
    float work = 0;    // seconds
    float behind = 0;  // calls that would wait for it
  };
  int64_t requests_at(const Candidate& candidate) const;
  bool paused(const Candidate& candidate, base::Instant now) const;
  bool asked_for_pause(const Candidate& candidate, base::Instant now) const;
  Fitness fitness(const Settings& settings, const Candidate& candidate, base::Instant now);
  bool collect(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask, uint32_t priority);
  void settle_doubts(const Ask& ask);
  bool collect_best(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask);
  bool collect_any(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask);
  void estimate(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask);
  double overtaken_seconds(const Candidate& candidate, uint32_t tokens, double speed) const;
  double cost(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask, const View& view) const;
  // Of all of views_.
  struct Field {
    double mean_queue = 0;
    uint32_t warmest = 0;  // tokens
  };
  Field field() const;
  std::optional<double> compared(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask,
                                 const View& view, const Field& all) const;
  std::optional<size_t> pinned(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask) const;
  size_t pick(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask);
  size_t pick_cheapest(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask);
  // What it is to leave the warm instance: it must gain more than the price less the regret.
  struct Leaving {
    size_t to = 0;      // of views_; the warm one: nobody answers sooner
    double price = 0;   // all in seconds
    double lost = 0;    // by calls before that stayed
    double regret = 0;  // what of it counts
  };
  Leaving leaving(std::span<const Candidate> candidates, const Ask& ask, size_t warm, double mean_queue) const;
  size_t leave_if_better(std::span<const Candidate> candidates, const Ask& ask, size_t warm, double mean_queue);
  double leaving_cost(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask,
                      const Field& all) const;
  size_t pick_weighted(std::span<const Candidate> candidates, double at) const;
  std::optional<size_t> resort(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask);
  void explain(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask,
               std::vector<Score>& lines);

  const InstanceTable& instances_;
  const PrefixIndex& index_;
  SessionTable& sessions_;
  base::Rng& rng_;
  PrefixHits hits_;
  std::vector<View> views_;
  // What calls have lost by staying where their prompts are cached, by the last block of what is.
  struct Regret {
    uint32_t tag = 0;
    uint32_t at_ms = 0;
    double seconds = 0;
  };
  static constexpr size_t kRegrets = 1024;
  static size_t regret_place(uint64_t block) { return block % kRegrets; }
  std::vector<Regret> regrets_ = std::vector<Regret>(kRegrets);
  uint64_t turn_ = 0;
  bool full_is_fit_ = false;
  bool doubted_is_fit_ = false;
  bool returning_is_fit_ = false;  // whatever its ramp says
  bool doubts_ = false;            // of the priority looked at last, one is doubted
  double trial_draw_ = 0;          // of this call; negative: not drawn yet
};

}  // namespace llmgw::routing
