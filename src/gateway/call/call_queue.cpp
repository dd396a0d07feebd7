// A call's share of an instance's load: when it takes it, waits for it, and gives it back.
#include <algorithm>
#include <optional>

#include "gateway/call/call.h"
#include "gateway/call/own_headers.h"
#include "gateway/engines/waiting_room.h"
#include "routing/queue/until_free.h"

namespace llmgw::gateway {

using base::Instant;
using chat::ClientError;
using chat::ErrorKind;
using net::Task;
using routing::Candidate;

namespace {

// Nobody waits longer for a place.
constexpr base::Duration kQueueTimeMax = std::chrono::minutes(5);
// How often a call that waits looks whether its instance is still well.
constexpr base::Duration kLookInterval = std::chrono::seconds(1);
// Generated tokens that a key is charged until the answer says how many they were.
constexpr uint32_t kAssumedOutputTokens = 256;

}  // namespace

// It may be cut off anywhere, when its worker ends.
Call::~Call() {
  if (lease_.held()) worker_.room().forget_guess(lease_);
}

// Whether there is an instance left: chosen, waited for if it has enough to do, and set up.
Task<Outcome<bool>> Call::next_attempt() {
  for (;;) {
    auto choice = choose_instance();
    if (!choice) co_return false;
    const Share share = take_share(*choice);
    if (share == Share::taken) co_return take_instance(*choice);
    if (share == Share::gone) {
      plan_.candidates[choice->candidate].excluded = true;
      continue;
    }
    auto went = co_await wait_in_line(*choice);
    if (!went && fall_back_from_line(went.error())) continue;
    if (!went) co_return std::unexpected(went.error());
    if (exchange_.cancellation().cancelled()) co_return false;
    if (*went) co_return take_instance(*choice);
  }
}

// The same for who would rather do without than wait.
bool Call::take_free_instance() {
  const auto choice = choose_instance();
  if (!choice) return false;
  if (take_share(*choice) != Share::taken) {
    lease_.end();
    abandon_probe(choice->candidate);
    return false;
  }
  const auto taken = take_instance(*choice);
  return taken && *taken;
}

Call::Share Call::take_share(const routing::Choice& choice) {
  const Candidate& candidate = plan_.candidates[choice.candidate];
  const routing::InstanceHandle& instance = generation_.instance(plan_.options[choice.candidate].connection);
  if (!instance.valid()) return Share::taken;
  RoutingState& shared = worker_.shared().routing;
  const Instant now = worker_.loop().now();
  routing::InstanceState& state = shared.instances.state(candidate.slot);
  if (!blocks_.empty()) {
    auto* const first = static_cast<uint32_t*>(arena_.allocate(blocks_.size() * sizeof(uint32_t), alignof(uint32_t)));
    ages_ = {first, blocks_.size()};
  }
  // A probe is there to find out whether anything comes back at all: it waits for no other's prompt.
  const bool gated = candidate.gate.any();
  std::optional<routing::Lease> taken;
  if (!route().queues || choice.probe || !gated || !worker_.room().must_wait(candidate)) {
    const uint32_t most = gated ? routing::requests_limit(shared.instances.gate(candidate.slot), candidate.gate) : 0;
    taken = routing::Lease::take(state, most, choice.uncached_tokens, now);
  }
  if (!taken && !route().queues) {
    abandon_probe(choice.candidate);
    return Share::gone;
  }
  if (!taken) {
    lease_ = routing::Lease(state, shared.instances.gate(candidate.slot), choice.uncached_tokens, now);
    return Share::waits;
  }
  if (!blocks_.empty()) {
    ages_ = ages_.first(shared.index.ages(blocks_, candidate.slot, ages_));
    shared.index.insert(blocks_, candidate.slot, now);
  }
  lease_ = std::move(*taken);
  if (gated) lease_.hold_place(shared.instances.gate(candidate.slot), now);
  charge_share();
  if (candidate.gate.prompt_tokens_max != 0 && !streams()) {
    const double seconds =
        routing::queue_seconds(state, now, 1, routing::tokens_per_second(state, shared.instances.gate(candidate.slot)));
    worker_.room().guess_first_token(
        lease_, now + std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(seconds)));
  }
  return Share::taken;
}

// It is not made after all: whoever comes next may be the probe.
void Call::abandon_probe(uint32_t candidate) {
  if (!std::exchange(probe_, false)) return;
  const routing::InstanceTable& table = worker_.shared().routing.instances;
  const Candidate& own = plan_.candidates[candidate];
  routing::abandon_probe(table.state(own.slot).health, worker_.loop().now());
  if (own.model_slot == routing::kUnknown) return;
  routing::abandon_probe(table.state(own.model_slot).health, worker_.loop().now());
}

