// The call to the upstream and the way back: bytes pass through, nothing is re-encoded.
#include <algorithm>
#include <array>

#include "dialects/error.h"
#include "dialects/stream_end.h"
#include "gateway/call/call.h"
#include "gateway/call/event_stream_tap.h"
#include "gateway/call/kept_piece.h"
#include "gateway/call/retry_after.h"
#include "gateway/entrance/header_rules.h"
#include "gateway/failover/first_content.h"
#include "gateway/failover/hold_back.h"
#include "routing/load/late_first_byte.h"

namespace llmgw::gateway {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Instant;
using base::Result;
using chat::ErrorKind;
using http::ClientExchange;
using http::HeaderId;
using http::ResponseHead;
using net::Task;
using net::Wait;

// Recorded streams, compressed event by event, have 15 bytes for a token of the answer in the median.
constexpr uint64_t kCodedBytesPerTextByte = 4;

// Statuses that say something of the instance, not of the request.
bool another_may_answer(uint16_t status) {
  return status >= 500 || status == 401 || status == 403 || status == 404 || status == 408 || status == 429;
}

// A failed attempt as it will be told if no other one gives an answer.
chat::ClientError status_error(const ResponseHead& head) {
  if (head.status == 429) {
    return {.kind = ErrorKind::rate_limited,
            .message = "all providers of the model ask to be called later",
            .retry_after = read_retry_after(head.headers)};
  }
  return {.kind = head.status == 503 ? ErrorKind::overloaded : ErrorKind::upstream_failed,
          .message = "no provider of the model gave an answer",
          .retry_after = read_retry_after(head.headers)};
}

}  // namespace

Wait Call::until(base::Duration timeout) const {
  return {std::min(deadline_, worker_.loop().now() + timeout), &exchange_.cancellation()};
}

Wait Call::until_next_piece(base::Duration timeout, Instant last_piece) const {
  Wait wait = until(timeout);
  if (last_piece != Instant{}) wait.order = net::Order::continuation;
  return wait;
}

// Each limit with its own words, code and metric.
chat::ClientError Call::timeout_error() {
  timed_out_ = worker_.loop().now() >= deadline_ ? kTotalTimeout : waiting_for_;
  std::string_view message = "the provider's answer stopped in the middle: idle_timeout";
  if (timed_out_ == kTotalTimeout) message = "the provider did not answer in time: total_timeout";
  if (timed_out_ == kConnectTimeout) message = "the provider did not answer in time: connect_timeout";
  if (timed_out_ == kFirstByteTimeout) message = "the provider did not answer in time: first_byte_timeout";
  return {.kind = ErrorKind::upstream_timeout, .message = message, .code = timed_out_};
}

// What an upstream's failure is to the client. The upstream's address is not the client's business.
chat::ClientError Call::upstream_error(const Error& error) {
  switch (error.code) {
    case ErrorCode::deadline_exceeded: return timeout_error();
    case ErrorCode::exhausted:
      return {.kind = ErrorKind::overloaded, .message = "no connection to the provider is free"};
    case ErrorCode::refused:
    case ErrorCode::unreachable:
    case ErrorCode::name_not_found:
      return {.kind = ErrorKind::upstream_failed, .message = "the provider cannot be reached"};
    case ErrorCode::tls:
      return {.kind = ErrorKind::upstream_failed, .message = "the secure connection to the provider failed"};
    case ErrorCode::protocol:
    case ErrorCode::too_large:
      return {.kind = ErrorKind::upstream_failed, .message = "the provider's answer is not valid HTTP"};
    case ErrorCode::invalid_argument:
      return {.kind = ErrorKind::invalid_request, .message = "a header of the request cannot be sent to the provider"};
    case ErrorCode::permission:
      return {.kind = ErrorKind::upstream_failed, .message = "the provider refuses this gateway's credential"};
    case ErrorCode::internal: return {.kind = ErrorKind::internal, .message = "internal error of the gateway"};
    default: return {.kind = ErrorKind::upstream_failed, .message = "the connection to the provider broke"};
  }
}

// The server had closed the idle connection before it saw our request. Repeating is safe: nothing was received.
bool Call::hit_closed_connection(const ClientExchange& upstream, const Error& error) {
  return upstream.reused() && !upstream.received_any() &&
         (error.code == ErrorCode::closed || error.code == ErrorCode::reset);
}

