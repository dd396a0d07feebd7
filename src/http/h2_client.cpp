#include "http/h2_client.h"

#include <array>
#include <charconv>

#include "http/crossing.h"
#include "http/h1_writer.h"

namespace llmgw::http {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;
using net::Task;
using net::Wait;

namespace {

// An upstream that thinks for minutes still answers a PING; one that is gone must not get more requests.
constexpr base::Duration kPingAfter = std::chrono::seconds(20);
constexpr base::Duration kPingAck = std::chrono::seconds(15);
constexpr base::Duration kHeadTimeout = std::chrono::seconds(10);
constexpr base::Duration kWriteTimeout = std::chrono::seconds(60);

H2Settings settings_of(const PoolOptions& options) {
  return {.stream_window = kH2ClientStreamWindow,
          .connection_window = kH2ClientConnectionWindow,
          .header_list_bytes = static_cast<uint32_t>(std::min<size_t>(options.head_limits.head_bytes_max, UINT32_MAX))};
}

// A 100, a few 103: more is a server that will never answer.
constexpr int kInterimHeadsMax = 16;

bool method_has_body(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

}  // namespace

H2ClientSession::H2ClientSession(Pool& pool, std::unique_ptr<net::Stream> stream, base::Duration connect_time)
    : H2Session(std::move(stream), Side::client, settings_of(pool.options())),
      pool_(pool),
      connect_time_(connect_time),
      opened_at_(loop().now()),
      unused_since_(opened_at_) {}

H2ClientSession::~H2ClientSession() {
  --pool_.open_;
  pool_.freed_.notify();
}

H2Timeouts H2ClientSession::timeouts() const {
  return {.settings = pool_.options().connect_timeout,
          .header = kHeadTimeout,
          .idle = H2Timeouts::kForever,  // the pool's business
          .write = kWriteTimeout,
          .ping = kPingAfter,
          .ping_ack = kPingAck};
}

void H2ClientSession::start() {
  reader_ = read();
  reader_.start();
}

Task<void> H2ClientSession::read() {
  const Error error = co_await run({});
  ended_ = true;
  for (auto* exchange = exchanges_.first(); exchange != nullptr; exchange = exchanges_.after(*exchange)) {
    exchange->session_ended(error);
  }
  pool_.session_ended();
}

bool H2ClientSession::has_room() const {
  const size_t most = std::min<size_t>(kH2ClientStreamsMax, peer_streams_max());
  // A server says what it can as soon as there is a connection; one that does not may never.
  const bool speaks = settings_received() || fresh();
  return speaks && !ended_ && !retired_ && !broken() && count_ < most && may_request();
}

void H2ClientSession::say_goodbye() {
  if (broken()) return;
  terminate(H2Error::no_error);
  flush();
  stream().shutdown_write();
}

void H2ClientSession::join(H2ClientExchange& exchange) {
  exchanges_.push_back(exchange);
  ++count_;
  ++requests_;
}

void H2ClientSession::leave(H2ClientExchange& exchange) {
  static_cast<base::ListNode&>(exchange).unlink();
  --count_;
  if (count_ == 0) {
    unused_since_ = loop().now();
    became_idle();
    release_memory();
  }
  Pool& pool = pool_;
  if (count_ == 0 && (ended_ || retired_ || !may_request())) {
    say_goodbye();
    delete this;
  }
  pool.freed_.notify();
}

H2ClientExchange::H2ClientExchange(H2ClientSession& session)
    : session_(session),
      changed_(session.loop()),
      builder_(session.head_limits()),
      reused_(session.requests() > 0),
      session_was_idle_(session.unused()) {
  session.join(*this);
}

H2ClientExchange::~H2ClientExchange() {
  outgoing_.stop();
  if (open()) {
    session_.reset(*this, H2Error::cancel);
    session_.detach(*this);
    session_.flush();
  }
  session_.leave(*this);
}

// A connection that others used at the time was not being closed for idleness: what ended it ended their work, too.
bool H2ClientExchange::may_repeat() const {
  if (received_any_) return false;
  if (id() == 0) return reused_ || session_.ended() || session_.broken();
  if (unprocessed_) return true;
  if (!session_ended_ || !session_was_idle_ || !reused_) return false;
  return !sent_ || close_crossed(session_.loop().now() - sent_at_, session_.connect_time());
}

void H2ClientExchange::session_ended(const Error& error) {
  if (open()) {
    session_ended_ = true;
    failure_ = error;
    session_.detach(*this);
  }
  changed_.notify();
}

Result<void> H2ClientExchange::submit(const RequestStart& request) {
  if (!request.upgrade.empty()) return fail(ErrorCode::unsupported, "HTTP/2 has no upgrade");
  if (!valid_header_name(request.method) || !valid_target(request.target) || request.target.empty() ||
      !valid_header_value(request.authority) || !valid_header_value(request.scheme)) {
    return fail(ErrorCode::invalid_argument, "request line");
  }
  std::array<H2Field, Headers::kMax + 5> fields{{{":method", request.method},
                                                 {":scheme", request.scheme},
                                                 {":authority", request.authority},
                                                 {":path", request.target}}};
  size_t count = 4;
  if (request.headers != nullptr) {
    for (const Header& header : *request.headers) {
      if (is_forbidden_in_h2(header.id) || header.id == HeaderId::host) continue;
      if (!valid_header_name(header.name) || !valid_header_value(header.value)) {
        return fail(ErrorCode::invalid_argument, "request header");
      }
      fields[count++] = {header.name, header.value, is_secret(header.id)};
    }
  }
  const bool body = outgoing_.left() > 0;
  std::array<char, 24> digits;
  if (body || method_has_body(request.method)) {
    const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), outgoing_.left());
    fields[count++] = {"content-length", {digits.data(), written.ptr}};
  }
  return session_.submit_request(*this, {fields.data(), count}, body);
}

