// The attempts of a call: its turn, one instance after the other, and what is learnt of each.
#include <algorithm>
#include <charconv>

#include "dialects/openai_responses/response_object.h"
#include "dialects/provider_error.h"
#include "gateway/call/call.h"
#include "gateway/call/response_pin.h"
#include "gateway/call/retry_after.h"
#include "routing/load/pause.h"
#include "routing/prefix/block_hash.h"
#include "routing/queue/until_free.h"

namespace llmgw::gateway {

using chat::ClientError;
using chat::ErrorKind;
using control::Route;
using net::Task;
using routing::Candidate;

namespace {

// A provider that says "later" without saying when.
constexpr base::Duration kPauseDefault = std::chrono::seconds(1);
// All providers of a model ask to be left alone: no longer than this does a call wait for the first of them, as long as
// the longest pause between two rounds is anyway.
constexpr base::Duration kPauseWaitedFor = std::chrono::seconds(2);

}  // namespace

Task<void> Call::try_instances() {
  while (co_await try_next()) {
  }
}

// One attempt, or a step towards it. False: the client has its answer.
Task<bool> Call::try_next() {
  auto next = co_await next_attempt();
  if (exchange_.cancellation().cancelled()) {
    end_attempt();
    give_up();
    co_return false;
  }
  if (!next) {
    co_await refuse(next.error());
    co_return false;
  }
  if (!*next) {
    if (const auto wait = before_next_round()) {
      for (Candidate& candidate : plan_.candidates) candidate.excluded = false;
      times_.discarded += *wait;
      auto slept = co_await net::sleep_for(worker_.loop(), *wait, &exchange_.cancellation());
      if (slept) co_return true;
      give_up();
      co_return false;
    }
    const bool spared = route().fallback_on_error && may_fall_back(route());
    if (plan_fallback()) co_return true;
    // No other model may answer, so it is not spared for one that would: the last resort may be asked.
    if (spared && plan_.attempts == 0) co_return true;
    co_await refuse(refused_by_all());
    co_return false;
  }
  if (read_along_) {
    // What cannot be read goes as it came, all the same.
    if (!co_await read_converted()) conversion_.reset();
    read_along_ = conversion_ != nullptr;
  } else if (conversion_ != nullptr) {
    if (attempt_->target.empty()) {
      end_attempt();
      co_await answer_estimate();
      co_return false;
    }
    auto written = co_await write_converted();
    if (!written) {
      end_attempt();
      co_await refuse(written.error());
      co_return false;
    }
    if (conversion_->request().background) {
      end_attempt();
      co_await start_background();
      co_return false;
    }
  }
  if (worker_.loop().now() >= deadline_) {
    end_attempt();
    co_await refuse(too_late());
    co_return false;
  }
  const bool again = co_await attempt();
  end_attempt();
  if (!again) co_return false;
  ++retries_;
  note_discarded();
  worker_.metrics().count(telemetry::FailoverEvent::retry);
  worker_.log().info("another attempt", {{"request_id", id_.view()},
                                         {"failed", attempt_->connection->name},
                                         {"why", failure_ ? failure_->message : std::string_view{}}});
  if ((!plan_.skip_model && plan_.attempts < route().attempts) || plan_fallback()) co_return true;
  co_await refuse(refused_by_all());
  co_return false;
}

// All have been asked: how long to wait before they are once more, from the first. Nothing: that would be in vain.
std::optional<base::Duration> Call::before_next_round() {
  if (plan_.skip_model || plan_.only_elsewhere || plan_.options.size() < 2 || plan_.attempts >= route().attempts)
    return std::nullopt;
  const base::Duration pause =
      routing::pause_of_all(worker_.shared().routing.instances, plan_.candidates, worker_.loop().now());
  if (plan_.attempts == 0 && pause == base::Duration::zero()) return std::nullopt;
  // In the round before, nobody could be asked.
  if (plan_.rounds != 0 && plan_.attempts == plan_.attempts_before_round) return std::nullopt;
  if (pause > (may_ask_other_model() ? base::Duration::zero() : kPauseWaitedFor)) return std::nullopt;
  const base::Duration wait = std::max(routing::backoff(plan_.rounds++, worker_.loop().rng()), pause);
  if (worker_.loop().now() + wait >= queue_deadline()) return std::nullopt;
  plan_.attempts_before_round = plan_.attempts;
  return wait;
}

// What the client is told when nobody is left to be asked, and when it may come back.
ClientError Call::refused_by_all() const {
  const routing::InstanceTable& table = worker_.shared().routing.instances;
  const base::Instant now = worker_.loop().now();
  const bool paused = routing::pause_of_all(table, plan_.candidates, now) > base::Duration::zero();
  ClientError error{.kind = paused ? ErrorKind::rate_limited : ErrorKind::overloaded,
                    .message = paused ? "all providers of the model ask to be called later"
                                      : "no instance of the model can take the call now",
                    .retry_after = routing::until_free(table, plan_.candidates, now)};
  if (!failure_) return error;
  const bool later = failure_->kind == ErrorKind::rate_limited && error.retry_after;
  std::optional<base::Duration> retry_after = later ? error.retry_after : failure_->retry_after;
  error = *failure_;
  error.retry_after = retry_after;
  return error;
}

// Whether there will be another attempt, should this one fail.
bool Call::could_retry() const {
  const Route& own = route();
  if (may_ask_other_model()) return true;
  return plan_.attempts < own.attempts && plan_.options.size() > 1;
}

// Whether this attempt's instance has failed lately: it is out, doubted, or on its way back.
bool Call::suspect() const {
  const base::Instant now = worker_.loop().now();
  const auto shaky = [&](const routing::InstanceState* state) {
    return state != nullptr && state->health.load(std::memory_order_relaxed) != 0 &&
           routing::health_state(state->health, now, route().settings.health) != routing::HealthState::up;
  };
  return shaky(instance_state()) || shaky(model_state());
}

bool Call::may_retry(const ClientError& failure) {
  if (exchange_.started() || exchange_.cancellation().cancelled()) return false;
  if (kind_ == Kind::mirror) return false;
  if (worker_.loop().now() >= deadline_ || !could_retry()) return false;
  plan_.only_elsewhere = false;
  if (!retry_budget().take()) {
    // Another model at once, or where there is none an instance that is well and was not asked.
    const Route& own = route();
    const bool other_model = may_ask_other_model();
    const bool other_instance = !plan_.skip_model && plan_.attempts < own.attempts &&
                                routing::any_well(worker_.shared().routing.instances, plan_.candidates,
                                                  own.settings.health, worker_.loop().now());
    plan_.only_elsewhere = (other_model || other_instance) && retry_budget().take_elsewhere();
    for (Candidate& candidate : plan_.candidates) candidate.excluded |= plan_.only_elsewhere && other_model;
    if (!plan_.only_elsewhere) {
      worker_.metrics().count(telemetry::FailoverEvent::budget_spent);
      worker_.metrics().retry_budget_spent(budget_model_).add();
      return false;
    }
  }
  failure_ = failure;
  // The texts may be the attempt's own.
  failure_->message = arena_.copy(failure.message);
  failure_->code = arena_.copy(failure.code);
  failure_->param = arena_.copy(failure.param);
  count_failed_attempt();
  return true;
}

routing::RetryBudget& Call::retry_budget() const {
  return worker_.shared().routing.retries.of(routing::hash_text(budget_model_));
}

void Call::count_failed_attempt() {
  if (blameless_) return;
  worker_.metrics()
      .instance(
          {.generation = static_cast<uint32_t>(generation_.snapshot().version), .instance = attempt_->connection_index},
          attempt_->connection->upstream.provider->name, attempt_->connection->name)
      .count(telemetry::InstanceOutcome::failure);
}

// Its upstream took that time, not the gateway.
void Call::note_discarded() {
  times_.discarded += worker_.loop().precise_now() - times_.asked_at;
}

// A refusal that another model may not share. True: one is asked. That this one will not is no fault of its instance.
bool Call::ask_other_model(const ClientError& refusal) {
  const Route& own = route();
  const dialects::Unfit why = dialects::unfit(refusal);
  const bool wanted = (why == dialects::Unfit::too_long && own.fallback_on_context) ||
                      (why == dialects::Unfit::filtered && own.fallback_on_filter);
  if (!wanted || !may_fall_back(own)) return false;
  plan_.skip_model = blameless_ = true;
  if (may_retry(refusal)) return true;
  plan_.skip_model = blameless_ = false;
  return false;
}

// Whether an answer that a filter withholds is to come from another model.
bool Call::watches_filter() const {
  return route().fallback_on_filter && may_fall_back(route()) && generates(match_.operation);
}

// The answer came, and a filter has left nothing of it. Its provider asks for what it used all the same.
bool Call::ask_other_after_filter(const chat::Usage& used) {
  const ClientError withheld{.kind = ErrorKind::invalid_request,
                             .message = "a filter of the provider's withheld the answer",
                             .code = dialects::kContentFilter};
  if (!ask_other_model(withheld)) return false;
  reading_.converted_usage = used;
  if (used.total_input()) charge_attempt(accounting::CallOutcome::completed, 0);
  return true;
}

routing::InstanceState* Call::instance_state() const {
  const routing::InstanceHandle& handle = generation_.instance(attempt_->connection_index);
  return handle.valid() ? &worker_.shared().routing.instances.state(handle.slot()) : nullptr;
}

routing::InstanceState* Call::model_state() const {
  if (attempt_->model == nullptr) return nullptr;
  const auto index = static_cast<uint32_t>(attempt_->model - generation_.snapshot().models.data());
  const routing::InstanceHandle& handle = generation_.model_instance(index);
  return handle.valid() ? &worker_.shared().routing.instances.state(handle.slot()) : nullptr;
}

// The whole instance cannot be reached, or only this model does not work there.
void Call::note_failure(bool whole_instance) {
  blameless_ = false;
  if (exchange_.cancellation().cancelled()) return;
  routing::InstanceState* const state = whole_instance || model_state() == nullptr ? instance_state() : model_state();
  if (state == nullptr) return;
  probe_ = false;
  const auto& health = route().settings.health;
  const auto before = routing::health_state(state->health, worker_.loop().now(), health);
  const bool was_up = before == routing::HealthState::up || before == routing::HealthState::doubted;
  const auto now = routing::note_failure(state->health, worker_.loop().now(), health);
  if (was_up && now == routing::HealthState::out) {
    worker_.log().warn("instance out", {{"connection", attempt_->connection->name},
                                        {"model", whole_instance ? std::string_view("all") : plan_.model}});
  }
}

// No answer came. What this machine lacks (descriptors, ports, a free connection) is not the instance's fault.
void Call::note_unanswered(const base::Error& error, std::string_view waited_for) {
  blameless_ = error.code == base::ErrorCode::exhausted || was_hurried(error, waited_for);
  if (!blameless_) note_failure(waited_for == kConnectTimeout);
}

// An answer broke off, or stood still.
void Call::note_broken(const base::Error& error) {
  blameless_ = was_hurried(error, waiting_for_);
  if (!blameless_) note_failure(false);
}

// Whether the caller's own header ended the wait, before the operator's limit would have: then the instance was not
// late by any measure but the caller's, and other callers' calls are not to suffer for it.
bool Call::was_hurried(const base::Error& error, std::string_view waited_for) const {
  if (error.code != base::ErrorCode::deadline_exceeded) return false;
  return hurried(worker_.loop().now() >= deadline_ ? deadline_setting_ : waited_for);
}

bool Call::hurried(std::string_view limit) const {
  const control::CallTimeouts most = operators_timeouts(*attempt_->connection);
  if (limit == kConnectTimeout) return timeouts_.connect < most.connect;
  if (limit == kFirstByteTimeout) return timeouts_.first_byte < most.first_byte;
  if (limit == kIdleTimeout) return timeouts_.idle < most.idle;
  return limit == kTotalTimeout && timeouts_.total < most.total;
}

void Call::note_success() {
  probe_ = false;
  note_cached();
  note_speed();
  for (routing::InstanceState* const state : {instance_state(), model_state()}) {
    if (state != nullptr) routing::note_success(state->health, worker_.loop().now(), route().settings.health);
  }
}

// Before the last bytes go out: who goes on from the response may ask at once, and another worker.
void Call::pin_answer() {
  if (!pins_responses(match_.operation, route())) return;
  const bool own = conversion_ != nullptr && !read_along_;
  const std::string id =
      own ? dialects::openai_responses::response_id(id_.view()) : std::string(reading_.response_id());
  pin_response(worker_.shared().routing.sessions, generation_.instance(attempt_->connection_index), plan_.model, id,
               worker_.loop().now());
}

// Of an answer that was not streamed. In shares of the prompt, too, as far as it says what was cached.
void Call::note_speed() {
  const base::Duration took = std::exchange(times_.whole_after, base::Duration{-1});
  const chat::Usage usage = reading_.said().value_or(chat::Usage{});
  const auto prompt = usage.total_input();
  if (took.count() < 0 || instance_state() == nullptr || prompt.value_or(0) == 0) return;
  if (generates(match_.operation) && !usage.output) return;
  double computed = double(lease_.tokens());
  if (usage.cache_read) {
    computed = double(prompt_tokens()) * (1 - std::min(1.0, double(*usage.cache_read) / double(*prompt)));
  }
  routing::note_whole_answer(
      worker_.shared().routing.instances.gate(generation_.instance(attempt_->connection_index).slot()),
      static_cast<int64_t>(computed), usage.output.value_or(0), took);
}

// What the answer says was cached, against what was expected. In shares of the prompt: our tokens are a guess.
void Call::note_cached() {
  const chat::Usage usage = reading_.said().value_or(chat::Usage{});
  const auto prompt = usage.total_input();
  routing::InstanceState* const state = instance_state();
  if (blocks_.empty() || state == nullptr || !usage.cache_read || prompt.value_or(0) == 0) return;
  const double share = std::min(1.0, double(*usage.cache_read) / double(*prompt));
  // Rounded up by one: providers count in blocks of their own.
  const size_t cached =
      std::min(blocks_.size(), static_cast<size_t>(share * double(blocks_.size())) + (share > 0 ? 1 : 0));
  routing::PrefixIndex::correct(*state, blocks_expected_, cached);
  routing::PrefixIndex::learn(*state, ages_, cached);
}

// What a status says of the instance. 429 is a wish to be left alone, not sickness.
void Call::note_status(const http::ResponseHead& head) {
  if (head.status == 429 || dialects::kind_of_status(head.status) == chat::ErrorKind::overloaded) {
    const auto asked = read_retry_after(head.headers, worker_.loop().wall_now());
    // Providers count calls by model, so others there are no worse off.
    routing::InstanceState* const state = model_state() != nullptr ? model_state() : instance_state();
    if (state != nullptr && (asked || head.status == 429)) {
      routing::learn_concurrency_from_refusal(
          worker_.shared().routing.instances.gate(generation_.instance(attempt_->connection_index).slot()));
      routing::pause(*state, worker_.loop().now(), asked.value_or(kPauseDefault),
                     asked ? routing::PauseKind::asked : routing::PauseKind::guessed);
      if (head.status == 429 || asked) return;
    }
  }
  if (head.status >= 500) note_failure(false);
}

void Call::end_attempt() {
  if (probe_) {
    probe_ = false;
    for (routing::InstanceState* const state : {instance_state(), model_state()}) {
      if (state != nullptr) routing::abandon_probe(state->health, worker_.loop().now());
    }
  }
  leave_instance();
}

}  // namespace llmgw::gateway