// The key's own share is told also of calls that need not wait: it counts when others have to.
void Call::charge_share() {
  if (!route().queues || route().queue.order != routing::QueueOrder::fair || second_leg_) return;
  charged_tokens_ = prompt_tokens() + kAssumedOutputTokens;
  routing::FairShares& shares = worker_.shared().routing.shares;
  shares.serve(shares.begin(generation_.snapshot().index_of(*principal_), double(charged_tokens_), principal_->weight));
}

void Call::settle_share() {
  if (charged_tokens_ == 0) return;
  const chat::Usage usage = reading_.said().value_or(chat::Usage{});
  const bool answered = upstream_status_ != 0 && upstream_status_ < 300;
  if (answered && !usage.known()) {
    charged_tokens_ = 0;  // what was guessed has to do
    return;
  }
  const double used = double(usage.total_input().value_or(0)) + double(usage.output.value_or(0));
  worker_.shared().routing.shares.correct(generation_.snapshot().index_of(*principal_),
                                          used - double(std::exchange(charged_tokens_, 0)), principal_->weight);
}

int32_t Call::priority() const {
  if (!has_own_headers_) return principal_->priority;
  const auto asked = priority_of(exchange_.head().headers);
  return asked ? std::clamp(*asked, -kPriorityMost, principal_->priority_max) : principal_->priority;
}

Instant Call::queue_deadline(std::optional<uint32_t> candidate) const {
  const control::Snapshot& snapshot = generation_.snapshot();
  const auto total_at = [&](const CallPlan::Option& option) {
    return timeouts_of(snapshot.connections[option.connection]).total;
  };
  base::Duration most{0};
  if (candidate) most = total_at(plan_.options[*candidate]);
  for (size_t i = 0; !candidate && i < plan_.options.size(); ++i) most = std::max(most, total_at(plan_.options[i]));
  if (!route().total_timeout) most = std::min(most, kQueueTimeMax);
  return std::min(exchange_.started_at() + std::min(most, snapshot.server.request_timeout), deadline_);
}

// Its time was over before it could be sent: that says nothing of the instance.
ClientError Call::too_late() {
  blameless_ = true;
  timed_out_ = deadline_setting_;
  return {.kind = ErrorKind::upstream_timeout,
          .message = arena_.concat("the call's time was over before its provider could be asked: ", timed_out_),
          .code = timed_out_};
}

bool Call::still_fit(uint32_t candidate) const {
  return routing::is_well(worker_.shared().routing.instances, plan_.candidates[candidate], route().settings.health,
                          worker_.loop().now());
}

ClientError Call::refused_in_line(const routing::AdmissionQueue::Refused& refused) {
  const bool full = refused.why == routing::QueueRefusal::full;
  worker_.metrics().queue_refusal(full ? "full" : "hopeless").add();
  return {.kind = ErrorKind::overloaded,
          .message = full ? "too many calls wait for this model" : "the call could not be answered in time",
          .retry_after = refused.retry_after};
}

// A line that takes nobody is as good a reason to ask another model as an instance that is full.
bool Call::fall_back_from_line(const ClientError& refused) {
  if (exchange_.cancellation().cancelled() || worker_.loop().now() >= queue_deadline() || !plan_fallback())
    return false;
  failure_ = refused;
  return true;
}

