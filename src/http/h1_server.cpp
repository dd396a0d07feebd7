// HTTP/1.1 on a server connection: one coroutine reads heads and runs the handler, request after request.
#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "http/body_framing.h"
#include "http/h1_writer.h"
#include "http/receive_buffer.h"
#include "http/server.h"
#include "net/patience.h"

namespace llmgw::http {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Instant;
using base::Result;
using net::Task;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kChunkEndAndLast = "\r\n0\r\n\r\n";
constexpr size_t kLargeReadBytes = 16 * 1024;  // a second look at the head costs more than to keep less
// From here on it costs more to copy a request than to wait for it with memory of its own in mind.
constexpr size_t kInPlaceBytesMin = 4 * 1024;
// What a client may still send into a closed door before it sees a reset: the largest uploads there are, for as long as
// they keep coming.
constexpr size_t kLingerBytesMax = 64 << 20;
constexpr base::Duration kLingerTotal = std::chrono::seconds(10);
constexpr size_t kKeptHeadBytes = 1024;  // of the buffer for response heads, between two requests

class H1Connection final : public Connection, public ServerExchange, private IdlePlace {
 public:
  H1Connection(Server& server, std::unique_ptr<net::Stream> stream, std::string_view early)
      : server_(server), stream_(std::move(stream)) {
    if (!early.empty()) take(early);
    server_.connections().push_back(*this);
    stream_->readiness().on_hangup = &cancellation_;
    if (stream_->readiness().hangup) cancellation_.cancel(ErrorCode::closed);
  }
  ~H1Connection() override { stream_->readiness().on_hangup = nullptr; }

  Task<void> run();

  // Connection
  void drain() override {
    draining_ = true;
    // A head that has begun is waited for.
    if (!handling_ && received_.empty()) idle_cancellation_.cancel();
  }
  void cancel(ErrorCode reason) override {
    idle_cancellation_.cancel(reason);
    stop_cancellation_.cancel(reason);
    cancellation_.cancel(reason);
  }

  // ServerExchange
  const RequestHead& head() const override { return head_; }
  net::Loop& loop() const override { return server_.loop(); }
  const net::Address& peer() const override { return stream_->peer(); }
  bool over_tls() const override { return stream_->is_tls(); }
  net::Cancellation& cancellation() override { return cancellation_; }
  Instant started_at() const override { return started_at_; }
  Task<Result<std::span<char>>> read_body(uint64_t bytes_max) override;
  Result<void> start(const ResponseStart& response) override;
  Task<Result<void>> write(std::span<const iovec> data, bool end) override;
  Task<Result<void>> flush() override { return write({}, false); }
  void abort() override { aborted_ = true; }
  bool started() const override { return response_started_; }
  bool ended() const override { return response_ended_; }
  uint64_t bytes_written() const override { return suppress_body_ ? 0 : body_bytes_written_; }
  Task<Result<RawConnection>> take_over(const ResponseStart* head) override;

 private:
  const ServerOptions& options() const { return server_.options(); }
  Task<Result<bool>> read_head();
  void take(std::string_view bytes);
  bool read_in_place();
  Task<void> refuse_head(ParseError error);
  Task<Result<std::span<char>>> read_sized_body();
  Task<Result<std::span<char>>> read_chunked_body(uint64_t bytes_max);
  Task<Result<void>> send(std::span<const iovec> buffers);
  Error undeliverable(const Error& error);
  Result<size_t> send_now(std::span<const iovec> buffers);
  Task<Result<void>> send_rest(std::span<const iovec> buffers, size_t left);
  bool can_go_on() const;
  Task<void> end_connection();
  Task<void> linger();
  void reset_exchange();
  bool body_is_here() const;
  bool end_idle() override {
    if (stream_->readiness().readable) return false;
    idle_cancellation_.cancel();
    return true;
  }

  Instant body_deadline(uint64_t received_bytes) const {
    const auto allowance = std::chrono::seconds(received_bytes / kSlowestBodyBytesPerSecond);
    return body_started_at_ + options().body_timeout + allowance;
  }

