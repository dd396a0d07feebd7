// Claude on Bedrock by InvokeModel: the stream's frames hold Anthropic's own events, which its clients get as such.
#include "dialects/codec.h"
#include "dialects/error.h"
#include "gateway/call/call.h"
#include "gateway/call/event_stream_tap.h"
#include "gateway/call/stream_ending.h"
#include "gateway/entrance/header_rules.h"
#include "gateway/failover/first_content.h"
#include "http/sse.h"
#include "json/tree.h"

namespace llmgw::gateway {

using base::Error;
using base::ErrorCode;
using chat::Dialect;
using http::ClientExchange;
using http::HeaderId;
using http::ResponseHead;
using net::Task;

namespace {

// Frames in, server-sent events out.
class Unwrapper {
 public:
  // Appends what the bytes complete to `out`. An error ends it: damaged frames, or an exception of the service.
  dialects::Outcome<void> feed(std::string_view bytes, std::string& out) {
    while (!bytes.empty()) {
      auto next = frames_.next(bytes);
      if (!next) return damaged();
      if (!*next) return {};
      const http::EventStreamMessage& message = **next;
      if (!message.is_event()) return std::unexpected(exception(message));
      chunk_.clear();
      if (!unwrap_chunk(message.payload, chunk_)) return damaged();
      arena_.reset();
      const auto event = json::parse_tree(parser_, chunk_, arena_);
      if (!event || !event->is_object()) return damaged();
      const std::string_view type = (*event)["type"].string(arena_);
      if (type == "error") error_ = error_in_event(Dialect::anthropic, {.name = type, .data = chunk_}, parser_);
      ended_ = ended_ || type == "message_stop" || type == "error";
      http::append_event(out, type, chunk_);
    }
    return {};
  }
  bool ended() const { return ended_; }
  // What Claude's own event of an error said.
  const std::optional<chat::ErrorKind>& error() const { return error_; }

 private:
  static std::unexpected<chat::ClientError> damaged() {
    return std::unexpected(chat::ClientError{.kind = chat::ErrorKind::upstream_failed,
                                             .message = "the provider's event stream is damaged"});
  }

  chat::ClientError exception(const http::EventStreamMessage& message) {
    constexpr int kServerError = 500;
    const bool framed = message.text(":message-type") == "exception";
    const dialects::ReadContext context{.parser = parser_, .arena = arena_};
    arena_.reset();
    const dialects::Codec& codec = *dialects::find_codec(Dialect::bedrock);
    if (framed) return codec.read_error(kServerError, message.payload, message.text(":exception-type"), context);
    return {.kind = chat::ErrorKind::upstream_failed, .message = arena_.copy(message.text(":error-message"))};
  }

  http::EventStreamReader frames_;
  json::Parser parser_;
  base::Arena arena_;
  std::string chunk_;
  bool ended_ = false;
  std::optional<chat::ErrorKind> error_;
};

}  // namespace

bool Call::unwraps(const ResponseHead& head) const {
  return match_.dialect == Dialect::anthropic && head.status == 200 &&
         framing_of(head.headers.value(HeaderId::content_type)) == chat::Framing::event_stream;
}

Task<void> Call::relay_unwrapped(ClientExchange& upstream, const ResponseHead& head, const http::BodyBytes* first) {
  http::Headers headers;
  if (!client_response_headers(head.headers, id_.view(), headers)) {
    co_return co_await refuse(upstream_error({ErrorCode::too_large, "too many headers"}));
  }
  headers.remove(HeaderId::content_type);
  headers.append(HeaderId::content_type, content_type_of(chat::Framing::sse));
  status_ = head.status;
  if (!exchange_.start({.status = head.status, .headers = &headers, .framing = http::Framing::until_close})) {
    co_return exchange_.abort();
  }
  reading_.usage.emplace(Dialect::anthropic, chat::Framing::sse);
  reading_.text.emplace(Dialect::anthropic);
  if (first == nullptr && !upstream.body_at_hand()) co_await exchange_.flush();
  waiting_for_ = kIdleTimeout;
  Unwrapper unwrapper;
  FirstContent content;
  std::string out;
  base::Instant last_piece{};
  for (;;) {
    base::Result<http::BodyBytes> bytes;
    if (first != nullptr) {
      bytes = *std::exchange(first, nullptr);
    } else {
      bytes = co_await upstream.read_body(until_next_piece(timeouts_.idle, last_piece));
    }
    if (!bytes) co_return co_await break_off(bytes.error(), chat::Framing::sse, true);
    const base::Instant arrived = worker_.loop().now();
    const bool done = bytes->done;
    out.clear();
    auto fed = unwrapper.feed({bytes->data.data(), bytes->data.size()}, out);
    reading_.usage->feed(out);
    reading_.text->feed(out);
    if (unwrapper.error()) out = redact(out, secrets(), arena_);
    if (!fed) {
      chat::ClientError told = fed.error();
      told.message = redact(told.message, secrets(), arena_);
      error_ = blamed(told.kind);
      out += dialects::write_stream_error(Dialect::anthropic, chat::Framing::sse, told, id_.view(), {});
    } else if (done && !unwrapper.ended()) {
      co_return co_await break_off({ErrorCode::closed, kNoEnd}, chat::Framing::sse, true);
    }
    const bool over = done || !fed;
    if (over) account_ending({.failure = fed ? unwrapper.error() : std::nullopt, .told = true});
    const iovec buffer = net::buffer_of(out);
    auto written = co_await exchange_.write({&buffer, out.empty() ? size_t{0} : size_t{1}}, over);
    if (!written) co_return exchange_.abort();
    note_out(arrived);
    if (!out.empty() && content.feed(out)) note_piece(true, arrived, last_piece);
    if (over) co_return note_ending();
  }
}

}  // namespace llmgw::gateway
