#include "http/h1_client.h"

#include <array>
#include <cstring>

#include "http/crossing.h"
#include "http/h1_writer.h"

namespace llmgw::http {

using base::ErrorCode;
using base::fail;
using base::Result;
using net::IoStatus;
using net::Task;
using net::Wait;

namespace {

// A head keeps what it needs between two requests; a buffer that one large response made is given back.
constexpr size_t kKeptBufferBytes = 4096;

// A 100, a few 103: more is a server that will never answer.
constexpr int kInterimHeadsMax = 16;

void empty_buffer(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeptBufferBytes) buffer.shrink_to_fit();
}

bool method_has_body(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

Result<void> write_head(std::string& out, const RequestStart& request, size_t body_bytes) {
  HeadWriter writer(out);
  writer.request_line(request.method, request.target).header(HeaderId::host, request.authority);
  if (request.headers != nullptr) {
    for (const Header& header : *request.headers) writer.header(header);
  }
  if (!request.upgrade.empty()) {
    writer.header(HeaderId::connection, "upgrade").header(HeaderId::upgrade, request.upgrade);
  }
  if (body_bytes > 0 || method_has_body(request.method)) writer.framing(Framing::content_length, body_bytes);
  return writer.finish();
}

}  // namespace

H1ClientConnection::H1ClientConnection(Pool& owner, std::unique_ptr<net::Stream> connected, base::Duration took)
    : pool(owner), stream(std::move(connected)), connect_time(took) {}

H1ClientConnection::~H1ClientConnection() {
  --pool.open_;
  pool.freed_.notify();
}

void H1ClientConnection::clear() {
  empty_buffer(received);
  empty_buffer(out);
}

H1ClientExchange::H1ClientExchange(std::unique_ptr<H1ClientConnection> connection)
    : connection_(std::move(connection)) {
  ++connection_->requests;
}

H1ClientExchange::~H1ClientExchange() {
  if (!reusable()) return;
  connection_->clear();
  Pool& pool = connection_->pool;
  pool.release(std::move(connection_));
}

bool H1ClientExchange::reusable() const {
  return sent_ && head_read_ && body_.done() && !excess_ && connection_->head.keep_alive &&
         connection_->head.status != 101 && !connection_->stream->disturbed();
}

bool H1ClientExchange::may_repeat() const {
  if (!reused() || received_any_) return false;
  const base::Duration since = connection_->pool.loop().now() - sent_at_;
  return !sent_ || close_crossed(since, connection_->connect_time);
}

Task<Result<void>> H1ClientExchange::send(const RequestStart& request, Wait wait) {
  method_ = method_of(request.method);
  size_t body_bytes = 0;
  for (const iovec& buffer : request.body) body_bytes += buffer.iov_len;
  std::string& out = connection_->out;
  CO_TRY_VOID(write_head(out, request, body_bytes));

  std::array<iovec, net::WriteAll::kBuffersMax> storage;
  if (request.body.size() + 1 > storage.size()) co_return fail(ErrorCode::internal, "too many buffers");
  storage[0] = net::buffer_of(out);
  std::copy(request.body.begin(), request.body.end(), storage.begin() + 1);
  std::span<iovec> left(storage.data(), request.body.size() + 1);
  net::Stream& stream = *connection_->stream;
  while (!left.empty()) {
    const net::IoResult result = stream.try_write(left);
    if (result.status == IoStatus::ok) {
      left = net::advance_buffers(left, result.bytes);
      continue;
    }
    if (result.status == IoStatus::would_block_write) {
      CO_TRY_VOID(co_await net::wait_either(stream, wait));
      CO_TRY(answered, answered_early());
      if (answered) co_return Result<void>{};
      continue;
    }
    if (result.status == IoStatus::would_block_read) {
      CO_TRY_VOID(co_await net::wait_readable(stream, wait));
      continue;
    }
    // The server closed while we wrote; it may have said why before.
    if (stream.readiness().readable) co_return Result<void>{};
    if (result.status == IoStatus::eof) co_return fail(ErrorCode::closed, "send request");
    co_return fail(result.error);
  }
  sent_ = true;
  sent_at_ = stream.loop().now();
  co_return Result<void>{};
}

// True when the server has answered before the request is through, or is gone: usually a refusal, and the rest would be
// thrown away. Readiness alone does not say so: it may be an interim response, or a record of TLS itself.
Result<bool> H1ClientExchange::answered_early() {
  net::Stream& stream = *connection_->stream;
  if (!stream.readiness().readable && !stream.has_buffered()) return false;
  const std::span<char> scratch = stream.loop().scratch();
  const net::IoResult result = stream.try_read(scratch);
  if (result.status == IoStatus::would_block_read || result.status == IoStatus::would_block_write) return false;
  if (result.status != IoStatus::ok) return true;  // read_head() meets it again
  received_any_ = true;
  connection_->received.append(scratch.data(), result.bytes);
  return take_head();
}

// True when the final head is there.
Result<bool> H1ClientExchange::take_head() {
  if (head_read_) return true;
  std::string& received = connection_->received;
  for (;;) {
    const std::string_view bytes = std::string_view(received).substr(body_start_);
    const HeadLimits& limits = connection_->pool.options().head_limits;
    if (bytes.empty() || (head_tried_ && !scanner_.ready(bytes, limits.head_bytes_max))) return false;
    head_tried_ = true;
    ResponseHead& head = connection_->head;
    const ParseResult result = parse_response_head(bytes, limits, method_, head);
    if (result.status == ParseStatus::error) return fail(to_error(result.error));
    if (result.status == ParseStatus::incomplete) return false;
    body_start_ += result.consumed;
    scanner_.reset();
    head_tried_ = false;
    if (head.interim()) {
      if (++interim_heads_ > kInterimHeadsMax) return fail(ErrorCode::protocol, "too many interim responses");
      continue;
    }
    body_ = BodyReader::of(head);
    head_read_ = true;
    return true;
  }
}

Task<Result<const ResponseHead*>> H1ClientExchange::read_head(Wait wait) {
  for (;;) {
    CO_TRY(complete, take_head());
    if (complete) co_return &connection_->head;
    CO_TRY(bytes, co_await net::read_scratch(*connection_->stream, wait));
    if (bytes.empty()) co_return fail(ErrorCode::closed, "response head");
    received_any_ = true;
    connection_->received.append(bytes.data(), bytes.size());
  }
}

// Takes the framing out of the bytes in place, so that the data is one piece whatever the chunks were.
Result<BodyBytes> H1ClientExchange::decode(std::span<char> bytes) {
  char* out = bytes.data();
  std::string_view input(bytes.data(), bytes.size());
  while (!input.empty() && !body_.done()) {
    TRY(piece, body_.feed(input));
    if (!piece.data.empty() && piece.data.data() != out) std::memmove(out, piece.data.data(), piece.data.size());
    out += piece.data.size();
    input.remove_prefix(piece.consumed);
  }
  excess_ |= !input.empty();
  if (body_.done()) body_.trailers(trailers_);
  return BodyBytes{{bytes.data(), out}, body_.done()};
}

Task<Result<BodyBytes>> H1ClientExchange::read_body(Wait wait) {
  std::string& received = connection_->received;
  if (body_start_ < received.size()) {
    const std::span<char> bytes(received.data() + body_start_, received.size() - body_start_);
    body_start_ = received.size();
    CO_TRY(decoded, decode(bytes));
    if (decoded.done || !decoded.data.empty()) co_return decoded;
  }
  while (!body_.done()) {
    CO_TRY(bytes, co_await net::read_scratch(*connection_->stream, wait));
    if (bytes.empty()) {
      CO_TRY_VOID(body_.end_of_stream());
      break;
    }
    CO_TRY(decoded, decode(bytes));
    if (decoded.done || !decoded.data.empty()) co_return decoded;
  }
  co_return BodyBytes{{}, true};
}

net::Stream* H1ClientExchange::raw_stream(std::string_view& early_bytes) {
  early_bytes = std::string_view(connection_->received).substr(body_start_);
  return connection_->stream.get();
}

}  // namespace llmgw::http
