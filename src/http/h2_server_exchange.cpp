#include <algorithm>
#include <array>

#include "http/h1_writer.h"
#include "http/h2_server.h"
#include "net/patience.h"

namespace llmgw::http {

using base::ErrorCode;
using base::fail;
using base::Result;
using net::Task;

namespace {

// "100" to "599" as the :status field wants it.
std::string_view status_text(uint16_t status, std::array<char, 3>& storage) {
  storage = {static_cast<char>('0' + status / 100), static_cast<char>('0' + status / 10 % 10),
             static_cast<char>('0' + status % 10)};
  return {storage.data(), storage.size()};
}

// Fields are kept as "name\0value\0": neither can hold a zero byte.
void put_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).push_back('\0');
  out.append(value).push_back('\0');
}

std::string_view take_text(std::string_view& block) {
  const size_t end = block.find('\0');
  const std::string_view text = block.substr(0, end);
  block.remove_prefix(end + 1);
  return text;
}

}  // namespace

H2ServerExchange::H2ServerExchange(H2ServerConnection& connection)
    : connection_(connection),
      builder_(connection.options().head_limits),
      cancellation_(connection.cancellation()),
      body_arrived_(connection.loop()),
      progress_(connection.loop()),
      started_at_(connection.loop().now()) {}

H2ServerExchange::~H2ServerExchange() {
  drop_body();
  connection_.detach(*this);
}

net::Loop& H2ServerExchange::loop() const {
  return connection_.loop();
}
const net::Address& H2ServerExchange::peer() const {
  return connection_.stream().peer();
}
bool H2ServerExchange::over_tls() const {
  return connection_.stream().is_tls();
}

bool H2ServerExchange::on_field(std::string_view name, std::string_view value) {
  if (head_complete_) return true;  // trailers of a request: nobody asks for them
  if (builder_.add(name, value, head_.headers)) return true;
  malformed_ = true;
  return false;
}

void H2ServerExchange::on_invalid_field() {
  if (!head_complete_) builder_.refuse(ParseError::bad_header_value);
}

void H2ServerExchange::on_head_end(bool end_stream) {
  if (end_stream) on_end();
  if (head_complete_) return;
  head_complete_ = true;
  refusal_ = builder_.finish_request(end_stream, head_);
  body_started_at_ = loop().now();
  connection_.make_ready(*this);
}

void H2ServerExchange::on_end() {
  body_ended_ = true;
  body_arrived_.notify();
}

void H2ServerExchange::on_data(std::string_view data) {
  const bool too_large = reading_ && body_.size() + data.size() > body_bytes_max_;
  if (too_large || body_dropped_) {
    drop_body();
    connection_.give_back_connection(data.size());
    if (!lingering_) {
      ungranted_ += data.size();
      return;
    }
    lingered_ += data.size();
    connection_.give_back_stream(id(), data.size());
    body_arrived_.notify();
    return;
  }
  body_.append(data);
  connection_.count_body(static_cast<int64_t>(data.size()));
  ungranted_ += data.size();
  if (!reading_) return;
  connection_.give_back_connection(data.size());
  grant();
}

void H2ServerExchange::grant() {
  const bool was_gated = gated_;
  gated_ = !connection_.body_fits(*this);
  if (gated_ != was_gated) {
    body_started_at_ = loop().now();
    body_arrived_.notify();  // the deadline is another one now
  }
  if (gated_ || body_ended_ || !open()) return;
  connection_.give_back_stream(id(), ungranted_);
  ungranted_ = 0;
}

// What it held goes back to the connection; the stream gets no more credit.
void H2ServerExchange::drop_body() {
  if (body_dropped_) return;
  body_dropped_ = true;
  if (!reading_) connection_.give_back_connection(body_.size());
  connection_.count_body(-static_cast<int64_t>(body_.size()));
  std::string().swap(body_);
  body_arrived_.notify();
}

void H2ServerExchange::on_closed(H2Error error) {
  if (!dispatched_) {
    if (malformed_) {
      connection_.count_refusal();
      (void)connection_.server().handler().malformed_request(
          {0, "the stream breaks the rules of HTTP/2", peer(), started_at_});
    }
    delete this;
    return;
  }
  body_arrived_.notify();
  progress_.notify();
  if (!response_ended_ && !end_sent_ && !aborted_) {
    cancellation_.cancel(malformed_ || error == H2Error::protocol_error ? ErrorCode::protocol : ErrorCode::closed);
  }
}

