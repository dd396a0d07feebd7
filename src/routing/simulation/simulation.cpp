#include "routing/simulation/simulation.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <queue>

#include "routing/load/lease.h"
#include "routing/prefix/block_hash.h"
#include "routing/simulation/engine_cache.h"

namespace llmgw::routing {
namespace {

using base::Instant;

Instant at(double seconds) {
  return Instant(std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(seconds)));
}

base::Duration span_of(double seconds) {
  return at(seconds).time_since_epoch();
}

// (sum of x)^2 / (n * sum of x^2): 1 is all alike (Jain, Chiu, Hawe 1984).
double jain_index(const std::unordered_map<uint64_t, double>& shares) {
  double sum = 0;
  double squares = 0;
  for (const auto& [tenant, share] : shares) {
    sum += share;
    squares += share * share;
  }
  return squares == 0 ? 1 : sum * sum / (double(shares.size()) * squares);
}

// Whether two instances of equal cost are alike to it. No prices are simulated.
bool compares_costs(PolicyKind policy) {
  switch (policy) {
    case PolicyKind::adaptive:
    case PolicyKind::prefix:
    case PolicyKind::least_tokens:
    case PolicyKind::least_requests:
    case PolicyKind::latency: return true;
    default: return false;
  }
}

// Room for what all caches hold and as much again; what is forgotten beyond is no part of the model.
size_t index_blocks(const SimulationOptions& options) {
  constexpr size_t kLeast = 1 << 14;
  return std::clamp(size_t{options.instances} * options.blocks * 2, kLeast, kIndexBlocksMax);
}

class Simulation {
 public:
  Simulation(std::span<const TraceCall> calls, const SimulationOptions& options)
      : calls_(calls),
        options_(options),
        table_(std::min(options.instances, InstanceTable::kInstancesMax)),
        index_(table_, index_blocks(options)),
        rng_(options.seed),
        chooser_(table_, index_, sessions_, rng_),
        follower_(table_, index_, sessions_, follower_rng_),
        heads_(table_.capacity()),
        lines_(table_, index_, heads_, shares_) {
    options_.queue.goal = span_of(options.goal_s);
    for (uint32_t i = 0; i < table_.capacity(); ++i) {
      handles_.push_back(table_.acquire(std::to_string(i)));
      Candidate candidate{.slot = handles_.back().slot()};
      if (options_.hold) {
        candidate.gate = {.requests_max = options_.requests_max,
                          .prompt_tokens_max = options_.prompt_window,
                          .learns = options_.requests_max == 0};
      }
      candidates_.push_back(candidate);
      engines_.emplace_back(options_);
      if (!options.learn_cache) table_.state(candidates_.back().slot).cache_blocks = options.blocks;
    }
    if (options.follow_log) read_groups();
    settings_.policy = options.policy;
    settings_.waits = options.hold;
    if (options.hold && options_.queue.order == QueueOrder::slo) settings_.shortest_first_s = options.goal_s;
  }

  SimulationResult run() {
    for (uint64_t i = 0; i < calls_.size(); ++i) {
      const double now = calls_[i].at_s / options_.speed;
      finish_until(now);
      arrive(i, now);
    }
    finish_until(HUGE_VAL);
    return result();
  }

 private:
  struct Running {
    uint64_t call = 0;
    uint32_t first = 0;  // of candidates_ that it may go to
    double arrived = 0;
    double sent = 0;
    uint32_t expected = 0;
    int64_t computed = 0;  // tokens of the prompt that were not cached
    Lease lease;
    std::vector<uint32_t> ages;
  };
  struct Engine {
    explicit Engine(const SimulationOptions& options) : cache(options.blocks) {}
    EngineCache cache;
    std::deque<uint64_t> fifo;  // keys of running_, sent and not yet begun
    bool busy = false;
  };
  struct Event {
    double at = 0;
    uint32_t engine = 0;
    uint64_t call = 0;
    bool first_token = true;
    bool operator>(const Event& other) const { return at > other.at; }
  };

  void read_groups();
  std::optional<Choice> follow(const TraceCall& call, const Ask& ask);
  void arrive(uint64_t number, double now);
  void begin(uint32_t engine, uint64_t call, double now);
  void send(uint32_t engine, uint64_t call, double now);
  void begin_next(uint32_t engine, double now);
  bool hold_back(uint64_t call, uint32_t engine, const Choice& choice, double now);
  void step(double now);
  void finish(const Event& event);
  void finish_until(double now) {
    while (!events_.empty() && events_.top().at <= now) {
      const Event event = events_.top();
      events_.pop();
      finish(event);
    }
  }
  SimulationResult result();

