#include "routing/policy/policy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "routing/engine/engine_gauges.h"
#include "routing/load/pause.h"
#include "routing/policy/peak_ewma.h"

namespace llmgw::routing {
namespace {

using base::Instant;

// See policy.h.
constexpr double kMovePrice = 4;
constexpr double kMovePricePerMeanQueue = 20;
// Of the calls that wait where a new one goes before them, so many are still there when it is its turn.
constexpr double kBehindShare = 0.33;
// Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016): so many times the mean and no more.
constexpr double kLoadBound = 1.25;
constexpr double kLoadSlack = 0.05;  // seconds: an idle fleet has no mean to speak of
// A share of the prompt that is worth a preference.
constexpr double kWarmShare = 0.9;
// Of what calls before have lost, this counts, and is forgotten by e in this time.
constexpr double kRegretShare = 0.5;
constexpr double kRegretSeconds = 10;
// Of all calls, those that may try instances that have just failed: half of what may be tried again (retry_budget.h).
constexpr double kTrialShare = 0.1;

// Groups up to this size are looked at as a whole: some microseconds.
constexpr size_t kScannedMax = 256;
constexpr size_t kSampled = 128;

// Whether any large enough part of a group does.
bool may_sample(PolicyKind policy) {
  switch (policy) {
    case PolicyKind::adaptive:
    case PolicyKind::prefix:
    case PolicyKind::least_tokens:
    case PolicyKind::least_requests:
    case PolicyKind::power_of_two:
    case PolicyKind::latency: return true;
    default: return false;
  }
}

double mixed_unit(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a ^ 0x9E3779B97F4A7C15) * (b ^ 0xD6E8FEB86659FD93);
  uint64_t folded = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  folded *= 0xC2B2AE3D27D4EB4F;
  folded ^= folded >> 29;
  return double(folded >> 11) * 0x1p-53;
}

// What a call costs itself and those that wait there, in seconds.
template <class View>
double delay(const View& view) {
  return double(view.wait) + double(view.work) * (1 + double(view.behind));
}

// Of what the instance's health says and what the model's there does.
Admission worse(Admission a, Admission b) {
  static constexpr std::array kFromBest{Admission::yes, Admission::probe, Admission::trial, Admission::doubted,
                                        Admission::no};
  return std::ranges::find(kFromBest, a) < std::ranges::find(kFromBest, b) ? b : a;
}

bool uses_prefix(PolicyKind policy) {
  return policy == PolicyKind::adaptive || policy == PolicyKind::prefix;
}

}  // namespace

std::optional<PolicyKind> policy_by_name(std::string_view name) {
  const auto* const found = std::ranges::find(kPolicyNames, name);
  if (found == kPolicyNames.end()) return std::nullopt;
  return static_cast<PolicyKind>(found - kPolicyNames.begin());
}

std::string_view to_string(Fitness fitness) {
  static constexpr std::array<std::string_view, 8> kWords{"fit",    "probe", "excluded", "out",
                                                          "paused", "full",  "doubted",  "trial"};
  return kWords[static_cast<size_t>(fitness)];
}

Chooser::Chooser(const InstanceTable& instances, const PrefixIndex& index, SessionTable& sessions, base::Rng& rng)
    : instances_(instances), index_(index), sessions_(sessions), rng_(rng), hits_(instances.capacity()) {}

// Calls at an instance, and those that wait for it.
int64_t Chooser::requests_at(const Candidate& candidate) const {
  const int64_t sent = instances_.state(candidate.slot).requests_in_flight.load(std::memory_order_relaxed);
  if (!candidate.gate.any()) return sent;
  return sent + instances_.gate(candidate.slot).waiting_requests.load(std::memory_order_relaxed);
}

bool Chooser::paused(const Candidate& candidate, Instant now) const {
  return candidate.either([&](Slot slot) { return pause_left(instances_.state(slot), now) > base::Duration::zero(); });
}

// And said until when: that is kept to, whatever becomes of the others.
bool Chooser::asked_for_pause(const Candidate& candidate, Instant now) const {
  return candidate.either([&](Slot slot) {
    const InstanceState& state = instances_.state(slot);
    return pause_left(state, now) > base::Duration::zero() && pause_kind(state) == PauseKind::asked;
  });
}