  Server& server_;
  std::unique_ptr<net::Stream> stream_;
  net::Cancellation cancellation_;       // the client left, or everything must stop
  net::Cancellation idle_cancellation_;  // nobody waits for the next request any more
  net::Cancellation stop_cancellation_;  // everything must stop
  ReceiveBuffer received_;
  RequestHead head_;
  std::string early_body_;  // the start of a large body, read together with its head
  size_t head_bytes_ = 0;
  size_t consumed_ = 0;        // bytes of received_ that are this request's
  size_t expected_bytes_ = 0;  // of the next request, if that is worth an allocation before it is read; 0: it is not
  std::string pipelined_;      // bytes of the next one that came with the end of this one's chunked body
  BodyReader body_reader_;
  std::unique_ptr<char[]> sized_body_;
  std::vector<char> chunked_body_;
  std::string head_out_;  // the response's head until it is sent
  Instant started_at_;
  Instant body_started_at_;
  uint64_t requests_ = 0;
  uint64_t body_bytes_written_ = 0;
  uint64_t body_bytes_announced_ = 0;
  size_t unsent_ = 0;  // of what was to be sent last, framing included, where it failed
  Framing response_framing_ = Framing::none;
  bool body_read_ = false;  // all of the request has been taken from the connection
  bool continue_pending_ = false;
  bool response_started_ = false;
  bool response_ended_ = false;
  bool suppress_body_ = false;  // HEAD, 204, 304
  bool close_after_ = false;
  bool aborted_ = false;
  bool taken_over_ = false;
  bool handling_ = false;
  bool draining_ = false;
};

Task<void> H1Connection::run() {
  for (;;) {
    auto more = co_await read_head();
    if (!more || !*more) break;
    handling_ = true;
    server_.request_began();
    co_await server_.handler().handle(*this);
    server_.request_ended();
    handling_ = false;
    if (taken_over_) break;
    if (!can_go_on()) {
      co_await end_connection();
      break;
    }
    if (!body_read_) consumed_ = head_bytes_ + head_.content_length;
    reset_exchange();
  }
}

// True when head_ holds the next request; false when the connection is done.
Task<Result<bool>> H1Connection::read_head() {
  HeadScanner scanner;
  Instant deadline = loop().now() + options().idle_timeout;
  started_at_ = loop().now();
  bool first_bytes = received_.empty();
  bool first_try = true;  // most heads come whole; only where one does not is its end looked for before it is read
  if (!first_bytes) deadline = loop().now() + options().header_timeout;
  for (;;) {
    const bool has_bytes = !received_.empty();
    if (has_bytes && (first_try || scanner.ready(received_.view(), options().head_limits.head_bytes_max))) {
      first_try = false;
      const ParseResult result = parse_request_head(received_.view(), options().head_limits, head_);
      if (result.status == ParseStatus::complete) {
        head_bytes_ = result.consumed;
        break;
      }
      if (result.status == ParseStatus::error) {
        co_await refuse_head(result.error);
        co_return false;
      }
    }
    const bool draining = draining_ || server_.draining();
    if (received_.empty() && draining) deadline = std::min(deadline, loop().now() + kDrainGrace);
    net::Cancellation& give_up = draining ? stop_cancellation_ : idle_cancellation_;
    if (first_bytes && !draining) server_.wait_idle(*this);
    const net::Wait wait{deadline, &give_up};
    bool in_place = false;
    Result<std::span<char>> bytes;
    if (first_bytes && expected_bytes_ != 0) {
      const auto ready = co_await net::wait_readable(*stream_, wait);
      if (!ready) bytes = fail(ready.error());
      in_place = ready && read_in_place();
    }
    if (bytes && !in_place) bytes = co_await net::read_scratch(*stream_, wait);
    IdlePlace::unlink();
    if (!bytes) {
      if (!draining && draining_ && !stop_cancellation_.cancelled()) continue;
      const bool slow_head = bytes.error().code == ErrorCode::deadline_exceeded && !received_.empty();
      if (slow_head) co_await refuse_head(ParseError::none);
      co_return false;
    }
    if (!in_place && bytes->empty()) co_return false;
    if (first_bytes) {
      first_bytes = false;
      started_at_ = loop().now();
      deadline = started_at_ + options().header_timeout;
    }
    if (!in_place) take({bytes->data(), bytes->size()});
  }
  body_started_at_ = loop().now();
  continue_pending_ = head_.expect_continue;
  body_read_ = head_.framing == Framing::none;
  co_return true;
}

// A connection's requests are much alike: one that follows a large one is read to where it stays. False where nothing
// was there or nothing comes any more, which whoever reads next is told, too.
bool H1Connection::read_in_place() {
  const net::IoResult result = stream_->try_read(received_.room(expected_bytes_));
  if (result.status == net::IoStatus::ok) {
    received_.added(result.bytes);
    return true;
  }
  received_.release_if_empty();
  return false;
}

// Keeps what has arrived. The start of a large body stays apart from its head, so that it can be given back as soon as
// the body has its own memory: a head must not move, and holds its buffer as long as the request lasts.
void H1Connection::take(std::string_view bytes) {
  HeadScanner scanner;
  if (!received_.empty() || bytes.size() < kLargeReadBytes || !scanner.ready(bytes)) return received_.append(bytes);
  const ParseResult result = parse_request_head(bytes, options().head_limits, head_);
  const bool incomplete_body = result.status == ParseStatus::complete && head_.framing == Framing::content_length &&
                               head_.content_length > bytes.size() - result.consumed;
  if (!incomplete_body) return received_.append(bytes);
  received_.append(bytes.substr(0, result.consumed));
  early_body_.assign(bytes.substr(result.consumed));
}

// ParseError::none stands for a head that came too slowly.
Task<void> H1Connection::refuse_head(ParseError error) {
  ++server_.counters().refused_heads;
  const uint16_t status = error == ParseError::none ? uint16_t{408} : http_status(error);
  const char* text = error == ParseError::none ? "the request's head did not arrive in time" : describe(error);
  const MalformedAnswer answer = server_.handler().malformed_request({status, text, stream_->peer(), started_at_});
  std::string out;
  HeadWriter writer(out);
  writer.status_line(status).header("content-type", "application/json").header("connection", "close");
  if (!answer.request_id.empty()) writer.header(HeaderId::x_request_id, answer.request_id);
  writer.framing(Framing::content_length, answer.body.size());
  if (writer.finish()) {
    const iovec buffers[] = {net::buffer_of(out), net::buffer_of(answer.body)};
    if (co_await send(buffers)) co_await linger();
  }
}

bool H1Connection::body_is_here() const {
  return head_.framing == Framing::content_length && received_.size() - head_bytes_ >= head_.content_length;
}

Task<Result<std::span<char>>> H1Connection::read_body(uint64_t bytes_max) {
  if (head_.framing == Framing::none) co_return std::span<char>{};
  if (head_.framing == Framing::content_length && head_.content_length > bytes_max) {
    co_return fail(ErrorCode::too_large, "request body");
  }
  if (body_is_here()) {
    body_read_ = true;
    consumed_ = head_bytes_ + head_.content_length;
    co_return std::span<char>(received_.data() + head_bytes_, head_.content_length);
  }
  if (continue_pending_) {
    continue_pending_ = false;
    const iovec buffer = net::buffer_of(kContinue);
    CO_TRY_VOID(co_await send({&buffer, 1}));
  }
  consumed_ = received_.size();
  if (head_.framing == Framing::content_length) co_return co_await read_sized_body();
  co_return co_await read_chunked_body(bytes_max);
}

// Reads straight into memory of the announced size: one copy of what came with the head, none of the rest.
Task<Result<std::span<char>>> H1Connection::read_sized_body() {
  const size_t size = head_.content_length;
  sized_body_ = std::make_unique_for_overwrite<char[]>(size);
  size_t have = received_.size() - head_bytes_;
  std::memcpy(sized_body_.get(), received_.data() + head_bytes_, have);
  std::memcpy(sized_body_.get() + have, early_body_.data(), early_body_.size());
  have += early_body_.size();
  std::string().swap(early_body_);
  while (have < size) {
    const std::span<char> room(sized_body_.get() + have, size - have);
    CO_TRY(count, co_await net::read_some(*stream_, room, {body_deadline(have), &cancellation_}));
    if (count == 0) co_return fail(ErrorCode::closed, "request body");
    have += count;
  }
  body_read_ = true;
  co_return std::span<char>(sized_body_.get(), size);
}

Task<Result<std::span<char>>> H1Connection::read_chunked_body(uint64_t bytes_max) {
  std::string_view input = received_.view().substr(head_bytes_);
  uint64_t arrived = input.size();
  body_reader_ = BodyReader::of(head_, bytes_max);
  for (;;) {
    while (!input.empty() && !body_reader_.done()) {
      CO_TRY(piece, body_reader_.feed(input));
      chunked_body_.insert(chunked_body_.end(), piece.data.begin(), piece.data.end());
      input.remove_prefix(piece.consumed);
    }
    if (body_reader_.done()) break;
    CO_TRY(bytes, co_await net::read_scratch(*stream_, {body_deadline(arrived), &cancellation_}));
    if (bytes.empty()) co_return fail(ErrorCode::closed, "request body");
    arrived += bytes.size();
    input = {bytes.data(), bytes.size()};
  }
  // What follows the body is the next request's. This one's head stays where its views point.
  pipelined_.assign(input);
  body_read_ = true;
  co_return std::span<char>(chunked_body_);
}

Result<void> H1Connection::start(const ResponseStart& response) {
  const bool no_body = response.status < 200 || response.status == 204 || response.status == 304;
  suppress_body_ = no_body || head_.method == Method::head;
  close_after_ |= !head_.keep_alive || draining_ || server_.draining() || (!body_read_ && !body_is_here()) ||
                  ++requests_ >= options().requests_per_connection_max;
  response_framing_ = response.framing;
  if (no_body) {
    response_framing_ = Framing::none;
  } else if (response_framing_ == Framing::until_close && head_.version == Version::http_1_1) {
    response_framing_ = Framing::chunked;
  } else if (response_framing_ == Framing::until_close || response_framing_ == Framing::chunked) {
    response_framing_ = Framing::until_close;
    close_after_ = true;
  }
  body_bytes_announced_ = response_framing_ == Framing::content_length ? response.content_length : 0;

  HeadWriter writer(head_out_);
  writer.status_line(response.status);
  if (response.headers != nullptr) {
    for (const Header& header : *response.headers) writer.header(header);
  }
  if (response.framing == Framing::none && !suppress_body_) {
    writer.framing(Framing::content_length, 0);
    response_framing_ = Framing::content_length;
  } else {
    writer.framing(response_framing_, response.content_length);
  }
  if (response.status == 101) {
    writer.header(HeaderId::connection, "upgrade");
  } else if (close_after_) {
    writer.header(HeaderId::connection, "close");
  } else if (head_.version == Version::http_1_0) {
    writer.header(HeaderId::connection, "keep-alive");
  }
  auto written = writer.finish();
  response_started_ = written.has_value();
  return written;
}

Task<Result<void>> H1Connection::write(std::span<const iovec> data, bool end) {
  if (!response_started_ || response_ended_) co_return fail(ErrorCode::internal, "write outside a response");
  size_t bytes = 0;
  for (const iovec& buffer : data) bytes += buffer.iov_len;
  body_bytes_written_ += bytes;
  const bool sized = response_framing_ == Framing::content_length;
  if (sized && (body_bytes_written_ > body_bytes_announced_ ||
                (end && !suppress_body_ && body_bytes_written_ != body_bytes_announced_))) {
    aborted_ = true;
    co_return fail(ErrorCode::internal, "body does not match its announced length");
  }

  std::array<iovec, net::WriteAll::kBuffersMax> buffers;
  size_t count = 0;
  if (!head_out_.empty()) buffers[count++] = net::buffer_of(head_out_);
  const bool chunked = response_framing_ == Framing::chunked && !suppress_body_;
  const ChunkHeader chunk(bytes > 0 ? bytes : 1);
  if (chunked && bytes > 0) buffers[count++] = net::buffer_of(chunk.view());
  if (!suppress_body_) {
    if (count + data.size() + 1 > buffers.size()) co_return fail(ErrorCode::internal, "too many buffers");
    for (const iovec& buffer : data) buffers[count++] = buffer;
  }
  if (chunked && bytes > 0) buffers[count++] = net::buffer_of(end ? kChunkEndAndLast : kChunkEnd);
  if (chunked && bytes == 0 && end) buffers[count++] = net::buffer_of(kLastChunk);

  if (count > 0) {
    const std::span<const iovec> out(buffers.data(), count);
    auto left = send_now(out);
    Result<void> sent;
    if (!left) {
      sent = fail(left.error());
    } else if (*left > 0) {
      sent = co_await send_rest(out, *left);
    }
    if (!sent) {
      // Of what did not go out the last bytes are the chunk's end.
      const size_t framing = chunked ? buffers[count - 1].iov_len : 0;
      body_bytes_written_ -= std::min<uint64_t>(bytes, unsent_ - std::min(unsent_, framing));
      co_return fail(undeliverable(sent.error()));
    }
  }
  head_out_.clear();
  response_ended_ = end;
  co_return Result<void>{};
}

// Nobody reads what is left, and whoever works on the answer need not go on.
Error H1Connection::undeliverable(const Error& error) {
  aborted_ = true;
  // What a client does not take would stay with the kernel after an orderly close.
  if (error.code == ErrorCode::deadline_exceeded) stream_->reset_on_close();
  cancellation_.cancel(error.code);
  return error;
}

Task<Result<void>> H1Connection::send(std::span<const iovec> buffers) {
  CO_TRY(left, send_now(buffers));
  if (left > 0) co_return co_await send_rest(buffers, left);
  co_return Result<void>{};
}

// Sends what the socket takes at once; the number of bytes it did not take.
Result<size_t> H1Connection::send_now(std::span<const iovec> buffers) {
  unsent_ = 0;
  for (const iovec& buffer : buffers) unsent_ += buffer.iov_len;
  const net::IoResult result = stream_->try_write(buffers);
  if (result.status == net::IoStatus::error) return fail(result.error);
  if (result.status == net::IoStatus::eof) return fail(ErrorCode::closed, "write");
  return unsent_ -= result.bytes;
}

// The last `left` bytes. They are copied: the caller's bytes are often in the loop's scratch memory.
Task<Result<void>> H1Connection::send_rest(std::span<const iovec> buffers, size_t left) {
  std::string rest;
  rest.reserve(left);
  size_t skip = 0;
  for (const iovec& buffer : buffers) skip += buffer.iov_len;
  skip -= left;
  for (const iovec& buffer : buffers) {
    const size_t skipped = std::min(skip, buffer.iov_len);
    rest.append(static_cast<const char*>(buffer.iov_base) + skipped, buffer.iov_len - skipped);
    skip -= skipped;
  }
  std::string_view unsent = rest;
  net::Patience patience(options().write_timeout, loop().now());
  while (!unsent.empty()) {
    auto count = co_await net::write_some(*stream_, unsent, {patience.deadline(), &cancellation_});
    unsent_ = unsent.size();
    if (!count) co_return fail(count.error());
    unsent.remove_prefix(*count);
    patience.took(*count, loop().now());
  }
  co_return Result<void>{};
}

Task<Result<RawConnection>> H1Connection::take_over(const ResponseStart* head) {
  if (head != nullptr) {
    CO_TRY_VOID(start(*head));
    const iovec buffer = net::buffer_of(head_out_);
    auto sent = co_await send({&buffer, 1});
    if (!sent) co_return fail(undeliverable(sent.error()));
    head_out_.clear();
  }
  taken_over_ = true;
  co_return RawConnection{stream_.get(), received_.view().substr(head_bytes_)};
}

// Whether the connection can carry another request.
bool H1Connection::can_go_on() const {
  return response_ended_ && !aborted_ && !close_after_ && (body_read_ || body_is_here());
}

Task<void> H1Connection::end_connection() {
  if (response_ended_ && !aborted_) co_return co_await linger();
  // A body delimited by the connection's end would look complete after an orderly close.
  if (response_framing_ == Framing::until_close || !response_started_) stream_->reset_on_close();
}

// Ends our side and waits for the client's, so that a reset caused by unread bytes cannot overtake the answer.
Task<void> H1Connection::linger() {
  stream_->shutdown_write();
  const Instant end = loop().now() + kLingerTotal;
  for (size_t discarded = 0; discarded < kLingerBytesMax;) {
    const Instant deadline = std::min(end, loop().now() + kLingerTime);
    auto bytes = co_await net::read_scratch(*stream_, {deadline, &stop_cancellation_});
    if (!bytes || bytes->empty()) co_return;
    discarded += bytes->size();
  }
}

void H1Connection::reset_exchange() {
  // The next turn of a conversation is longer by what was said since.
  const size_t bytes = head_bytes_ + (head_.framing == Framing::content_length ? head_.content_length : 0);
  expected_bytes_ = bytes >= kInPlaceBytesMin && bytes < kLargeReadBytes ? bytes + bytes / 4 : 0;
  received_.consume(std::max(consumed_, head_bytes_));
  if (!pipelined_.empty()) {
    received_.append(pipelined_);
    pipelined_.clear();
    pipelined_.shrink_to_fit();
  }
  received_.release_if_empty();
  received_.compact();
  sized_body_.reset();
  std::string().swap(early_body_);
  std::vector<char>().swap(chunked_body_);
  if (head_out_.capacity() > kKeptHeadBytes) std::string().swap(head_out_);
  consumed_ = head_bytes_ = 0;
  body_bytes_written_ = body_bytes_announced_ = 0;
  response_framing_ = Framing::none;
  body_read_ = response_started_ = response_ended_ = suppress_body_ = false;
}

}  // namespace

Task<void> serve_h1(Server& server, std::unique_ptr<net::Stream> stream, std::string early) {
  H1Connection connection(server, std::move(stream), early);
  std::string().swap(early);  // this frame lives as long as the connection
  co_await connection.run();
}

}  // namespace llmgw::http