Task<Result<void>> H2ClientExchange::send(const RequestStart& request, Wait wait) {
  if (session_.ended() || session_.broken()) co_return fail(failure_);
  method_ = method_of(request.method);
  // The caller's memory must not be looked at once this has ended, however it ends.
  struct Sending {
    H2Outgoing& outgoing;
    ~Sending() {
      if (!outgoing.done()) outgoing.stop();
    }
  } sending{outgoing_};
  if (!outgoing_.set(request.body, true)) co_return fail(ErrorCode::internal, "too many buffers");
  if (outgoing_.left() == 0) outgoing_.stop();
  CO_TRY_VOID(submit(request));
  session_.flush();
  while (!outgoing_.done() && !head_done_ && open()) CO_TRY_VOID(co_await changed_.wait(wait));
  if (failed() && !head_done_) co_return fail(failure_);
  sent_ = outgoing_.done();
  sent_at_ = session_.loop().now();
  co_return Result<void>{};
}

Task<Result<const ResponseHead*>> H2ClientExchange::read_head(Wait wait) {
  while (!head_done_) {
    if (failed()) co_return fail(failure_);
    CO_TRY_VOID(co_await changed_.wait(wait));
  }
  co_return &head_;
}

Task<Result<BodyBytes>> H2ClientExchange::read_body(Wait wait) {
  if (open() && !handed_.empty()) {
    session_.give_back_stream(id(), handed_.size());
    session_.flush();
  }
  handed_.clear();
  while (arrived_.empty() && !body_ended_) {
    if (failed()) co_return fail(failure_);
    CO_TRY_VOID(co_await changed_.wait(wait));
  }
  handed_.swap(arrived_);
  co_return BodyBytes{std::span<char>(handed_), body_ended_};
}

bool H2ClientExchange::on_field(std::string_view name, std::string_view value) {
  if (!head_done_) return builder_.add(name, value, head_.headers);
  const HeaderId id = header_id(name);
  if (is_hop_by_hop(id) || id == HeaderId::content_length || id == HeaderId::host) return true;
  return builder_.add(name, value, trailers_);
}

void H2ClientExchange::on_invalid_field() {
  if (!head_done_) builder_.refuse(ParseError::bad_header_value);
}

void H2ClientExchange::on_head_end(bool end_stream) {
  if (head_done_) {
    if (end_stream) on_end();
    return;
  }
  const ParseError error = builder_.finish_response(end_stream, method_, head_);
  if (error != ParseError::none) return fail_response(to_error(error));
  if (head_.interim() && ++interim_heads_ <= kInterimHeadsMax) {
    builder_.clear(head_.headers);
    return;
  }
  if (head_.interim()) return fail_response({ErrorCode::protocol, "HTTP/2 interim responses", 0});
  head_done_ = true;
  // Usually a refusal: the rest of the request would be thrown away.
  if (!outgoing_.done()) outgoing_.stop();
  if (end_stream) on_end();
  changed_.notify();
}

void H2ClientExchange::fail_response(const Error& error) {
  failure_ = error;
  session_.reset(*this, H2Error::cancel);
  session_.detach(*this);
  changed_.notify();
}

void H2ClientExchange::on_data(std::string_view data) {
  received_any_ = true;
  arrived_.append(data);
  session_.give_back_connection(data.size());
  changed_.notify();
}

void H2ClientExchange::on_end() {
  body_ended_ = true;
  changed_.notify();
}

void H2ClientExchange::on_closed(H2Error error) {
  if (!body_ended_ && failure_.code == ErrorCode::closed) {
    if (error == H2Error::refused_stream) {
      unprocessed_ = true;
      failure_ = {ErrorCode::closed, "HTTP/2 stream refused", 0};
    } else {
      failure_ = {ErrorCode::reset, "HTTP/2 stream reset", 0};
    }
  }
  changed_.notify();
}

}  // namespace llmgw::http