Fitness Chooser::fitness(const Settings& settings, const Candidate& candidate, Instant now) {
  if (candidate.excluded || candidate.weight == 0) return Fitness::excluded;
  const InstanceState& state = instances_.state(candidate.slot);
  auto admitted = Admission::yes;
  const auto ask = [&](const InstanceState& asked) {
    // Nothing has ever happened to most: no need for a random number.
    if (admitted == Admission::no || admitted == Admission::probe || asked.health.load(std::memory_order_relaxed) == 0)
      return;
    const double chance = returning_is_fit_ ? 0 : rng_.uniform();
    admitted = worse(admitted, admission(asked.health, now, settings.health, chance));
  };
  ask(state);
  if (candidate.model_slot != kUnknown) ask(instances_.state(candidate.model_slot));
  if (admitted == Admission::no) return Fitness::out;
  if (paused(candidate, now)) return Fitness::paused;
  if (candidate.gate.any() && !full_is_fit_) {
    const uint32_t most = requests_limit(instances_.gate(candidate.slot), candidate.gate);
    if (most != 0 && requests_at(candidate) >= static_cast<int64_t>(most)) return Fitness::full;
  }
  switch (admitted) {
    case Admission::probe: return Fitness::probe;
    case Admission::doubted: return Fitness::doubted;
    case Admission::trial: return Fitness::trial;
    default: return Fitness::fit;
  }
}

// The fit ones of a priority into views_; where there are none, and none is worth waiting for, those that are doubted.
bool Chooser::collect(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask,
                      uint32_t priority) {
  // Of a very large group a sample, and all that have more of the prompt than everybody: the best of so many at random
  // is hardly worse than the best of all.
  const bool sample = candidates.size() > kScannedMax && may_sample(settings.policy);
  const size_t start = sample ? rng_.below(candidates.size()) : 0;
  size_t enough = kSampled;
  bool full = false;
  views_.clear();
  doubts_ = false;
  const auto look = [&](bool doubted) {
    for (size_t n = 0; n < candidates.size(); ++n) {
      const size_t i = start + n < candidates.size() ? start + n : start + n - candidates.size();
      const Candidate& candidate = candidates[i];
      if (candidate.priority != priority) continue;
      if (sample && views_.size() >= enough && hits_.of(candidate.slot) <= hits_.shared()) continue;
      const Fitness fit = fitness(settings, candidate, ask.now);
      full |= fit == Fitness::full;
      doubts_ |= fit == Fitness::doubted || fit == Fitness::trial;
      const bool wanted = fit == Fitness::fit || fit == Fitness::probe || fit == Fitness::trial;
      if (!wanted && !(doubted && fit == Fitness::doubted)) continue;
      views_.push_back({.index = static_cast<uint32_t>(i), .fitness = fit});
      if (fit == Fitness::trial) ++enough;
    }
  };
  look(false);
  if (doubts_) settle_doubts(ask);
  if (!views_.empty() || !doubts_ || !doubted_is_fit_ || (full && settings.waits)) return !views_.empty();
  look(true);
  const auto is_due = [](const View& view) { return view.fitness == Fitness::trial; };
  if (std::ranges::any_of(views_, is_due)) std::erase_if(views_, std::not_fn(is_due));
  return !views_.empty();
}

// Whether those that it is time to try are looked at. If all were alike, a call would choose one of them as often as
// they are many among all; so seldom do they come among all that a tenth of the calls choose one.
void Chooser::settle_doubts(const Ask& ask) {
  const auto due =
      static_cast<size_t>(std::ranges::count(views_, Fitness::trial, [](const View& view) { return view.fitness; }));
  if (due == 0) return;
  if (trial_draw_ < 0) trial_draw_ = rng_.uniform();
  if (!ask.again && trial_draw_ * double(due) < kTrialShare * double(views_.size())) return;
  std::erase_if(views_, [](const View& view) { return view.fitness == Fitness::trial; });
}

// Those of the best priority that has any.
bool Chooser::collect_best(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask) {
  uint32_t priority = UINT32_MAX;
  for (const Candidate& candidate : candidates) priority = std::min(priority, candidate.priority);
  while (!collect(settings, candidates, ask, priority)) {
    uint32_t next = UINT32_MAX;
    for (const Candidate& candidate : candidates) {
      if (candidate.priority > priority) next = std::min(next, candidate.priority);
    }
    if (next == UINT32_MAX) return false;
    priority = next;
  }
  return true;
}