void Call::warn_of_failure(const Error& error) {
  const control::Connection& connection = *attempt_->connection;
  const std::string proxy = worker_.proxy_name(connection);
  if (proxy.empty()) {
    return worker_.log().warn("upstream failed",
                              {{"request_id", id_.view()}, {"connection", connection.name}, {"error", error}});
  }
  worker_.log().warn("upstream failed",
                     {{"request_id", id_.view()}, {"connection", connection.name}, {"proxy", proxy}, {"error", error}});
}

Task<bool> Call::attempt() {
  text_.reset();
  text_bytes_ = 0;
  std::unique_ptr<ClientExchange> upstream;
  auto head = hedges() ? co_await race_heads(upstream) : co_await exchange_heads(upstream);
  if (!head) {
    if (exchange_.cancellation().cancelled()) {
      exchange_.abort();
      co_return false;
    }
    warn_of_failure(head.error());
    const chat::ClientError told = upstream_error(head.error());
    // What is wrong with the request is wrong everywhere.
    if (head.error().code != ErrorCode::invalid_argument) {
      note_unanswered(head.error(), waiting_for_);
      if (may_retry(told)) co_return true;
    }
    co_await refuse(told);
    co_return false;
  }
  upstream_status_ = (*head)->status;
  note_status(**head);
  // Neither the upgrade nor an error: it does not know what it was asked.
  const bool odd = match_.websocket && upstream_status_ / 100 == 2;
  if (odd) note_failure(false);
  if ((odd || another_may_answer(upstream_status_)) && may_retry(status_error(**head))) co_return true;
  co_await net::send_turn(worker_.loop());
  const bool reads = conversion_ != nullptr && (!read_along_ || upstream_status_ < 300);
  if (reads) co_return co_await relay_converted(upstream, **head);
  if ((*head)->status != 101) co_return co_await relay(*upstream, **head);
  co_await relay_websocket(*upstream, **head);
  co_return false;
}

Task<Result<const ResponseHead*>> Call::exchange_heads(std::unique_ptr<ClientExchange>& upstream) {
  const control::CallTimeouts& timeouts = timeouts_;
  const uint32_t index = attempt_->connection_index;
  http::Pool& pool = match_.websocket ? worker_.http1_pool(generation_, index) : generation_.pool(index);
  for (bool fresh = false;; fresh = true) {
    base::Duration connecting{0};
    if (!fresh) upstream = pool.acquire_ready();
    if (upstream == nullptr) {
      const Instant wanted_at = worker_.loop().precise_now();
      waiting_for_ = kConnectTimeout;
      CO_TRY(acquired, co_await pool.acquire(fresh, until(timeouts.connect)));
      upstream = std::move(acquired);
      if (!upstream->reused()) connecting = worker_.loop().precise_now() - wanted_at;
    }
    waiting_for_ = kFirstByteTimeout;
    auto sent = co_await send(*upstream, *attempt_, conversion_ != nullptr && !read_along_, until(timeouts.first_byte));
    if (sent) {
      sent_at_ = worker_.loop().now();
      before_ = (worker_.loop().precise_now() - exchange_.started_at()) - connecting - queued_;
      auto head = co_await upstream->read_head(until(timeouts.first_byte));
      if (head && ((*head)->status != 401 || !replace_token())) co_return *head;
      if (head) {
        upstream.reset();
        continue;
      }
      sent = fail(head.error());
    }
    // A client that left ends the wait with the same error as a connection that was closed.
    if (fresh || exchange_.cancellation().cancelled() || !hit_closed_connection(*upstream, sent.error())) {
      co_return fail(sent.error());
    }
    ++retries_;
    // Its place in the pool first: where there are no more, requests that hold a dead one would wait for each other.
    upstream.reset();
  }
}

Task<Result<void>> Call::send(ClientExchange& upstream, const Attempt& attempt, bool converted, Wait wait) {
  const http::RequestHead& head = exchange_.head();
  const control::Connection& connection = *attempt.connection;
  http::Headers headers;
  const bool fits =
      converted
          ? converted_request_headers(head.headers, connection.upstream, id_.view(), streams(), headers)
          : upstream_request_headers(head.headers, connection.upstream, id_.view(), match_.websocket, arena_, headers);
  if (!fits) {
    co_return fail(ErrorCode::invalid_argument, "too many headers");
  }
  CO_TRY_VOID(co_await add_credentials(headers, attempt, converted));
  const Generation::PlainProxy& proxy = generation_.plain_proxy(attempt.connection_index);
  std::string_view target = attempt.target;
  if (!proxy.origin.empty()) target = arena_.concat(proxy.origin, target);
  if (!proxy.authorization.empty()) headers.append(HeaderId::proxy_authorization, proxy.authorization.reveal());
  std::array<iovec, 2 * json::kEditsMax + 1> body;
  size_t count = 0;
  for (const std::string_view part : attempt.body.parts()) body[count++] = net::buffer_of(part);
  const http::RequestStart request{.method = converted ? std::string_view("POST") : head.method_text,
                                   .target = target,
                                   .scheme = connection.upstream.endpoint.tls ? "https" : "http",
                                   .authority = connection.upstream.endpoint.authority,
                                   .headers = &headers,
                                   .body = {body.data(), count},
                                   .upgrade = match_.websocket ? std::string_view("websocket") : std::string_view{}};
  co_await net::send_turn(worker_.loop());
  co_return co_await upstream.send(request, wait);
}

