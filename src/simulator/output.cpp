#include "simulator/output.h"

#include <algorithm>
#include <cmath>

#include "net/io.h"
#include "net/stream.h"

namespace llmgw::simulator {

using base::Result;
using http::HeaderId;
using net::Task;

namespace {

constexpr base::Duration kRawWriteTimeout = std::chrono::seconds(60);
constexpr std::string_view kGarbage = "\x16\x03\x01 this is not HTTP \xFF\xFE\r\n\r\n\x01\x02\x03";
constexpr size_t kTypicalHeadBytes = 200;
constexpr std::string_view kBrokenJson = R"({"broken": )";

// "2" or "0.5": what Retry-After carries; whole seconds wherever it can be whole.
std::string seconds_text(double seconds) {
  if (seconds == std::floor(seconds)) return std::to_string(std::llround(seconds));
  std::string text = std::to_string(seconds);
  text.erase(text.find_last_not_of('0') + 1);
  return text;
}

}  // namespace

Task<Result<void>> Output::start(int status, std::string_view content_type, std::optional<size_t> length,
                                 std::optional<double> retry_after_seconds) {
  http::Headers headers;
  service_.add_headers(job_, headers);
  headers.append(HeaderId::content_type, content_type);
  const std::string retry_after = retry_after_seconds ? seconds_text(*retry_after_seconds) : std::string();
  if (!retry_after.empty()) headers.append(HeaderId::retry_after, retry_after);
  if (job_.fault.slow_head) {
    auto slow = co_await slow_head(status, headers, length);
    if (slow || slow.error().code != base::ErrorCode::unsupported) co_return slow;
    // HTTP/2 shares its connection: the head comes whole, about as late as its last byte would.
    CO_TRY_VOID(co_await pause(job_.fault.slow_head->interval * (kTypicalHeadBytes / job_.fault.slow_head->bytes)));
  }
  co_return exchange_.start({.status = static_cast<uint16_t>(status),
                             .headers = &headers,
                             .framing = length ? http::Framing::content_length : http::Framing::until_close,
                             .content_length = length.value_or(0)});
}

// Written by hand, so that single bytes of it can be held back; the connection's end is then the body's.
Task<Result<void>> Output::slow_head(int status, const http::Headers& headers, std::optional<size_t> length) {
  CO_TRY(connection, co_await exchange_.take_over(nullptr));
  raw_ = connection.stream;
  std::string head = "HTTP/1.1 " + std::to_string(status) + ' ';
  head += http::reason_phrase(static_cast<uint16_t>(status));
  head += "\r\n";
  for (const http::Header& header : headers) {
    head += header.name;
    head += ": ";
    head += header.value;
    head += "\r\n";
  }
  if (length) head += "content-length: " + std::to_string(*length) + "\r\n";
  head += "connection: close\r\n\r\n";
  co_return co_await send_paced(head, *job_.fault.slow_head);
}

Task<Result<void>> Output::write(std::string_view bytes) {
  if (job_.fault.drip) co_return co_await send_paced(bytes, *job_.fault.drip);
  co_return co_await send(bytes);
}

Task<Result<void>> Output::send(std::string_view bytes) {
  if (raw_ != nullptr) {
    const base::Instant deadline = exchange_.loop().now() + kRawWriteTimeout;
    co_return co_await net::write_all(*raw_, bytes, {deadline, &exchange_.cancellation()});
  }
  const iovec buffer = net::buffer_of(bytes);
  co_return co_await exchange_.write({&buffer, 1}, false);
}

Task<Result<void>> Output::send_paced(std::string_view bytes, const Pace& pace) {
  while (!bytes.empty()) {
    const size_t count = std::min<size_t>(pace.bytes, bytes.size());
    CO_TRY_VOID(co_await send(bytes.substr(0, count)));
    bytes.remove_prefix(count);
    CO_TRY_VOID(co_await pause(pace.interval));
  }
  co_return Result<void>{};
}

Task<Result<void>> Output::end() {
  if (raw_ != nullptr) {
    raw_->shutdown_write();
    co_return Result<void>{};
  }
  co_return co_await exchange_.write({}, true);
}

Task<Result<void>> Output::whole(Reply reply) {
  const FaultPlan& fault = job_.fault;
  const bool breaks = fault.kind == FaultKind::cut || fault.kind == FaultKind::reset || fault.kind == FaultKind::hang;
  const size_t at = fault.after ? std::min(*fault.after * kTokenBytes, reply.body.size()) : reply.body.size() / 2;
  if (fault.kind == FaultKind::garbage_json) {
    reply.body.resize(at);
    reply.body += kBrokenJson;
  }
  CO_TRY_VOID(co_await start(reply.status, reply.content_type, reply.body.size(), reply.retry_after_seconds));
  if (breaks) {
    CO_TRY_VOID(co_await write(std::string_view(reply.body).substr(0, at)));
    co_await break_off(fault.kind);
    co_return Result<void>{};
  }
  if (raw_ == nullptr && !fault.drip) {
    const iovec buffer = net::buffer_of(reply.body);
    co_return co_await exchange_.write({&buffer, 1}, true);
  }
  CO_TRY_VOID(co_await write(reply.body));
  co_return co_await end();
}

Task<Result<void>> Output::pause(base::Duration time) {
  co_return co_await net::sleep_for(exchange_.loop(), time, &exchange_.cancellation());
}

Task<void> Output::break_off(FaultKind kind) {
  if (kind == FaultKind::hang) {
    (void)co_await net::sleep_until(exchange_.loop(), base::kNever, &exchange_.cancellation());
  } else if (kind == FaultKind::reset) {
    const auto connection = co_await exchange_.take_over(nullptr);
    if (connection) connection->stream->reset_on_close();
  }
  // A connection taken over closes when the handler returns; so does the rest of it by abort.
  exchange_.abort();
}

Task<void> Output::garbage() {
  const auto connection = co_await exchange_.take_over(nullptr);
  if (!connection) co_return exchange_.abort();
  raw_ = connection->stream;
  (void)co_await send(kGarbage);
}

Task<void> Output::close_idle(base::Duration after) {
  if (!co_await pause(after)) co_return;
  (void)co_await exchange_.take_over(nullptr);
}

}  // namespace llmgw::simulator