// Priority comes before doubt, but for a call that has failed already: it goes to one that is well, whatever its
// priority.
bool Chooser::collect_any(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask) {
  trial_draw_ = -1;
  for (const bool doubted : {false, true}) {
    if (!doubted && !ask.again) continue;
    doubted_is_fit_ = doubted;
    for (const bool full : {false, true}) {
      full_is_fit_ = full;
      if ((!full || settings.waits) && collect_best(settings, candidates, ask)) return true;
    }
  }
  return false;
}

// Of what waits there, that which goes after a prompt of so many tokens: longer ones.
double Chooser::overtaken_seconds(const Candidate& candidate, uint32_t tokens, double speed) const {
  const GateState& gate = instances_.gate(candidate.slot);
  if (gate.waiting_requests.load(std::memory_order_relaxed) <= 0) return 0;
  int64_t longer = 0;
  for (size_t i = size_class(tokens) + 1; i < GateState::kSizes; ++i) {
    longer += std::max<int64_t>(gate.waiting_by_size[i].load(std::memory_order_relaxed), 0);
  }
  return double(longer) / speed / std::max(candidate.weight, 1U);
}

void Chooser::estimate(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask) {
  ComparedSpeeds speeds(rng_.uniform());
  double foreign = 0;
  double told = 0;
  for (const View& view : views_) {
    const InstanceState& state = instances_.state(candidates[view.index].slot);
    speeds.add(state);
    if (state.waiting.load(std::memory_order_relaxed) > kGaugeMax) continue;
    foreign += foreign_requests(state);
    ++told;
  }
  const double peers_foreign = told == 0 ? 0 : foreign / told;
  for (View& view : views_) {
    const Candidate& candidate = candidates[view.index];
    const InstanceState& state = instances_.state(candidate.slot);
    const double speed = speeds.of(state, ask.now);
    const uint64_t cached = uint64_t{hits_.of(candidate.slot)} * ask.block_tokens;
    view.cached = static_cast<uint32_t>(std::min<uint64_t>(cached, ask.prompt_tokens));
    view.miss = ask.prompt_tokens - view.cached;
    double queue = queue_seconds(state, ask.now, candidate.weight, speed);
    // One that does not say how many wait there is not idle for that: no less than its peers.
    if (is_silent(state.waiting.load(std::memory_order_relaxed))) {
      queue += std::max(peers_foreign - foreign_requests(state), 0.0) * kForeignTokens / speed /
               std::max(candidate.weight, 1U);
    }
    view.queue = static_cast<float>(queue);
    view.wait = view.queue;
    if (settings.shortest_first_s > 0 && view.queue > settings.shortest_first_s) {
      view.wait = std::max(static_cast<float>(settings.shortest_first_s),
                           view.queue - static_cast<float>(overtaken_seconds(candidate, view.miss, speed)));
    }
    view.work = static_cast<float>(view.miss / speed);
    if (candidate.gate.any() && settings.shortest_first_s > 0 && view.queue > settings.shortest_first_s) {
      const auto waiting = instances_.gate(candidate.slot).waiting_requests.load(std::memory_order_relaxed);
      view.behind = static_cast<float>(kBehindShare * std::max(waiting, 0));
    }
  }
}

double Chooser::cost(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask,
                     const View& view) const {
  const Candidate& candidate = candidates[view.index];
  const InstanceState& state = instances_.state(candidate.slot);
  const double weight = std::max(candidate.weight, 1U);
  const auto requests = static_cast<double>(requests_at(candidate));
  switch (settings.policy) {
    case PolicyKind::adaptive: return delay(view);
    case PolicyKind::prefix: return view.wait + view.work;
    case PolicyKind::least_tokens:
      return static_cast<double>(state.tokens_in_flight.load(std::memory_order_relaxed)) / weight;
    case PolicyKind::least_requests:
    case PolicyKind::power_of_two: return requests / weight;
    // One that nothing is known of yet is asked first, one at a time.
    case PolicyKind::latency: return PeakEwma::read(state.latency) * (requests + 1) / weight + 1e-6 * requests;
    case PolicyKind::cost: return candidate.price;
    case PolicyKind::rendezvous:
    // Highest random weight, weighted (Thaler and Ravishankar 1998; weights by -w / ln u).
    case PolicyKind::split:
      return std::log(std::max(mixed_unit(ask.session, uint64_t{candidate.slot} + 1), 1e-300)) / -weight;
    default: return 0;
  }
}