base::Instant H2ServerExchange::body_deadline() const {
  if (gated_) return base::kNever;
  const auto allowance = std::chrono::seconds(body_.size() / kSlowestBodyBytesPerSecond);
  return body_started_at_ + connection_.options().body_timeout + allowance;
}

Result<void> H2ServerExchange::check_body(uint64_t bytes_max) const {
  const bool announced_too_large = head_.framing == Framing::content_length && head_.content_length > bytes_max;
  if (announced_too_large || body_dropped_ || body_.size() > bytes_max)
    return fail(ErrorCode::too_large, "request body");
  if (body_ended_) return {};
  if (malformed_) return fail(ErrorCode::protocol, "request body");
  if (!open()) return fail(ErrorCode::closed, "request body");
  return {};
}

Result<void> H2ServerExchange::send_continue() {
  head_.expect_continue = false;
  const H2Field status{":status", "100"};
  TRY_VOID(connection_.submit_interim(*this, {&status, 1}));
  connection_.flush();
  return {};
}

Task<Result<std::span<char>>> H2ServerExchange::read_body(uint64_t bytes_max) {
  CO_TRY_VOID(check_body(bytes_max));
  if (!reading_) {
    reading_ = true;
    body_bytes_max_ = bytes_max;
    if (head_.expect_continue && !body_ended_ && body_.empty()) CO_TRY_VOID(send_continue());
    if (head_.framing == Framing::content_length) body_.reserve(head_.content_length);
    connection_.give_back_connection(body_.size());
    grant();
    connection_.flush();
  }
  while (!body_ended_) {
    CO_TRY_VOID(co_await body_arrived_.wait({body_deadline(), &cancellation_}));
    CO_TRY_VOID(check_body(bytes_max));
  }
  co_return std::span<char>(body_);
}

Result<void> H2ServerExchange::start(const ResponseStart& response) {
  if (response_started_) return fail(ErrorCode::internal, "response started twice");
  if (response.status < 200 || response.status > 599) return fail(ErrorCode::unsupported, "interim response");
  const bool no_body = response.status == 204 || response.status == 304;
  suppress_body_ = no_body || head_.method == Method::head;
  response_framing_ = no_body ? Framing::none : response.framing;
  uint64_t length = response.content_length;
  if (response_framing_ == Framing::none && !suppress_body_) {
    response_framing_ = Framing::content_length;
    length = 0;
  }
  const bool sized = response_framing_ == Framing::content_length;
  body_bytes_announced_ = sized ? length : 0;

  head_out_.clear();
  std::array<char, 3> digits;
  put_field(head_out_, ":status", status_text(response.status, digits));
  if (response.headers != nullptr) {
    for (const Header& header : *response.headers) {
      if (is_forbidden_in_h2(header.id)) continue;
      if (!valid_header_name(header.name) || !valid_header_value(header.value)) {
        return fail(ErrorCode::invalid_argument, "response header");
      }
      put_field(head_out_, header.name, header.value);
    }
  }
  if (sized) put_field(head_out_, "content-length", std::to_string(length));
  response_started_ = true;
  return {};
}

Result<void> H2ServerExchange::send_head(bool body) {
  head_sent_ = true;
  std::array<H2Field, Headers::kMax + 2> fields;
  size_t count = 0;
  for (std::string_view block = head_out_; !block.empty() && count < fields.size();) {
    const std::string_view name = take_text(block);
    const std::string_view value = take_text(block);
    fields[count++] = {name, value, is_secret(header_id(name))};
  }
  auto submitted = connection_.submit_response(*this, {fields.data(), count}, body);
  std::string().swap(head_out_);
  return submitted;
}

Result<void> H2ServerExchange::broken_off() const {
  if (aborted_) return fail(ErrorCode::internal, "response was aborted");
  // At the end of a drain an answer that has not begun may still be told that there will be none, where the socket
  // takes it at once.
  const bool last_words = !head_sent_ && cancellation_.cancelled() && cancellation_.reason() == ErrorCode::cancelled;
  if (cancellation_.cancelled() && !last_words) return fail(cancellation_.reason(), "response");
  if (!open()) return fail(ErrorCode::closed, "response");
  return {};
}