Result<void> Call::start_answer(const ResponseHead& head) {
  http::Headers headers;
  if (!client_response_headers(head.headers, id_.view(), headers)) {
    return fail(ErrorCode::too_large, "too many headers");
  }
  if (!route_text_.empty()) headers.append(kRouteHeader, route_text_);
  add_limit_headers(headers);
  status_ = head.status;
  const bool sized = head.framing == http::Framing::content_length || head.framing == http::Framing::none;
  return exchange_.start({.status = head.status,
                          .headers = &headers,
                          .framing = sized ? head.framing : http::Framing::until_close,
                          .content_length = head.content_length});
}

// What is kept back of this attempt's stream: by default more where the instance has failed lately.
Call::HoldWindow Call::hold_window() const {
  const control::HoldBackSettings& settings = route().hold_back;
  if (settings.adaptive && !suspect()) return {.contents = 1};
  return {.contents = settings.contents, .time = settings.time};
}

// Keeps an answer back until it can be believed in, or is a refusal that another model may not share.
Task<Call::Beginning> Call::hold_back(ClientExchange& upstream, const ResponseHead& head, chat::Framing framing) {
  Beginning beginning;
  const HoldWindow window = hold_window();
  HoldBack hold(std::max(window.contents, 1U), framing, worker_.parser());
  Instant ends = base::kNever;
  waiting_for_ = kIdleTimeout;
  for (;;) {
    Wait wait = until(timeouts_.idle);
    wait.deadline = std::min(wait.deadline, ends);
    auto bytes = co_await upstream.read_body(wait);
    const bool window_over = ends != base::kNever && worker_.loop().now() >= ends;
    if (!bytes && window_over && bytes.error().code == ErrorCode::deadline_exceeded) bytes = http::BodyBytes{};
    if (!bytes) {
      co_await give_up_beginning(bytes.error(), beginning);
      co_return beginning;
    }
    beginning.done = bytes->done;
    const HoldBack::State state = hold.feed({bytes->data.data(), bytes->data.size()}, bytes->done);
    if (head.status < 400 && state == HoldBack::State::failed) {
      note_failure(false);
      beginning.retry =
          may_retry({.kind = ErrorKind::upstream_failed, .message = "the provider's answer begins with an error"});
    }
    if (state == HoldBack::State::holding && !window_over) {
      const bool starts = window.time.count() != 0 && ends == base::kNever && hold.any_content();
      if (starts) ends = worker_.loop().now() + window.time;
      continue;
    }
    beginning.bytes = std::move(hold.bytes());
    if (head.status >= 400) beginning.retry = judge_refusal(head, beginning);
    co_return beginning;
  }
}

// Nothing has gone out yet: another attempt, or the client is told.
Task<void> Call::give_up_beginning(const Error& error, Beginning& beginning) {
  beginning.over = true;
  if (exchange_.cancellation().cancelled()) co_return exchange_.abort();
  const chat::ClientError told = upstream_error(error);
  note_failure(false);
  beginning.retry = may_retry(told);
  beginning.over = !beginning.retry;
  if (beginning.over) co_await refuse(told);
}

bool Call::judge_refusal(const ResponseHead& head, Beginning& beginning) {
  if (head.status < 400 || !wants_other_model(beginning.bytes)) return false;
  skip_model_ = true;
  return may_retry({.kind = ErrorKind::invalid_request, .message = "the model does not take the prompt"});
}