  std::span<const TraceCall> calls_;
  SimulationOptions options_;
  InstanceTable table_;
  PrefixIndex index_;
  SessionTable sessions_{64};
  base::Rng rng_;
  Chooser chooser_;
  // As the log says: with its own chances, so that following changes no later opinion.
  base::Rng follower_rng_{1};
  Chooser follower_;
  std::vector<std::vector<bool>> groups_;  // by model: the connections it was at
  std::vector<Score> scores_;
  uint64_t decided_ = 0;
  uint64_t agreed_ = 0;
  std::vector<uint32_t> chosen_;
  LineHeads heads_;
  FairShares shares_;
  WaitingLines lines_;
  Settings settings_;
  std::vector<InstanceHandle> handles_;
  std::vector<Candidate> candidates_;
  std::vector<Engine> engines_;
  std::unordered_map<uint64_t, Running> running_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<double> first_tokens_;
  uint64_t refused_ = 0;
  uint64_t prompt_tokens_ = 0;
  uint64_t cached_tokens_ = 0;
  uint64_t misjudged_tokens_ = 0;
  std::unordered_map<uint64_t, double> served_;  // tokens by tenant
};

void Simulation::read_groups() {
  for (const TraceCall& call : calls_) {
    if (call.connection >= candidates_.size()) continue;
    if (call.model >= groups_.size()) groups_.resize(call.model + 1);
    groups_[call.model].resize(candidates_.size());
    groups_[call.model][call.connection] = true;
  }
}

// Where the log says it went, after the policy was asked.
std::optional<Choice> Simulation::follow(const TraceCall& call, const Ask& ask) {
  if (call.connection >= candidates_.size()) return std::nullopt;
  const std::vector<bool>& group = groups_[call.model];
  for (size_t i = 0; i < candidates_.size(); ++i) candidates_[i].excluded = !group[i];
  const auto own = chooser_.choose(settings_, candidates_, ask, &scores_);
  for (size_t i = 0; i < candidates_.size(); ++i) candidates_[i].excluded = i != call.connection;
  if (own && call.attempts == 1 && std::ranges::count(group, true) > 1) {
    const bool same_cost = compares_costs(settings_.policy) && scores_[call.connection].compared &&
                           scores_[call.connection].cost == scores_[own->candidate].cost;
    ++decided_;
    if (own->candidate == call.connection || same_cost) ++agreed_;
  }
  return follower_.choose(settings_, candidates_, ask);
}

void Simulation::arrive(uint64_t number, double now) {
  const TraceCall& call = calls_[number];
  const Ask ask{.now = at(now),
                .prompt_tokens = call.input_tokens,
                .block_tokens = options_.block_tokens,
                .blocks = call.blocks,
                .session = call.blocks.empty() ? 0 : call.blocks.front()};
  const auto choice = options_.follow_log ? follow(call, ask) : chooser_.choose(settings_, candidates_, ask);
  prompt_tokens_ += call.input_tokens;
  chosen_.push_back(choice ? choice->candidate : TraceCall::kNowhere);
  if (!choice) {
    ++refused_;
    return;
  }
  const uint32_t chosen = choice->candidate;
  const Slot slot = candidates_[chosen].slot;
  Running& running = running_[number];
  running = {.call = number,
             .first = options_.follow_log ? chosen : 0,
             .arrived = now,
             .sent = now,
             .expected = choice->cached_tokens,
             .lease = {},
             .ages = {}};
  if (options_.learn_cache) running.ages.resize(call.blocks.size());
  const bool waits = lines_.must_wait(candidates_[chosen]);
  InstanceState& state = table_.state(slot);
  running.lease = waits ? Lease(state, table_.gate(slot), choice->uncached_tokens, at(now))
                        : Lease(state, choice->uncached_tokens, at(now));
  if (waits && !hold_back(number, chosen, *choice, now)) {
    running_.erase(number);
    ++refused_;
    return;
  }
  if (!waits) {
    running.ages.resize(index_.ages(call.blocks, slot, running.ages));
    index_.insert(call.blocks, slot, at(now));
    send(chosen, number, now);
  }
  step(now);
}

bool Simulation::hold_back(uint64_t number, uint32_t chosen, const Choice& choice, double now) {
  const TraceCall& call = calls_[number];
  const InstanceState& state = table_.state(candidates_[chosen].slot);
  Running& running = running_.at(number);
  const HeldCall held{
      .waiter = {.id = number,
                 .arrived = at(now),
                 .work_s = choice.uncached_tokens / tokens_per_second(state),
                 .tokens = call.input_tokens + call.output_tokens,
                 .tenant = call.tenant,
                 .priority = call.priority,
                 .family = call.blocks.empty() ? 0 : call.blocks.front(),
                 .prefix = prefix_of(call.blocks, choice.cached_tokens, options_.block_tokens)},
      .lease = &running.lease,
      .candidates =
          std::span<const Candidate>(candidates_).subspan(running.first, options_.follow_log ? 1 : candidates_.size()),
      .chosen = chosen - running.first,
      .prompt_tokens = call.input_tokens,
      .block_tokens = options_.block_tokens,
      .blocks = call.blocks,
      .ages = running.ages};
  return lines_.enter(held, options_.queue, at(now)).has_value();
}

// Sends who may go.
void Simulation::step(double now) {
  for (const Turn& turn : lines_.step(at(now))) {
    if (turn.displaced) {
      running_.erase(turn.id);
      ++refused_;
      continue;
    }
    Running& running = running_.at(turn.id);
    running.sent = now;
    running.expected = turn.cached_tokens;
    if (!running.ages.empty()) running.ages.resize(turn.ages);
    send(running.first + turn.candidate, turn.id, now);
  }
}

void Simulation::send(uint32_t chosen, uint64_t number, double now) {
  Engine& engine = engines_[chosen];
  engine.fifo.push_back(number);
  if (!engine.busy) begin_next(chosen, now);
}

void Simulation::begin(uint32_t chosen, uint64_t number, double now) {
  Engine& engine = engines_[chosen];
  engine.busy = true;
  const TraceCall& call = calls_[number];
  Running& running = running_.at(number);
  const size_t found = engine.cache.match(call.blocks);
  engine.cache.use(call.blocks);
  const uint64_t cached = std::min<uint64_t>(found * options_.block_tokens, call.input_tokens);
  cached_tokens_ += cached;
  misjudged_tokens_ += cached > running.expected ? cached - running.expected : running.expected - cached;
  InstanceState& state = table_.state(candidates_[chosen].slot);
  PrefixIndex::correct(state, running.expected / options_.block_tokens, found);
  if (options_.learn_cache) PrefixIndex::learn(state, running.ages, found);
  running.computed = static_cast<int64_t>(call.input_tokens - cached);
  const double speed = options_.speeds.empty() ? options_.prefill_tokens_per_second : options_.speeds[chosen];
  const double took = double(running.computed) / speed;
  events_.push({.at = now + took, .engine = chosen, .call = number});
}

void Simulation::begin_next(uint32_t chosen, double now) {
  Engine& engine = engines_[chosen];
  engine.busy = false;
  if (engine.fifo.empty()) return;
  const uint64_t number = engine.fifo.front();
  engine.fifo.pop_front();
  begin(chosen, number, now);
}

void Simulation::finish(const Event& event) {
  if (!event.first_token) {
    running_.erase(event.call);
    return step(event.at);
  }
  Running& running = running_.at(event.call);
  InstanceState& state = table_.state(candidates_[event.engine].slot);
  const double took = event.at - running.arrived;
  first_tokens_.push_back(took);
  const TraceCall& call = calls_[event.call];
  double& served = served_[call.tenant];
  if (event.at <= calls_.back().at_s / options_.speed) served += call.input_tokens + call.output_tokens;
  note_first_token(state, running.computed, at(running.sent), at(event.at));
  running.lease.first_token(at(event.at));
  if (options_.decode_tokens_per_second > 0) {
    const double decode = calls_[event.call].output_tokens / options_.decode_tokens_per_second;
    events_.push({.at = event.at + decode, .engine = event.engine, .call = event.call, .first_token = false});
  } else {
    running_.erase(event.call);
  }
  begin_next(event.engine, event.at);
  step(event.at);
}

SimulationResult Simulation::result() {
  SimulationResult result{.calls = calls_.size(), .refused = refused_};
  std::ranges::sort(first_tokens_);
  const auto quantile = [this](double share) {
    if (first_tokens_.empty()) return 0.0;
    const auto place = static_cast<size_t>(share * double(first_tokens_.size()));
    return first_tokens_[std::min(place, first_tokens_.size() - 1)];
  };
  double sum = 0;
  for (const double took : first_tokens_) sum += took;
  const auto in_time = std::ranges::upper_bound(first_tokens_, options_.goal_s) - first_tokens_.begin();
  if (!first_tokens_.empty()) result.mean_s = sum / double(first_tokens_.size());
  result.p50_s = quantile(0.5);
  result.p90_s = quantile(0.9);
  result.p99_s = quantile(0.99);
  if (!calls_.empty()) result.goodput = double(in_time) / double(calls_.size());
  if (prompt_tokens_ != 0) {
    result.hit = double(cached_tokens_) / double(prompt_tokens_);
    result.expected_error = double(misjudged_tokens_) / double(prompt_tokens_);
  }
  result.fairness = jain_index(served_);
  result.decided = decided_;
  result.agreed = agreed_;
  result.chosen = std::move(chosen_);
  result.left_in_flight = table_.requests_in_flight() + table_.tokens_in_flight();
  return result;
}

}  // namespace

SimulationResult simulate(std::span<const TraceCall> calls, const SimulationOptions& options) {
  return Simulation(calls, options).run();
}

}  // namespace llmgw::routing
