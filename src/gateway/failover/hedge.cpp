// A second instance is asked when the first one has been silent for too long; who begins its answer first answers, and
// the other one is cancelled. Each is a leg: what the call knows of an attempt, put aside while both run.
#include <array>

#include "gateway/call/call.h"
#include "gateway/engines/waiting_room.h"
#include "gateway/failover/prefetched_exchange.h"
#include "routing/load/late_first_byte.h"

namespace llmgw::gateway {

using base::Error;
using base::Result;
using http::ResponseHead;
using net::Task;

struct Call::Leg {
  Attempt attempt;
  std::unique_ptr<Conversion> conversion;
  routing::Lease lease;
  std::span<uint32_t> ages;
  uint32_t blocks_expected = 0;
  bool probe = false;
  bool read_along = false;
  control::CallTimeouts timeouts;
  std::string_view route_text;
  // Of the run:
  std::unique_ptr<http::ClientExchange> upstream;
  const ResponseHead* head = nullptr;
  std::string first;  // bytes of the answer
  bool first_is_all = false;
  std::optional<Error> error;
  std::string_view waiting_for;
  base::Instant started_at{};
  base::Instant sent_at{};
  base::Duration own_time{0};  // of the gateway's, until the request was written
  bool done = false;

  bool good() const { return done && !error && head->status < 400; }
};

bool Call::hedges() const {
  return route().hedge.on && plan_.options.size() > 1 && kind_ != Kind::mirror && only_answers(match_.operation);
}

std::optional<base::Duration> Call::hedge_after() const {
  if (route().hedge.after.count() != 0) return route().hedge.after;
  const routing::InstanceState* const state = instance_state();
  return state != nullptr ? routing::late_first_byte(*state) : std::nullopt;
}

void Call::park(Leg& leg) {
  if (lease_.held()) worker_.room().forget_guess(lease_);
  leg.attempt = *attempt_;
  leg.conversion = std::move(conversion_);
  leg.lease = std::move(lease_);
  leg.ages = ages_;
  leg.blocks_expected = blocks_expected_;
  leg.probe = std::exchange(probe_, false);
  leg.read_along = read_along_;
  leg.timeouts = timeouts_;
  leg.route_text = route_text_;
}

void Call::unpark(Leg& leg) {
  attempt_ = leg.attempt;
  conversion_ = std::move(leg.conversion);
  lease_ = std::move(leg.lease);
  ages_ = leg.ages;
  blocks_expected_ = leg.blocks_expected;
  probe_ = leg.probe;
  read_along_ = leg.read_along;
  timeouts_ = leg.timeouts;
  route_text_ = leg.route_text;
  times_.sent_at = leg.sent_at;
  waiting_for_ = leg.waiting_for;
  series_ = nullptr;
}

Task<Result<const ResponseHead*>> Call::race_heads(std::unique_ptr<http::ClientExchange>& upstream) {
  net::Loop& loop = worker_.loop();
  const auto after = hedge_after();
  std::array<Leg, 2> legs;
  net::Signal changed(loop);
  {
    net::TaskGroup running;
    park(legs[0]);
    times_.asked_at = loop.precise_now();
    running.spawn(run_leg(legs[0], changed));
    const base::Instant hedge_at = after ? loop.now() + *after : base::kNever;
    while (!legs[0].done && loop.now() < hedge_at && !exchange_.cancellation().cancelled()) {
      (void)co_await changed.wait({hedge_at, &exchange_.cancellation()});
    }
    const bool late = !legs[0].done && !exchange_.cancellation().cancelled() && loop.now() < deadline_;
    bool second = late && co_await prepare_second();
    if (second) {
      park(legs[1]);
      running.spawn(run_leg(legs[1], changed));
    }
    legs[1].done = !second;
    while (!legs[0].good() && !(second && legs[1].good()) && !(legs[0].done && legs[1].done)) {
      auto waited = co_await changed.wait({base::kNever, &exchange_.cancellation()});
      if (!waited) break;
    }
    running.cancel_all();
    const bool second_wins = second && !legs[0].good() && legs[1].good();
    if (second) lose(legs[second_wins ? 0 : 1]);
    if (second_wins) worker_.metrics().count(telemetry::FailoverEvent::hedge_won);
    unpark(legs[second_wins ? 1 : 0]);
    Leg& winner = legs[second_wins ? 1 : 0];
    if (!winner.done) co_return base::fail(base::ErrorCode::cancelled, "the client has left");
    if (winner.error) co_return std::unexpected(*winner.error);
    // Between the first one's start and its own, the second had to wait for the first.
    times_.before = (times_.asked_at - exchange_.started_at()) - times_.queued - times_.discarded + winner.own_time;
    const bool any = winner.first_is_all || !winner.first.empty();
    upstream = any ? std::make_unique<PrefetchedExchange>(std::move(winner.upstream), std::move(winner.first),
                                                          winner.first_is_all)
                   : std::move(winner.upstream);
    co_return winner.head;
  }
}

// Whether there is another instance, and budget for it. On success the call is set up for it.
Task<bool> Call::prepare_second() {
  if (plan_.attempts >= route().attempts || !retry_budget().take()) co_return false;
  second_leg_ = true;
  const bool taken = take_free_instance();
  second_leg_ = false;
  if (!taken) co_return false;
  if (read_along_) {
    if (!co_await read_converted()) conversion_.reset();
    read_along_ = conversion_ != nullptr;
  } else if (conversion_ != nullptr) {
    if (attempt_->target.empty() || !co_await write_converted()) {
      end_attempt();
      co_return false;
    }
  }
  ++retries_;
  worker_.metrics().count(telemetry::FailoverEvent::hedge);
  worker_.log().info("another instance asked too",
                     {{"request_id", id_.view()}, {"connection", attempt_->connection->name}});
  co_return true;
}

Task<void> Call::run_leg(Leg& leg, net::Signal& changed) {
  leg.started_at = worker_.loop().now();
  auto opened = co_await open_leg(leg);
  if (!opened) leg.error = opened.error();
  leg.done = true;
  changed.notify();
}

Task<Result<void>> Call::open_leg(Leg& leg) {
  http::Pool& pool = generation_.pool(leg.attempt.connection_index);
  const bool converted = leg.conversion != nullptr && !leg.read_along;
  for (bool fresh = false; leg.head == nullptr; fresh = true) {
    leg.waiting_for = kConnectTimeout;
    CO_TRY(acquired, co_await pool.acquire(fresh, until(leg.timeouts.connect)));
    leg.upstream = std::move(acquired);
    const base::Instant connected_at = worker_.loop().precise_now();
    leg.waiting_for = kFirstByteTimeout;
    Result<void> sent = co_await send(*leg.upstream, leg.attempt, converted, until(leg.timeouts.first_byte));
    if (sent) {
      leg.sent_at = worker_.loop().now();
      leg.own_time = worker_.loop().precise_now() - connected_at;
      auto head = providers_own(co_await leg.upstream->read_head(until(leg.timeouts.first_byte)));
      if (head) leg.head = *head;
      if (!head) sent = base::fail(head.error());
    }
    if (leg.head != nullptr) break;
    if (fresh || exchange_.cancellation().cancelled() || !hit_closed_connection(*leg.upstream, sent.error())) {
      co_return base::fail(sent.error());
    }
    leg.upstream.reset();
  }
  if (leg.head->status >= 300) co_return Result<void>{};
  // Some send their head at once and think then: the first bytes of the answer count.
  CO_TRY(bytes, co_await leg.upstream->read_body(until(leg.timeouts.first_byte)));
  leg.first.assign(bytes.data.data(), bytes.data.size());
  leg.first_is_all = bytes.done;
  co_return Result<void>{};
}

// The other one was quicker, or this one failed. What it was sent its provider may charge.
void Call::lose(Leg& leg) {
  unpark(leg);
  if (leg.done && leg.error) {
    note_unanswered(*leg.error, leg.waiting_for);
    count_failed_attempt();
    blameless_ = false;
  } else if (leg.done && leg.head != nullptr) {
    note_status(*leg.head);
  }
  const bool charged = leg.sent_at != base::Instant{} && !exchange_.cancellation().cancelled() &&
                       (leg.head == nullptr || leg.head->status < 300);
  if (charged) {
    if (routing::InstanceState* const state = instance_state()) {
      routing::note_first_byte(*state, worker_.loop().now() - leg.sent_at);
    }
    charge_attempt(accounting::CallOutcome::cancelled, 0);
  }
  leg.upstream.reset();
  // The key's share is the winner's to settle.
  const auto share = std::exchange(charged_tokens_, 0);
  end_attempt();
  charged_tokens_ = share;
  conversion_.reset();
  series_ = nullptr;
}

}  // namespace llmgw::gateway
