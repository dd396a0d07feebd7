// The call to the upstream, and what becomes of its answer's head.
#include <algorithm>
#include <array>

#include "dialects/provider_error.h"
#include "gateway/call/call.h"
#include "gateway/call/own_headers.h"
#include "gateway/call/plain_view.h"
#include "gateway/call/retry_after.h"
#include "gateway/call/stream_ending.h"
#include "gateway/entrance/header_rules.h"
#include "gateway/failover/first_error.h"
#include "gateway/failover/hold_back.h"
#include "net/dial.h"

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

// Statuses that say something of the instance, not of the request.
bool another_may_answer(uint16_t status) {
  return status >= 500 || status == 401 || status == 403 || status == 404 || status == 408 || status == 429;
}

// A failed attempt as it will be told if no other one gives an answer.
chat::ClientError status_error(const ResponseHead& head, base::WallTime now) {
  if (head.status == 429) {
    return {.kind = ErrorKind::rate_limited,
            .message = "all providers of the model ask to be called later",
            .retry_after = read_retry_after(head.headers, now)};
  }
  const bool overloaded = dialects::kind_of_status(head.status) == ErrorKind::overloaded;
  return {.kind = overloaded ? ErrorKind::overloaded : ErrorKind::upstream_failed,
          .message = "no provider of the model gave an answer",
          .retry_after = read_retry_after(head.headers, now)};
}

// What a forward proxy did not let through: it is the operator's, who alone can mend it. Empty: it was not the proxy.
std::string_view proxy_refusal(const Error& error) {
  const std::string_view context = error.context;
  if (context == net::kProxyWantsCredentials) {
    return "the proxy on the way to the provider refused this gateway: the operator has to set the proxy's user and "
           "password";
  }
  if (context == net::kProxyRefusesTarget) {
    return "the proxy on the way to the provider refused this gateway: the operator has to allow the provider there, "
           "or to set the proxy's user and password";
  }
  if (error.code == ErrorCode::tls && context.starts_with(net::kProxyTls)) {
    return "the secure connection to the proxy on the way to the provider failed";
  }
  if (context == net::kProxyCannotReach) return "the proxy on the way to the provider did not open a connection to it";
  return {};
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
  timed_out_ = worker_.loop().now() >= deadline_ ? deadline_setting_ : waiting_for_;
  std::string_view message = "the provider's answer stopped in the middle: idle_timeout";
  if (timed_out_ == kTotalTimeout) message = "the provider did not answer in time: total_timeout";
  if (timed_out_ == kRequestTimeout) message = "the call took longer than this gateway lets any take: request_timeout";
  if (timed_out_ == kConnectTimeout) message = "the provider did not answer in time: connect_timeout";
  if (timed_out_ == kFirstByteTimeout) message = "the provider did not answer in time: first_byte_timeout";
  return {.kind = ErrorKind::upstream_timeout, .message = message, .code = timed_out_};
}

// What an upstream's failure is to the client. The upstream's address is not the client's business.
chat::ClientError Call::upstream_error(const Error& error) {
  if (const std::string_view told = proxy_refusal(error); !told.empty()) {
    return {.kind = ErrorKind::upstream_failed, .message = told};
  }
  switch (error.code) {
    case ErrorCode::deadline_exceeded:
      if (std::string_view(error.context) == http::kNoHttp2Settings) waiting_for_ = kConnectTimeout;
      return timeout_error();
    case ErrorCode::exhausted:
      return {.kind = ErrorKind::overloaded, .message = "no connection to the provider is free"};
    case ErrorCode::refused:
    case ErrorCode::unreachable:
    case ErrorCode::name_not_found:
      return {.kind = ErrorKind::upstream_failed, .message = "the provider cannot be reached"};
    case ErrorCode::tls:
      return {.kind = ErrorKind::upstream_failed, .message = "the secure connection to the provider failed"};
    case ErrorCode::protocol:
      return {.kind = ErrorKind::upstream_failed, .message = "the provider's answer is not valid HTTP"};
    case ErrorCode::too_large:
      return {.kind = ErrorKind::upstream_failed, .message = "the provider's answer is too large for this gateway"};
    case ErrorCode::invalid_argument:
      return {.kind = ErrorKind::invalid_request, .message = "a header of the request cannot be sent to the provider"};
    case ErrorCode::permission:
      return {.kind = ErrorKind::upstream_failed, .message = "the provider refuses this gateway's credential"};
    case ErrorCode::internal: return {.kind = ErrorKind::internal, .message = "internal error of the gateway"};
    default: return {.kind = ErrorKind::upstream_failed, .message = "the connection to the provider broke"};
  }
}