Task<bool> Call::relay(ClientExchange& upstream, const ResponseHead& head) {
  if (counts_tokens(match_.operation) && head.status >= 400) {
    co_await relay_count_refusal(upstream, head);
    co_return false;
  }
  if (unwraps(head)) {
    co_await relay_unwrapped(upstream, head);
    co_return false;
  }
  const chat::Framing framed = framing_of(head.headers.value(HeaderId::content_type));
  const bool refusal = (head.status == 400 || head.status == 413) && may_fall_back(route());
  const bool matters = refusal || (head.status < 300 && could_retry() && hold_window().contents != 0);
  const bool holds = matters && !match_.websocket && head.headers.value(HeaderId::content_encoding).empty();
  std::optional<Beginning> beginning;
  if (holds) {
    const bool array = framed == chat::Framing::json && framing() == chat::Framing::json_array && head.status < 300;
    beginning = co_await hold_back(upstream, head, array ? chat::Framing::json_array : framed);
    if (beginning->retry) co_return true;
    if (beginning->over) co_return false;
  }
  if (head.status >= 300 && framed == chat::Framing::json) {
    co_await relay_words(upstream, head, beginning ? &*beginning : nullptr);
    co_return false;
  }
  if (auto started = start_answer(head); !started) {
    co_await refuse(upstream_error(started.error()));
    co_return false;
  }
  if (framed == chat::Framing::event_stream) {
    co_await relay_event_stream(upstream, head, beginning ? &*beginning : nullptr);
  } else {
    co_await relay_body(upstream, head, beginning ? &*beginning : nullptr);
  }
  co_return false;
}

Task<void> Call::relay_body(ClientExchange& upstream, const ResponseHead& head, Beginning* beginning) {
  const bool streams = framing_of(head.headers.value(HeaderId::content_type)) == chat::Framing::sse;
  if (head.status < 300) {
    usage_.emplace(match_.dialect, streams ? chat::Framing::sse : framing());
    if (Call::streams() && head.headers.value(HeaderId::content_encoding).empty()) text_.emplace(match_.dialect);
    look_for_details(streams ? chat::Framing::sse : framing(), head.headers);
  }
  // A document leaves in one piece with its head; a stream's client may be waiting for the head alone.
  if (streams && beginning == nullptr && !upstream.body_at_hand()) co_await exchange_.flush();

  const base::Duration idle_timeout = timeouts_.idle;
  waiting_for_ = kIdleTimeout;
  // What the client asked for is not always what comes: an error event has a place only in a stream.
  const bool array = head.status < 300 && framing() == chat::Framing::json_array;
  const chat::Framing shape = streams ? chat::Framing::sse : array ? chat::Framing::json_array : chat::Framing::json;
  dialects::StreamBoundary boundary(shape);
  // Where only the end of the connection ends the stream, a cut looks like an end: the stream itself must have said so.
  std::optional<dialects::StreamEnd> end;
  if (streams && head.framing == http::Framing::until_close) end.emplace(match_.dialect);
  if (streams && match_.dialect == chat::Dialect::openai_responses) cursor_.emplace();
  FirstContent content;
  Instant last_piece{};
  for (;;) {
    Result<http::BodyBytes> bytes;
    if (beginning != nullptr) {
      bytes = http::BodyBytes{.data = beginning->bytes, .done = beginning->done};
      beginning = nullptr;
    } else {
      bytes = co_await upstream.read_body(until_next_piece(idle_timeout, last_piece));
    }
    if (!bytes) co_return co_await break_off(bytes.error(), shape, boundary.at_boundary());
    std::string_view data(bytes->data.data(), bytes->data.size());
    if (usage_) usage_->feed(data);
    if (text_) {
      text_->feed(data);
    } else if (usage_) {
      text_bytes_ += data.size() / kCodedBytesPerTextByte;
    }
    if (details_) details_->feed(data);
    boundary.feed(data);
    if (cursor_) cursor_->feed(data);
    if (end && !data.empty()) end->feed(data);
    // [DONE] is the whole event, also without the empty line that some servers leave out.
    const bool whole =
        !end || (end->seen() && (boundary.at_boundary() || match_.dialect == chat::Dialect::openai_chat));
    const bool done = bytes->done;
    const Instant arrived = worker_.loop().now();
    KeptPiece kept;
    net::SendTurn turn(worker_.loop(), net::Order::continuation);
    if (last_piece != Instant{} && !turn.await_ready() && kept.keep(data)) co_await turn;
    const iovec buffer = net::buffer_of(data);
    if (done && whole) account();
    auto written = co_await exchange_.write({&buffer, data.empty() ? size_t{0} : size_t{1}}, done && whole);
    if (!written) co_return exchange_.abort();
    if (after_.count() < 0) after_ = worker_.loop().precise_now() - arrived;
    if (!streams || (!data.empty() && content.feed(data))) note_piece(streams, arrived, last_piece);
    if (done && !whole) {
      co_return co_await break_off({ErrorCode::closed, "the stream has no end"}, shape, boundary.at_boundary());
    }
    if (done) {
      if (head.status < 400) note_success();
      co_return;
    }
  }
}