size_t Chooser::pick_weighted(std::span<const Candidate> candidates, double at) const {
  double sum = 0;
  for (const View& view : views_) sum += candidates[view.index].weight;
  double left = at * sum;
  for (size_t i = 0; i < views_.size(); ++i) {
    left -= candidates[views_[i].index].weight;
    if (left < 0) return i;
  }
  return views_.size() - 1;
}

std::optional<size_t> Chooser::pinned(const Settings& settings, std::span<const Candidate> candidates,
                                      const Ask& ask) const {
  if (!settings.sticky || ask.session == 0) return std::nullopt;
  const auto slot = sessions_.find(ask.session, ask.now, settings.session_lifetime);
  if (!slot) return std::nullopt;
  for (size_t i = 0; i < views_.size(); ++i) {
    if (candidates[views_[i].index].slot == *slot) return i;
  }
  return std::nullopt;
}

// Which of views_.
size_t Chooser::pick(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask) {
  const size_t count = views_.size();
  ++turn_;
  if (count == 1) return 0;
  switch (settings.policy) {
    case PolicyKind::ordered: return 0;
    case PolicyKind::round_robin: return turn_ % count;
    case PolicyKind::weighted: return pick_weighted(candidates, rng_.uniform());
    case PolicyKind::split:
    case PolicyKind::rendezvous:
      if (ask.session == 0) return pick_weighted(candidates, rng_.uniform());
      break;
    case PolicyKind::power_of_two: {
      const size_t a = rng_.below(count);
      const size_t b = (a + 1 + rng_.below(count - 1)) % count;
      return cost(settings, candidates, ask, views_[a]) <= cost(settings, candidates, ask, views_[b]) ? a : b;
    }
    default: break;
  }
  return pick_cheapest(settings, candidates, ask);
}

Chooser::Field Chooser::field() const {
  Field all;
  for (const View& view : views_) {
    all.mean_queue += view.queue;
    all.warmest = std::max(all.warmest, view.cached);
  }
  all.mean_queue /= static_cast<double>(std::max<size_t>(views_.size(), 1));
  return all;
}

// What the cheapest is chosen by. Nothing: it is passed over.
std::optional<double> Chooser::compared(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask,
                                        const View& view, const Field& all) const {
  if (uses_prefix(settings.policy) && view.cached < kWarmShare * all.warmest) return std::nullopt;
  const bool bounded = settings.policy == PolicyKind::rendezvous;
  if (bounded && view.queue > kLoadBound * all.mean_queue + kLoadSlack) return std::nullopt;
  return cost(settings, candidates, ask, view);
}

// Ties are drawn by weight, so that an idle fleet is used as configured.
size_t Chooser::pick_cheapest(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask) {
  const size_t count = views_.size();
  const Field all = field();
  size_t best = count;
  double best_cost = std::numeric_limits<double>::infinity();
  double best_tie = best_cost;
  double tied_weight = 0;
  for (size_t i = 0; i < count; ++i) {
    const View& view = views_[i];
    const auto now = compared(settings, candidates, ask, view, all);
    if (!now) continue;
    const double tie = view.queue;
    const double weight = std::max(candidates[view.index].weight, 1U);
    if (best == count || *now < best_cost || (*now == best_cost && tie < best_tie)) {
      best = i;
      best_cost = *now;
      best_tie = tie;
      tied_weight = weight;
    } else if (*now == best_cost && tie == best_tie) {
      tied_weight += weight;
      if (rng_.uniform() * tied_weight < weight) best = i;
    }
  }
  return settings.policy == PolicyKind::adaptive && all.warmest != 0
             ? leave_if_better(candidates, ask, best, all.mean_queue)
             : best;
}