// A proxy that forwards the request without a tunnel may want credentials: it means this gateway, not its client.
Result<const ResponseHead*> Call::providers_own(Result<const ResponseHead*> head) {
  constexpr uint16_t kProxyAuthenticationRequired = 407;
  if (!head || (*head)->status != kProxyAuthenticationRequired) return head;
  return fail(ErrorCode::permission, net::kProxyWantsCredentials);
}

// The server had closed the idle connection before it saw our request: repeating is safe. One that closes later had the
// request, and what it did with it nobody knows; that is a failure like any other.
bool Call::hit_closed_connection(const ClientExchange& upstream, const Error& error) {
  return (error.code == ErrorCode::closed || error.code == ErrorCode::reset) && upstream.may_repeat();
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
  blameless_ = false;
  std::unique_ptr<ClientExchange> upstream;
  auto head = hedges() ? co_await race_heads(upstream) : co_await exchange_heads(upstream);
  if (!head) {
    if (exchange_.cancellation().cancelled()) {
      give_up();
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
  if ((odd || another_may_answer(upstream_status_)) && may_retry(status_error(**head, worker_.loop().wall_now())))
    co_return true;
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
    times_.asked_at = worker_.loop().precise_now();
    if (!fresh) upstream = pool.acquire_ready();
    if (upstream == nullptr) {
      waiting_for_ = kConnectTimeout;
      CO_TRY(acquired, co_await pool.acquire(fresh, until(timeouts.connect)));
      upstream = std::move(acquired);
      if (!upstream->reused()) connecting = worker_.loop().precise_now() - times_.asked_at;
    }
    waiting_for_ = kFirstByteTimeout;
    auto sent = co_await send(*upstream, *attempt_, conversion_ != nullptr && !read_along_, until(timeouts.first_byte));
    if (sent) {
      times_.sent_at = worker_.loop().now();
      times_.asked_at = worker_.loop().precise_now() - connecting;
      // A stream that is continued has begun: what it waits for now is its upstreams' time.
      if (!continuing_) times_.before = (times_.asked_at - exchange_.started_at()) - times_.queued - times_.discarded;
      auto head = providers_own(co_await upstream->read_head(until(timeouts.first_byte)));
      if (head && ((*head)->status != 401 || !replace_token())) co_return *head;
      if (head) {
        note_discarded();
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
    note_discarded();
    // Its place in the pool first: where there are no more, requests that hold a dead one would wait for each other.
    upstream.reset();
  }
}

Task<Result<void>> Call::send(ClientExchange& upstream, const Attempt& attempt, bool converted, Wait wait) {
  const http::RequestHead& head = exchange_.head();
  const control::Connection& connection = *attempt.connection;
  http::Headers headers;
  const bool fits =
      converted && !attempt.own_api
          ? converted_request_headers(head.headers, connection.upstream, id_.view(), streams(), headers)
          : upstream_request_headers(head.headers, connection.upstream, id_.view(), match_.websocket, arena_, headers);
  if (!fits || !add_betas(headers, converted ? attempt.betas : body_betas_) ||
      !add_hops(headers, connection.upstream)) {
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

bool Call::add_hops(http::Headers& headers, const providers::Upstream& upstream) {
  if (!upstream.endpoint_is_set) return true;
  const int64_t hops = has_own_headers_ ? hops_of(exchange_.head().headers) : 0;
  return headers.append(kHopsHeader, hops == 0 ? "1" : arena_.copy(std::to_string(hops + 1)));
}

Result<void> Call::start_answer(const ResponseHead& head) {
  http::Headers headers;
  if (!client_response_headers(head.headers, id_.view(), headers)) {
    return fail(ErrorCode::too_large, "too many headers");
  }
  if (!route_text_.empty()) headers.append(kRouteHeader, route_text_);
  if (!attempt_->warnings.empty()) headers.append(kWarningsHeader, attempt_->warnings);
  add_governance_headers(headers);
  status_ = head.status;
  // A stream's length may change on the way: see error_filter.h.
  const bool document = framing_of(head.headers.value(HeaderId::content_type)) == chat::Framing::json &&
                        (head.status >= 300 || framing() != chat::Framing::json_array);
  const bool sized = (document && head.framing == http::Framing::content_length) || head.framing == http::Framing::none;
  return exchange_.start({.status = head.status,
                          .headers = &headers,
                          .framing = sized ? head.framing : http::Framing::until_close,
                          .content_length = head.content_length});
}

// What is kept back of this attempt's stream: by default more where the instance has failed lately.
HoldWindow Call::hold_window() const {
  const control::HoldBackSettings& settings = route().hold_back;
  if (settings.adaptive && !suspect()) return {.contents = 1};
  return {.contents = settings.contents, .time = settings.time};
}

// Keeps an answer back until it can be believed in, or is a refusal that another model may not share.
Task<Beginning> Call::hold_back(ClientExchange& upstream, const ResponseHead& head, chat::Framing framing) {
  Beginning beginning;
  const HoldWindow window = hold_window();
  HoldBack hold(std::max(window.contents, 1U), held_answer(head, framing), worker_.parser());
  const std::unique_ptr<Transcoder> watch = watch_native(head, framing);
  PlainView view(head.headers.value(HeaderId::content_encoding));
  std::string coded;
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
    const std::string_view came(bytes->data.data(), bytes->data.size());
    const std::string_view piece = view.read(came);
    if (view.coded()) coded.append(came);
    if (!view.readable()) {
      beginning.bytes = std::move(coded);
      co_return beginning;
    }
    const HoldBack::State state = hold.feed(piece, bytes->done);
    if (watch != nullptr) watch->feed(piece);
    if (watch != nullptr && bytes->done) watch->finish();
    const bool silent = watch != nullptr && !watch->over() && !watch->said_anything() && !bytes->done &&
                        state != HoldBack::State::failed && state != HoldBack::State::cut &&
                        hold.bytes().size() < kHeldBytesMax;
    if ((state == HoldBack::State::holding || silent) && !window_over) {
      const bool starts = window.time.count() != 0 && ends == base::kNever && hold.any_content();
      if (starts) ends = worker_.loop().now() + window.time;
      continue;
    }
    beginning.bytes = std::move(hold.bytes());
    judge_beginning(head, framing, state, beginning);
    if (!beginning.retry && watch != nullptr && watch->withheld()) {
      beginning.retry = ask_other_after_filter(watch->usage());
    }
    // It goes as it came.
    if (view.coded()) beginning.bytes = std::move(coded);
    co_return beginning;
  }
}

HoldBack::Answer Call::held_answer(const ResponseHead& head, chat::Framing framing) const {
  return {.asked = {.operation = match_.operation, .dialect = match_.dialect, .stream = streams()},
          .framing = framing,
          .type = document_type(head.headers.value(HeaderId::content_type)),
          .to_close = only_close_ends(head)};
}

// An answer that begins with an error, is none, or stops before its end.
void Call::judge_beginning(const ResponseHead& head, chat::Framing framing, HoldBack::State state,
                           Beginning& beginning) {
  if (head.status >= 400) {
    beginning.retry = may_fall_back(route()) && ask_other_model(refusal_of(head, beginning.bytes));
    return;
  }
  const bool cut = state == HoldBack::State::cut;
  if (state != HoldBack::State::failed && !cut) return;
  const auto said =
      first_error(codec_of(body_dialect(match_.operation, match_.dialect)), framing, beginning.bytes, native_context());
  beginning.retry = said && ask_other_model(*said);
  if (beginning.retry) return;
  // As with a status of 400: it goes to the client, and the instance is none the worse for it.
  if (said && dialects::is_callers_fault(said->kind)) {
    error_ = said->kind;
    return;
  }
  beginning.retry = may_retry({.kind = ErrorKind::upstream_failed,
                               .message = cut ? "the provider's answer ended before it was complete"
                                              : "the provider's answer is an error, or no answer"});
  if (beginning.retry) note_failure(false);
  // What it is shows when it is passed on.
  if (!beginning.retry) error_ = ErrorKind::upstream_failed;
}

dialects::ReadContext Call::native_context() {
  return {.parser = worker_.parser(), .arena = arena_, .id_seed = id_.view()};
}

// What reads an answer of the client's own API to see whether a filter withholds it. Null: nobody wants to know.
std::unique_ptr<Transcoder> Call::watch_native(const ResponseHead& head, chat::Framing framing) {
  const dialects::Codec* const codec = dialects::find_codec(body_dialect(match_.operation, match_.dialect));
  const bool held = framing == chat::Framing::json || hold_window().contents != 0;
  if (head.status >= 300 || codec == nullptr || !held || !watches_filter()) return nullptr;
  const Transcoder::Sides sides{
      .provider = *codec,
      .client = *codec,
      .read = native_context(),
      .write = {.parser = worker_.writer_parser(), .arena = arena_, .request_id = {}, .model = {}},
      .upstream_framing = framing,
      .upstream_wrapped = match_.operation == Operation::invoke_stream || unwraps(head),
      .only_read = true};
  return std::make_unique<Transcoder>(sides);
}

// Nothing has gone out yet: another attempt, or the client is told.
Task<void> Call::give_up_beginning(const Error& error, Beginning& beginning) {
  beginning.over = true;
  if (exchange_.cancellation().cancelled()) co_return give_up();
  const chat::ClientError told = upstream_error(error);
  note_broken(error);
  beginning.retry = may_retry(told);
  beginning.over = !beginning.retry;
  if (beginning.over) co_await refuse(told);
}

Task<bool> Call::relay(ClientExchange& upstream, const ResponseHead& head) {
  if (counts_tokens(match_.operation) && head.status >= 400) {
    co_await relay_count_refusal(upstream, head);
    co_return false;
  }
  const chat::Framing framed = framing_of(head.headers.value(HeaderId::content_type));
  const bool refusal = (head.status == 400 || head.status == 413 || head.status == 422) && may_fall_back(route());
  const bool window = hold_window().contents != 0;
  const bool filter = watches_filter() && (window || framed == chat::Framing::json);
  const bool matters = refusal || (head.status < 300 && ((could_retry() && window) || filter));
  const bool holds =
      matters && !match_.websocket && PlainView(head.headers.value(HeaderId::content_encoding)).readable();
  std::optional<Beginning> beginning;
  if (holds) {
    const bool array = framed == chat::Framing::json && framing() == chat::Framing::json_array && head.status < 300;
    beginning = co_await hold_back(upstream, head, array ? chat::Framing::json_array : framed);
    if (beginning->retry) co_return true;
    if (beginning->over) co_return false;
  }
  http::BodyBytes first;
  if (beginning) first = {.data = beginning->bytes, .done = beginning->done};
  if (unwraps(head)) {
    co_await relay_unwrapped(upstream, head, beginning ? &first : nullptr);
    co_return false;
  }
  if (head.status >= 300) {
    co_await relay_words(upstream, head, beginning ? &*beginning : nullptr);
    co_return false;
  }
  if (framed == chat::Framing::json && is_words(head)) {
    co_await relay_document(upstream, head, beginning ? &*beginning : nullptr);
    co_return false;
  }
  if (auto started = start_answer(head); !started) {
    co_await refuse(upstream_error(started.error()));
    co_return false;
  }
  if (framed == chat::Framing::event_stream) {
    co_await relay_event_stream(upstream, head, beginning ? &first : nullptr);
  } else {
    co_await relay_body(upstream, head, beginning ? &first : nullptr);
  }
  co_return false;
}

}  // namespace llmgw::gateway