// Until it may go; false: its instance has become sick, so another is to be chosen.
Task<Outcome<bool>> Call::wait_in_line(routing::Choice& choice) {
  WaitingRoom& room = worker_.room();
  const Candidate& candidate = plan_.candidates[choice.candidate];
  const routing::GateState& gate = worker_.shared().routing.instances.gate(candidate.slot);
  routing::InstanceState& state = worker_.shared().routing.instances.state(candidate.slot);
  const Instant since = worker_.loop().now();
  const bool was_fit = still_fit(choice.candidate);
  std::optional<WaitingRoom::Stay> stay(std::in_place, room);
  const routing::HeldCall held{.waiter = {.id = stay->id(),
                                          .arrived = exchange_.started_at(),
                                          .work_s = choice.uncached_tokens / routing::tokens_per_second(state, gate),
                                          .tokens = prompt_tokens() + kAssumedOutputTokens,
                                          .tenant = generation_.snapshot().index_of(*principal_),
                                          .weight = principal_->weight,
                                          .priority = priority(),
                                          .family = blocks_.empty() ? 0 : blocks_.front(),
                                          .prefix = routing::prefix_of(blocks_, choice.cached_tokens, kBlockTokens)},
                               .lease = &lease_,
                               .candidates = plan_.candidates,
                               .chosen = choice.candidate,
                               .prompt_tokens = prompt_tokens(),
                               .block_tokens = kBlockTokens,
                               .blocks = blocks_,
                               .ages = ages_};
  const auto entered = room.enter(held, route().queue, *stay);
  if (!entered) {
    lease_.end();
    abandon_probe(choice.candidate);
    co_return std::unexpected(refused_in_line(entered.error()));
  }
  telemetry::InstanceSeries& series = instance_series(choice.candidate);
  series.count_queued(entered->position);
  while (!stay->turn()) {
    const Instant now = worker_.loop().now();
    const Instant until = queue_deadline(choice.candidate);
    if (exchange_.cancellation().cancelled() || now >= until || (was_fit && !still_fit(choice.candidate))) break;
    (void)co_await stay->changed().wait({std::min(until, now + kLookInterval), &exchange_.cancellation()});
  }
  times_.queued += worker_.loop().now() - since;
  series.record_queue_wait(worker_.loop().now() - since);
  const std::optional<routing::Turn> turn = stay->turn();
  // Out of the line before a place is given to whoever is next: it must not be this one.
  stay.reset();
  if (turn && !turn->displaced) {
    if (turn->candidate != choice.candidate) abandon_probe(choice.candidate);
    went(*turn, choice);
    co_return true;
  }
  lease_.end();
  abandon_probe(choice.candidate);
  room.changed();
  if (exchange_.cancellation().cancelled()) co_return false;
  const bool displaced = turn.has_value();
  if (!displaced && worker_.loop().now() < queue_deadline(choice.candidate)) co_return false;
  worker_.metrics().queue_refusal(displaced ? "displaced" : "timeout").add();
  co_return std::unexpected(ClientError{
      .kind = ErrorKind::overloaded,
      .message = displaced ? "too many calls wait for this model" : "no instance of the model was free in time",
      .retry_after = routing::retry_after_wait(worker_.shared().routing.instances, candidate, worker_.loop().now())});
}

// Its lease and the index know already.
void Call::went(const routing::Turn& turn, routing::Choice& choice) {
  routing::GateState& gate = worker_.shared().routing.instances.gate(plan_.candidates[turn.candidate].slot);
  lease_.hold_place(gate, worker_.loop().now());
  choice.candidate = turn.candidate;
  choice.cached_tokens = turn.cached_tokens;
  choice.uncached_tokens = prompt_tokens() - std::min(turn.cached_tokens, prompt_tokens());
  ages_ = ages_.first(std::min<size_t>(turn.ages, ages_.size()));
  if (route().queue.order == routing::QueueOrder::fair) charged_tokens_ = prompt_tokens() + kAssumedOutputTokens;
  if (streams()) return;
  const routing::InstanceState& state = worker_.shared().routing.instances.state(plan_.candidates[turn.candidate].slot);
  const double seconds = choice.uncached_tokens / routing::tokens_per_second(state, gate);
  worker_.room().guess_first_token(lease_, worker_.loop().now() + std::chrono::duration_cast<base::Duration>(
                                                                      std::chrono::duration<double>(seconds)));
}

telemetry::InstanceSeries& Call::instance_series(uint32_t candidate) {
  const control::Snapshot& snapshot = generation_.snapshot();
  const uint32_t index = plan_.options[candidate].connection;
  const control::Connection& connection = snapshot.connections[index];
  return worker_.metrics().instance({.generation = static_cast<uint32_t>(snapshot.version), .instance = index},
                                    connection.upstream.provider->name, connection.name);
}

// The prompt has been computed: the answer's first piece is there.
void Call::note_computed(Instant arrived, bool streams) {
  routing::InstanceState* const state = instance_state();
  lease_.first_token(arrived);
  times_.whole_after = streams ? base::Duration{-1} : arrived - times_.sent_at;
  if (state == nullptr) return;
  if (streams) routing::note_first_token(*state, lease_.tokens(), times_.sent_at, arrived);
  const control::Connection& connection = *attempt_->connection;
  if (!route().limits(connection.max_in_flight, connection.is_engine).any()) return;
  if (streams && connection.is_engine) {
    routing::GateState& gate =
        worker_.shared().routing.instances.gate(generation_.instance(attempt_->connection_index).slot());
    const int32_t sent = state->requests_in_flight.load(std::memory_order_relaxed);
    routing::learn_concurrency(gate, arrived - times_.sent_at, lease_.tokens(), sent);
  }
  worker_.room().changed();
}

void Call::leave_instance() {
  settle_share();
  if (!lease_.held()) return;
  // How long an answer kept a place, for those that will have to wait for one.
  const bool answered = attempt_ && upstream_status_ != 0 && !lease_.waits();
  if (answered && route().limits(attempt_->connection->max_in_flight, attempt_->connection->is_engine).any()) {
    routing::note_call_time(
        worker_.shared().routing.instances.gate(generation_.instance(attempt_->connection_index).slot()),
        worker_.loop().now() - times_.sent_at);
  }
  worker_.room().forget_guess(lease_);
  lease_.end();
  worker_.room().changed();
}

}  // namespace llmgw::gateway
