// The attempts of a call: its turn, one instance after the other, and what is learnt of each.
#include <algorithm>
#include <charconv>

#include "dialects/provider_error.h"
#include "gateway/call/call.h"
#include "gateway/call/retry_after.h"
#include "routing/load/pause.h"
#include "routing/prefix/block_hash.h"

namespace llmgw::gateway {

using chat::ClientError;
using chat::ErrorKind;
using control::Route;
using net::Task;
using routing::Candidate;

namespace {

// A provider that says "later" without saying when.
constexpr base::Duration kPauseDefault = std::chrono::seconds(1);

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
    if (!skip_model_ && attempts_ != 0 && attempts_ < route().attempts && options_.size() > 1) {
      // All have been asked: once more from the first, after a while.
      for (Candidate& candidate : candidates_) candidate.excluded = false;
      const base::Duration wait = routing::backoff(rounds_++, worker_.loop().rng());
      discarded_ += wait;
      auto slept = co_await net::sleep_for(worker_.loop(), wait, &exchange_.cancellation());
      if (slept) co_return true;
      give_up();
      co_return false;
    }
    if (plan_fallback()) co_return true;
    const ClientError none{.kind = ErrorKind::overloaded,
                           .message = "no instance of the model can take the call now",
                           .retry_after = kPauseDefault};
    co_await refuse(failure_.value_or(none));
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
  const bool again = co_await attempt();
  end_attempt();
  if (!again) co_return false;
  ++retries_;
  note_discarded();
  worker_.metrics().count(telemetry::FailoverEvent::retry);
  worker_.log().info("another attempt", {{"request_id", id_.view()},
                                         {"failed", attempt_->connection->name},
                                         {"why", failure_ ? failure_->message : std::string_view{}}});
  if ((!skip_model_ && attempts_ < route().attempts) || plan_fallback()) co_return true;
  co_await refuse(*failure_);
  co_return false;
}

// Whether there will be another attempt, should this one fail.
bool Call::could_retry() const {
  const Route& own = route();
  if (may_fall_back(own) && (own.fallback_on_error || skip_model_)) return true;
  return attempts_ < own.attempts && options_.size() > 1;
}

// Whether this attempt's instance has failed lately: it is out, or on its way back.
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
  if (!worker_.shared().routing.retries.take()) {
    worker_.metrics().count(telemetry::FailoverEvent::budget_spent);
    return false;
  }
  failure_ = failure;
  // The texts may be the attempt's own.
  failure_->message = arena_.copy(failure.message);
  failure_->code = arena_.copy(failure.code);
  failure_->param = arena_.copy(failure.param);
  count_failed_attempt();
  return true;
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
  discarded_ += worker_.loop().precise_now() - asked_at_;
}

// A refusal that another model may not share. True: one is asked. That this one will not is no fault of its instance.
bool Call::ask_other_model(const ClientError& refusal) {
  const Route& own = route();
  const dialects::Unfit why = dialects::unfit(refusal);
  const bool wanted = (why == dialects::Unfit::too_long && own.fallback_on_context) ||
                      (why == dialects::Unfit::filtered && own.fallback_on_filter);
  if (!wanted || !may_fall_back(own)) return false;
  skip_model_ = blameless_ = true;
  if (may_retry(refusal)) return true;
  skip_model_ = blameless_ = false;
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
  converted_usage_ = used;
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
  const bool was_up = routing::health_state(state->health, worker_.loop().now(), health) == routing::HealthState::up;
  const auto now = routing::note_failure(state->health, worker_.loop().now(), health);
  if (was_up && now == routing::HealthState::out) {
    worker_.log().warn("instance out", {{"connection", attempt_->connection->name},
                                        {"model", whole_instance ? std::string_view("all") : meant_model_}});
  }
}

// No answer came. What this machine lacks (descriptors, ports, a free connection) is not the instance's fault.
void Call::note_unanswered(const base::Error& error, std::string_view waited_for) {
  if (error.code != base::ErrorCode::exhausted) return note_failure(waited_for == kConnectTimeout);
  blameless_ = true;
}

void Call::note_success() {
  probe_ = false;
  note_cached();
  for (routing::InstanceState* const state : {instance_state(), model_state()}) {
    if (state != nullptr) routing::note_success(state->health, worker_.loop().now(), route().settings.health);
  }
}

// What the answer says was cached, against what was expected. In shares of the prompt: our tokens are a guess.
void Call::note_cached() {
  const chat::Usage usage = usage_ ? usage_->usage() : converted_usage_.value_or(chat::Usage{});
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
    const auto asked = read_retry_after(head.headers);
    routing::InstanceState* const state = instance_state();
    if (state != nullptr && (asked || head.status == 429)) {
      routing::learn_concurrency_from_refusal(
          worker_.shared().routing.instances.gate(generation_.instance(attempt_->connection_index).slot()));
      routing::pause(*state, worker_.loop().now(), asked.value_or(kPauseDefault));
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
