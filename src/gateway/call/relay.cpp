// An answer on its way to the client: bytes pass through, nothing is re-encoded.
#include "dialects/error.h"
#include "dialects/provider_error.h"
#include "gateway/call/answer_document.h"
#include "gateway/call/call.h"
#include "gateway/call/event_stream_tap.h"
#include "gateway/call/kept_piece.h"
#include "gateway/call/plain_view.h"
#include "gateway/call/response_pin.h"
#include "gateway/call/stream_ending.h"
#include "gateway/conversion/conversion.h"
#include "gateway/entrance/conversation.h"
#include "gateway/failover/first_content.h"
#include "routing/load/late_first_byte.h"

namespace llmgw::gateway {

using base::Error;
using base::ErrorCode;
using base::Instant;
using base::Result;
using chat::ErrorKind;
using http::ClientExchange;
using http::HeaderId;
using http::ResponseHead;
using net::Task;

namespace {

// Recorded streams, compressed event by event, have 15 bytes for a token of the answer in the median.
constexpr uint64_t kCodedBytesPerTextByte = 4;

// Whose names the texts have in a document. In the Responses API's they have others than in its streams: those that
// Cohere's have.
chat::Dialect names_in_document(chat::Dialect dialect) {
  return dialect == chat::Dialect::openai_responses ? chat::Dialect::cohere : dialect;
}

// The first bytes of a document. Those of most are all of it, and tell what was used: only of others the text counts.
void look_for_text(AnswerReading& reading, chat::Dialect dialect, std::string_view beginning, bool all) {
  if (all && reading.usage && reading.usage->usage().output) return;
  reading.text.emplace(names_in_document(dialect)).feed(beginning);
}

AnswerEnding ending_of(const StreamEnding& stream) {
  return {.failure = stream.failure(), .told = stream.told_error()};
}

}  // namespace

Task<void> Call::relay_body(ClientExchange& upstream, const ResponseHead& head, const http::BodyBytes* first) {
  const bool streams = framing_of(head.headers.value(HeaderId::content_type)) == chat::Framing::sse;
  PlainView view(head.headers.value(HeaderId::content_encoding));
  if (head.status < 300) {
    if (!look_for_batches()) reading_.usage.emplace(match_.dialect, streams ? chat::Framing::sse : framing());
    if (view.readable() && (streams || Call::streams())) reading_.text.emplace(match_.dialect);
    look_for_details(streams ? chat::Framing::sse : framing(), head.headers);
  }
  // A document leaves in one piece with its head; a stream's client may be waiting for the head alone.
  if (streams && first == nullptr && !upstream.body_at_hand()) co_await exchange_.flush();

  waiting_for_ = kIdleTimeout;
  // What the client asked for is not always what comes: an error event has a place only in a stream.
  const bool array = head.status < 300 && framing() == chat::Framing::json_array;
  const chat::Framing shape = streams ? chat::Framing::sse : array ? chat::Framing::json_array : chat::Framing::json;
  std::optional<StreamEnding> ending;
  if (streams || array) ending.emplace(match_.dialect, shape, generates(match_.operation), worker_.parser());
  const bool document = framing() == shape && is_own_answer(match_.operation) && is_plain_json(head);
  // Where more than the close ends it, nothing has to say so; but a front may end in order what its engine broke off.
  const bool cut_looks_whole = (streams || document) && only_close_ends(head);
  if (streams && match_.dialect == chat::Dialect::openai_responses) reading_.cursor.emplace();
  const bool counts = pins_responses(match_.operation, route()) || makes_kept_object();
  reading_.wants_id = !streams && head.status < 300 && counts;
  bool begins = head.status < 300 && view.readable() && !reading_.text && generates(match_.operation);
  FirstContent content;
  ErrorFilter errors(shape);
  Instant last_piece{};
  for (;;) {
    Result<http::BodyBytes> bytes;
    if (first != nullptr) {
      bytes = *std::exchange(first, nullptr);
    } else {
      bytes = co_await upstream.read_body(until_next_piece(timeouts_.idle, last_piece));
    }
    const auto between_events = [&] { return ending && !view.coded() && ending->at_boundary(); };
    if (!bytes) co_return co_await break_off(bytes.error(), shape, between_events());
    std::string_view data(bytes->data.data(), bytes->data.size());
    const bool between = between_events();
    const std::string_view plain = read_along(data, view);
    const bool done = bytes->done;
    if (std::exchange(begins, false)) look_for_text(reading_, match_.dialect, plain, done);
    if (ending) ending->feed(plain, done, reading_.text && view.readable() ? &*reading_.text : nullptr);
    const bool malformed = array ? ending->malformed() : streams && reading_.malformed();
    if (malformed && generates(match_.operation)) [[unlikely]] {
      auto before = array ? ending->bytes_before() : bytes_before_malformed(data, between, match_.dialect);
      if (view.coded() || errors.holds()) before.reset();
      co_return co_await break_off_malformed(data, before, shape);
    }
    const bool ended = streams ? ending->said_end() : !document || reading_.usage->whole();
    const bool whole = (!cut_looks_whole || ended) && !(done && ending && ending->cut());
    const Instant arrived = worker_.loop().now();
    if (reading_.text && ending && !view.coded() && (reading_.text->says_error() || errors.holds())) [[unlikely]] {
      data = clean_events(errors, data, done || ending->at_boundary());
    }
    KeptPiece kept;
    net::SendTurn turn(worker_.loop(), net::Order::continuation);
    if (last_piece != Instant{} && !turn.await_ready() && kept.keep(data)) co_await turn;
    const iovec buffer = net::buffer_of(data);
    if (done && whole) account_ending(ending ? ending_of(*ending) : document_ending(head, view, data, ended));
    auto written = co_await exchange_.write({&buffer, data.empty() ? size_t{0} : size_t{1}}, done && whole);
    if (!written) co_return exchange_.abort();
    note_out(arrived);
    if (!streams || (!data.empty() && content.feed(data))) note_piece(streams, arrived, last_piece);
    if (done && !whole) co_return co_await break_off({ErrorCode::closed, kNoEnd}, shape, between_events());
    if (done) {
      if (head.status < 400) note_ending();
      co_return;
    }
  }
}

// Of a document, of which these are the last bytes. One that came in one piece is looked at: what tells its tokens is
// an answer, the rest may be a proxy's text.
AnswerEnding Call::document_ending(const ResponseHead& head, const PlainView& view, std::string_view document,
                                   bool ended) {
  if (error_) return {};
  if (!ended) return {.failure = ErrorKind::upstream_failed};
  const bool in_one_piece = times_.after.count() < 0 && !view.coded();
  if (!in_one_piece || head.status >= 300 || (reading_.usage && reading_.usage->seen())) return {};
  const AskedFor asked{.operation = match_.operation, .dialect = match_.dialect, .stream = streams()};
  const DocumentType type = document_type(head.headers.value(HeaderId::content_type));
  if (may_be_answer(document, type, asked, worker_.parser())) return {};
  reading_.text.reset();  // no model said what stands there
  return {.failure = ErrorKind::upstream_failed, .told = true};
}

// An event that no client could read: those before it go out, and then one that says so. Where its beginning has gone
// out, the connection breaks.
Task<void> Call::break_off_malformed(std::string_view data, std::optional<size_t> before, chat::Framing shape) {
  const bool frames = shape == chat::Framing::event_stream;
  if (before.value_or(0) != 0) {
    const iovec buffer = net::buffer_of(data.substr(0, *before));
    if (!co_await exchange_.write({&buffer, 1}, false)) co_return exchange_.abort();
  }
  co_await break_off(
      {ErrorCode::protocol, frames ? "a frame is damaged" : "an event is not JSON"}, shape, before.has_value(),
      frames ? "the provider's event stream is damaged" : "the provider sent an event that is not valid JSON");
}

// For the call's price, and for what an error of our own would have to say. The answer's own bytes, see PlainView.
std::string_view Call::read_along(std::string_view data, PlainView& view) {
  const std::string_view plain = view.read(data);
  reading_.feed(plain);
  if (view.readable() || (!reading_.usage && !reading_.batches)) return plain;
  if (!reading_.text) reading_.text_bytes += data.size() / kCodedBytesPerTextByte;
  if (!std::exchange(reading_.unreadable, true)) {
    worker_.log().warn("the answer is coded, and not as the gateway can read; what it used is estimated",
                       {{"request_id", id_.view()}, {"connection", attempt_->connection->name}});
  }
  return plain;
}

// The last bytes are there, and go out in order. What has failed is no success for that.
void Call::account_ending(const AnswerEnding& ending) {
  if (ending.failure && is_own_answer(match_.operation) && !exchange_.cancellation().cancelled()) {
    error_ = blamed(*ending.failure);
    // A provider that breaks off may have worked, and ask for it; one that says that it failed has not.
    said_nothing_ = ending.told && !reading_.said_anything();
    if (!dialects::is_callers_fault(*error_)) {
      warn_of_break({ErrorCode::closed, "the provider's answer ended with an error, or without its end"});
    }
  }
  if (!error_) pin_answer();
  account();
}

// Of an error that the request is at fault for nothing is learnt, as of a status of 400.
void Call::note_ending() {
  if (!error_) return note_success();
  if (!dialects::is_callers_fault(*error_)) note_failure(false);
}

// AWS's binary frames: passed on as they come, too.
Task<void> Call::relay_event_stream(ClientExchange& upstream, const ResponseHead& head, const http::BodyBytes* first) {
  using Payload = EventStreamTap::Payload;
  constexpr auto kShape = chat::Framing::event_stream;
  const bool invoked = match_.operation == Operation::invoke_stream;
  const chat::Dialect dialect = invoked ? chat::Dialect::anthropic : match_.dialect;
  reading_.usage.emplace(dialect, kShape);
  reading_.text.emplace(dialect);
  look_for_details(kShape, head.headers);
  EventStreamTap tap(invoked ? Payload::wrapped : Payload::plain);
  const bool cut_looks_whole = only_close_ends(head);
  if (first == nullptr && !upstream.body_at_hand()) co_await exchange_.flush();
  waiting_for_ = kIdleTimeout;
  MessageFilter messages;
  Instant last_piece{};
  for (;;) {
    Result<http::BodyBytes> bytes;
    if (first != nullptr) {
      bytes = *std::exchange(first, nullptr);
    } else {
      bytes = co_await upstream.read_body(until_next_piece(timeouts_.idle, last_piece));
    }
    if (!bytes) co_return co_await break_off(bytes.error(), kShape, tap.at_boundary());
    std::string_view data(bytes->data.data(), bytes->data.size());
    const auto before_next = tap.bytes_left();
    tap.feed(data, {.usage = &*reading_.usage,
                    .text = &*reading_.text,
                    .details = reading_.details ? &*reading_.details : nullptr});
    if (tap.malformed()) [[unlikely]] {
      co_return co_await break_off_malformed(data, tap.bytes_before(), kShape);
    }
    const bool done = bytes->done;
    const auto failure = done ? failure_of(tap, worker_.parser()) : std::nullopt;
    const bool cut = failure && !tap.told_error();
    const bool may_end = tap.at_boundary() && (tap.ended() || !cut_looks_whole) && !cut;
    const Instant arrived = worker_.loop().now();
    if (tap.exception()) [[unlikely]] {
      if (!clean_messages(messages, data, before_next, done || tap.at_boundary())) co_return exchange_.abort();
    }
    const iovec buffer = net::buffer_of(data);
    if (done && may_end) account_ending({.failure = failure, .told = tap.told_error()});
    auto written = co_await exchange_.write({&buffer, data.empty() ? size_t{0} : size_t{1}}, done && may_end);
    if (!written) co_return exchange_.abort();
    note_out(arrived);
    if (!data.empty() && tap.content()) note_piece(true, arrived, last_piece);
    if (done && !may_end) {
      co_return co_await break_off({ErrorCode::closed, kNoEnd}, kShape, tap.at_boundary());
    }
    if (done) co_return note_ending();
  }
}

// The first bytes of the answer have gone out.
void Call::note_out(Instant arrived) {
  if (times_.after.count() < 0) times_.after = worker_.loop().precise_now() - arrived;
}

void Call::note_piece(bool streams, Instant arrived, Instant& last_piece) {
  if (last_piece == Instant{}) {
    if (route().hedge.on) [[unlikely]] {
      if (routing::InstanceState* const state = lease_.held() ? instance_state() : nullptr) {
        routing::note_first_byte(*state, arrived - times_.sent_at);
      }
    }
    if (lease_.held()) note_computed(arrived, streams);
    note_out(arrived);
    if (streams) times_.first_token = arrived - exchange_.started_at();
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
Task<void> Call::break_off(const Error& error, chat::Framing shape, bool between_events, std::string_view message) {
  if (exchange_.cancellation().cancelled()) co_return give_up();
  note_broken(error);
  chat::ClientError told = upstream_error(error);
  if (error.code != ErrorCode::deadline_exceeded) told.message = message;
  error_ = told.kind;
  warn_of_break(error);
  if (!exchange_.started()) co_return co_await refuse(told);
  std::string event;
  if (between_events && shape == chat::Framing::event_stream) {
    const dialects::StreamException exception = dialects::write_stream_exception(told);
    http::append_event_stream_exception(event, exception.type, exception.payload);
  } else if (between_events) {
    dialects::StreamState stream;
    stream.model = model_;
    if (reading_.cursor) {
      stream.next_sequence_number = reading_.cursor->next_sequence_number();
      stream.response_id = reading_.cursor->id();
      stream.created_at = reading_.cursor->created_at();
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