// AWS's binary frames: passed on as they come, too.
Task<void> Call::relay_event_stream(ClientExchange& upstream, const ResponseHead& head, Beginning* beginning) {
  using Payload = EventStreamTap::Payload;
  constexpr auto kShape = chat::Framing::event_stream;
  const bool invoked = match_.operation == Operation::invoke_stream;
  const chat::Dialect dialect = invoked ? chat::Dialect::anthropic : match_.dialect;
  usage_.emplace(dialect, kShape);
  text_.emplace(dialect);
  look_for_details(kShape, head.headers);
  EventStreamTap tap(invoked ? Payload::wrapped : Payload::plain);
  const bool cut_looks_whole = head.framing == http::Framing::until_close && head.version != http::Version::http_2;
  if (beginning == nullptr && !upstream.body_at_hand()) co_await exchange_.flush();
  waiting_for_ = kIdleTimeout;
  Instant last_piece{};
  for (;;) {
    Result<http::BodyBytes> bytes;
    if (beginning != nullptr) {
      bytes = http::BodyBytes{.data = beginning->bytes, .done = beginning->done};
      beginning = nullptr;
    } else {
      bytes = co_await upstream.read_body(until_next_piece(timeouts_.idle, last_piece));
    }
    if (!bytes) co_return co_await break_off(bytes.error(), kShape, tap.at_boundary());
    const std::string_view data(bytes->data.data(), bytes->data.size());
    tap.feed(data, {.usage = &*usage_, .text = &*text_, .details = details_ ? &*details_ : nullptr});
    const bool may_end = tap.at_boundary() && (tap.ended() || !cut_looks_whole);
    const iovec buffer = net::buffer_of(data);
    const Instant arrived = worker_.loop().now();
    const bool done = bytes->done;
    if (done && may_end) account();
    auto written = co_await exchange_.write({&buffer, data.empty() ? size_t{0} : size_t{1}}, done && may_end);
    if (!written) co_return exchange_.abort();
    if (after_.count() < 0) after_ = worker_.loop().precise_now() - arrived;
    if (!data.empty() && tap.content()) note_piece(true, arrived, last_piece);
    if (done && !may_end) {
      co_return co_await break_off({ErrorCode::closed, "the stream has no end"}, kShape, tap.at_boundary());
    }
    if (done) co_return note_success();
  }
}

void Call::note_piece(bool streams, Instant arrived, Instant& last_piece) {
  if (last_piece == Instant{}) {
    if (route().hedge.on) [[unlikely]] {
      if (routing::InstanceState* const state = lease_.held() ? instance_state() : nullptr) {
        routing::note_first_byte(*state, arrived - sent_at_);
      }
    }
    if (lease_.held()) note_computed(arrived, streams);
    if (after_.count() < 0) after_ = worker_.loop().precise_now() - arrived;
    if (streams) first_token_ = arrived - exchange_.started_at();
  } else if (streams) {
    series().record_token_gap(arrived - last_piece);
  }
  last_piece = arrived;
}

void Call::warn_of_break(const Error& error) {
  worker_.log().warn("upstream broke off",
                     {{"request_id", id_.view()}, {"connection", attempt_->connection->name}, {"error", error}});
}

// The upstream broke off in the middle of its answer. The client must not take what it has for the whole.
Task<void> Call::break_off(const Error& error, chat::Framing shape, bool between_events) {
  if (exchange_.cancellation().cancelled()) co_return exchange_.abort();
  note_failure(false);
  chat::ClientError told = upstream_error(error);
  if (error.code != ErrorCode::deadline_exceeded) {
    told.message = "the connection to the provider broke before its answer was complete";
  }
  error_ = told.kind;
  warn_of_break(error);
  std::string event;
  if (between_events && shape == chat::Framing::event_stream) {
    const dialects::StreamException exception = dialects::write_stream_exception(told);
    http::append_event_stream_exception(event, exception.type, exception.payload);
  } else if (between_events) {
    dialects::StreamState stream;
    stream.model = model_;
    if (cursor_) {
      stream.next_sequence_number = cursor_->next_sequence_number();
      stream.response_id = cursor_->id();
      stream.created_at = cursor_->created_at();
    }
    event = dialects::write_stream_error(match_.dialect, shape, told, id_.view(), stream);
  }
  if (!event.empty()) {
    account();
    const iovec buffer = net::buffer_of(event);
    // The event says that it is over; the transfer itself ends in order, so that every client gets to see it.
    auto written = co_await exchange_.write({&buffer, 1}, true);
    if (written) co_return;
  }
  exchange_.abort();
}

}  // namespace llmgw::gateway