// What is computed again costs all that wait; what calls with the same cached part have lost by staying counts too: a
// copy of what is asked for so often pays.
Chooser::Leaving Chooser::leaving(std::span<const Candidate> candidates, const Ask& ask, size_t warm,
                                  double mean_queue) const {
  Leaving way{.to = warm};
  for (size_t i = 0; i < views_.size(); ++i) {
    if (delay(views_[i]) < delay(views_[way.to])) way.to = i;
  }
  if (way.to == warm) return way;
  // Where nothing waits, what is computed again delays nobody.
  const double price = kMovePrice + (views_[way.to].queue > 0 ? kMovePricePerMeanQueue * mean_queue : 0);
  way.price = price * (views_[way.to].work - views_[warm].work);
  const uint64_t block = ask.blocks[hits_.of(candidates[views_[warm].index].slot) - 1];
  const Regret& regret = regrets_[regret_place(block)];
  const double passed = std::chrono::duration<double>(since_short(regret.at_ms, ask.now)).count();
  const bool same = regret.tag == static_cast<uint32_t>(block >> 32) && passed >= 0;
  way.lost = same ? regret.seconds * std::exp(-passed / kRegretSeconds) : 0;
  way.regret = kRegretShare * way.lost;
  return way;
}

// The warm instance, or the one that answers first if that gains enough for computing more of the prompt again.
size_t Chooser::leave_if_better(std::span<const Candidate> candidates, const Ask& ask, size_t warm, double mean_queue) {
  const Leaving way = leaving(candidates, ask, warm, mean_queue);
  if (way.to == warm) return warm;
  const double gain = delay(views_[warm]) - delay(views_[way.to]);
  const uint64_t block = ask.blocks[hits_.of(candidates[views_[warm].index].slot) - 1];
  Regret& regret = regrets_[regret_place(block)];
  if (gain + way.regret > way.price) {
    regret = {};
    return way.to;
  }
  regret = {.tag = static_cast<uint32_t>(block >> 32), .at_ms = short_ms(ask.now), .seconds = way.lost + gain};
  return warm;
}

// None is fit: the one nearest to it. Who wants to be left alone without saying how long comes after those that are
// out.
std::optional<size_t> Chooser::resort(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask) {
  if (!settings.last_resort) return std::nullopt;
  std::optional<size_t> best;
  double best_rank = 0;
  for (size_t n = 0; n < candidates.size(); ++n) {
    const size_t i = (turn_ + n) % candidates.size();
    const Fitness fit = fitness(settings, candidates[i], ask.now);
    if (candidates[i].excluded || fit == Fitness::full || asked_for_pause(candidates[i], ask.now)) continue;
    const InstanceState& state = instances_.state(candidates[i].slot);
    double rank = candidates[i].priority;
    if (fit == Fitness::paused) rank += 1e6;
    if (candidates[i].weight == 0) rank += 1e7;
    rank += 1e-6 * state.requests_in_flight.load(std::memory_order_relaxed);
    if (!best || rank < best_rank) {
      best = i;
      best_rank = rank;
    }
  }
  ++turn_;
  return best;
}

std::optional<Choice> Chooser::choose(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask,
                                      std::vector<Score>* explanation) {
  if (candidates.empty()) return std::nullopt;
  if (uses_prefix(settings.policy) || explanation != nullptr) {
    index_.look_up(ask.blocks, ask.now, ask.cache_lifetime, hits_);
  } else {
    index_.look_up({}, ask.now, ask.cache_lifetime, hits_);
  }
  std::optional<size_t> last;
  // A ramp shares calls with others: where there are none, the instance on its way back takes them.
  returning_is_fit_ = false;
  if (!collect_any(settings, candidates, ask)) returning_is_fit_ = true;
  if (returning_is_fit_ && !collect_any(settings, candidates, ask)) {
    full_is_fit_ = settings.waits;
    last = resort(settings, candidates, ask);
    if (last) views_.push_back({.index = static_cast<uint32_t>(*last)});
  }
  estimate(settings, candidates, ask);
  if (explanation != nullptr) explain(settings, candidates, ask, *explanation);
  if (views_.empty()) return std::nullopt;
  const auto pin = last ? std::nullopt : pinned(settings, candidates, ask);
  const View& view = views_[last ? 0 : pin ? *pin : pick(settings, candidates, ask)];
  if (settings.sticky && ask.session != 0) sessions_.pin(ask.session, candidates[view.index].slot, ask.now);
  return Choice{.candidate = view.index,
                .cached_tokens = view.cached,
                .uncached_tokens = view.miss,
                .probe = view.fitness == Fitness::probe,
                .trial = view.fitness == Fitness::trial || view.fitness == Fitness::doubted,
                .last_resort = last.has_value(),
                .pinned = pin.has_value()};
}

}  // namespace llmgw::routing