Task<Result<void>> H2ServerExchange::write(std::span<const iovec> data, bool end) {
  if (!response_started_ || response_ended_) co_return fail(ErrorCode::internal, "write outside a response");
  if (suppress_body_ && head_sent_) {
    response_ended_ = end;
    co_return Result<void>{};
  }
  CO_TRY_VOID(broken_off());
  size_t bytes = 0;
  for (const iovec& buffer : data) bytes += buffer.iov_len;
  body_bytes_written_ += bytes;
  const bool sized = response_framing_ == Framing::content_length;
  if (sized && (body_bytes_written_ > body_bytes_announced_ ||
                (end && !suppress_body_ && body_bytes_written_ != body_bytes_announced_))) {
    abort();
    co_return fail(ErrorCode::internal, "body does not match its announced length");
  }
  if (suppress_body_) data = {};
  // The stream ends with the head, or with the last DATA frame.
  const bool ends_with_head = !head_sent_ && (suppress_body_ || (end && bytes == 0));
  if (!outgoing_.set(data, end && !ends_with_head)) co_return fail(ErrorCode::internal, "too many buffers");
  if (!head_sent_) {
    end_sent_ = ends_with_head;
    CO_TRY_VOID(send_head(!ends_with_head));
  } else {
    connection_.resume(*this);
  }
  response_ended_ = end;
  connection_.flush();
  if (outgoing_.done() && !connection_.blocked() && !connection_.write_broken()) co_return Result<void>{};

  outgoing_.own();
  auto drained = co_await drain();
  // What had gone to the session alone when the connection broke is gone; what the socket has is on its way, however
  // much of other streams still waited.
  if (end && connection_.taken_bytes() >= end_position()) co_return Result<void>{};
  if (drained && !end) co_return drained;
  if (drained) drained = fail(ErrorCode::closed, "response");
  response_ended_ = false;
  body_bytes_written_ -= std::min<uint64_t>(bytes, outgoing_.left());
  cancellation_.cancel(drained.error().code);
  abort();
  co_return drained;
}

// Waits until everything is with the socket. A client that takes less than kLeastTaken in the write timeout is given
// up.
Task<Result<void>> H2ServerExchange::drain() {
  while (!outgoing_.done() || connection_.blocked()) {
    const size_t left = outgoing_.left();
    const uint64_t late = connection_.taken_bytes();
    const net::Wait wait{loop().now() + connection_.options().write_timeout, &cancellation_};
    Result<void> waited =
        outgoing_.done() ? co_await connection_.unblocked().wait(wait) : co_await progress_.wait(wait);
    const uint64_t taken = left > 0 ? left - outgoing_.left() : connection_.taken_bytes() - late;
    if (!waited && waited.error().code == ErrorCode::deadline_exceeded && taken >= net::kLeastTaken &&
        !cancellation_.cancelled()) {
      continue;
    }
    CO_TRY_VOID(waited);
    if (!outgoing_.done()) CO_TRY_VOID(broken_off());
  }
  co_return Result<void>{};
}

void H2ServerExchange::abort() {
  if (aborted_ || !open()) return;
  aborted_ = true;
  connection_.reset(*this, H2Error::internal_error);
  connection_.flush();
}

Task<Result<RawConnection>> H2ServerExchange::take_over(const ResponseStart*) {
  co_return fail(ErrorCode::unsupported, "HTTP/2 connections cannot be taken over");
}

Task<void> H2ServerExchange::finish() {
  drop_body();
  const bool whole = response_ended_ && !aborted_;
  if (whole && open() && !body_ended_) {
    lingering_ = true;
    connection_.give_back_stream(id(), ungranted_);
    connection_.flush();
    const base::Instant end = loop().now() + kH2LingerTotal;
    while (open() && !body_ended_ && lingered_ < kH2LingerBytesMax) {
      const base::Instant deadline = std::min(end, loop().now() + kLingerTime);
      if (!co_await body_arrived_.wait({deadline, &cancellation_})) break;
    }
  }
  // A response that is complete before its request was: the client need not send the rest (RFC 9113, section 8.1).
  if (whole && !body_ended_) connection_.reset(*this, H2Error::no_error);
  if (!whole && !aborted_) connection_.reset(*this, head_sent_ ? H2Error::internal_error : H2Error::cancel);
}

Task<void> H2ServerExchange::answer_refusal() {
  const uint16_t status = http_status(refusal_);
  const MalformedAnswer answer =
      connection_.server().handler().malformed_request({status, describe(refusal_), peer(), started_at_});
  Headers headers;
  headers.append(HeaderId::content_type, "application/json");
  if (!answer.request_id.empty()) headers.append(HeaderId::x_request_id, answer.request_id);
  const ResponseStart response{
      .status = status, .headers = &headers, .framing = Framing::content_length, .content_length = answer.body.size()};
  if (!start(response)) co_return;
  const iovec buffer = net::buffer_of(answer.body);
  (void)co_await write({&buffer, 1}, true);
}

}  // namespace llmgw::http
