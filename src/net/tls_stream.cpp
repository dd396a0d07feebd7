#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "net/io.h"
#include "net/tls_state.h"

namespace llmgw::net {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;
using detail::SslPtr;
using detail::TlsClientState;

constexpr size_t kRecordBytes = SSL3_RT_MAX_PLAIN_LENGTH;  // 16 KiB: the most one record carries
constexpr size_t kUnsentBytesMax = 64 * 1024;              // a record and many small messages that OpenSSL adds to it

// Small buffers are joined here into one record, one send. Used within one try_write only.
thread_local char gather_buffer[kRecordBytes];

bool must_wait(IoStatus status) {
  return status == IoStatus::would_block_read || status == IoStatus::would_block_write;
}

// A position in a list of buffers.
class Cursor {
 public:
  explicit Cursor(std::span<const iovec> buffers) : buffers_(buffers) {
    for (const iovec& buffer : buffers) left_ += buffer.iov_len;
  }
  size_t left() const { return left_; }

  void advance(size_t bytes) {
    left_ -= bytes;
    while (bytes > 0) {
      const size_t step = std::min(bytes, buffers_[index_].iov_len - offset_);
      bytes -= step;
      offset_ += step;
      if (offset_ == buffers_[index_].iov_len) next_buffer();
    }
  }

  // The next min(limit, left()) bytes in one piece: where they lie, or copied together. limit <= kRecordBytes.
  std::string_view peek(size_t limit) {
    limit = std::min(limit, left_);
    while (offset_ == buffers_[index_].iov_len) next_buffer();
    const auto* start = static_cast<const char*>(buffers_[index_].iov_base) + offset_;
    if (buffers_[index_].iov_len - offset_ >= limit) return {start, limit};
    size_t filled = 0;
    for (size_t index = index_, offset = offset_; filled < limit; ++index, offset = 0) {
      const size_t part = std::min(limit - filled, buffers_[index].iov_len - offset);
      std::memcpy(gather_buffer + filled, static_cast<const char*>(buffers_[index].iov_base) + offset, part);
      filled += part;
    }
    return {gather_buffer, limit};
  }

 private:
  void next_buffer() {
    ++index_;
    offset_ = 0;
  }

  std::span<const iovec> buffers_;
  size_t index_ = 0;
  size_t offset_ = 0;
  size_t left_ = 0;
};

class TlsStream final : public Stream {
 public:
  // `state`: what OpenSSL's callbacks of this connection refer to.
  TlsStream(std::unique_ptr<Stream> inner, SslPtr ssl, std::shared_ptr<void> state)
      : Stream(inner->loop(), inner->readiness(), inner->peer()),
        inner_(std::move(inner)),
        state_(std::move(state)),
        ssl_(std::move(ssl)),
        close_notify_(*this) {
    SSL_set_app_data(ssl_.get(), this);
    BIO* bio = BIO_new(bio_method());
    if (bio == nullptr) std::abort();
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
  }
  ~TlsStream() override {
    // Without this, OpenSSL would take the session of a connection without close_notify for a bad one.
    if (SSL_is_init_finished(ssl_.get()) && !read_error_) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN);
  }

  IoResult try_read(std::span<char> buffer) override;
  IoResult try_write(std::span<const iovec> buffers) override;
  void shutdown_write() override;
  void reset_on_close() override { inner_->reset_on_close(); }
  bool has_buffered() const override {
    return SSL_pending(ssl_.get()) > 0 || (!starved_ && SSL_has_pending(ssl_.get()) == 1);
  }
  bool disturbed() override;
  std::string_view alpn() const override {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  bool is_tls() const override { return true; }
  int fd() const override { return inner_->fd(); }

  // One step of the handshake: ok when it is done.
  IoResult try_handshake();
  Stream& inner() { return *inner_; }
  SSL* ssl() const { return ssl_.get(); }
  // Sessions the server gives us are kept under this name.
  void keep_sessions(TlsClientState& client, std::string server) {
    client_ = &client;
    server_ = std::move(server);
  }
  void keep_session(detail::SslSessionPtr session) {
    if (client_ != nullptr) client_->sessions().put(server_, std::move(session));
  }

 private:
  static BIO_METHOD* bio_method();
  static int bio_write(BIO* bio, const char* data, int size);
  static int bio_read(BIO* bio, char* buffer, int size);
  static long bio_control(BIO* bio, int command, long argument, void* pointer);
  // Nobody waits in it: it finishes shutdown_write() when the socket takes more.
  struct CloseNotify : Suspension {
    explicit CloseNotify(TlsStream& stream) : Suspension(stream.loop(), &attempt), owner(stream) {}
    static bool attempt(Suspension& suspension);
    TlsStream& owner;
  };

  bool finish_shutdown();
  // Sends what is left over. ok: nothing is.
  IoResult flush();

  IoResult read_outcome(int result);
  IoResult write_outcome(int result);
  Error failure(const char* what);
  IoResult write_failed(const Error& error);

  std::unique_ptr<Stream> inner_;
  std::shared_ptr<void> state_;
  SslPtr ssl_;
  TlsClientState* client_ = nullptr;
  std::string server_;
  // What OpenSSL has written and the socket has not taken. OpenSSL itself never has a record half sent: it could not
  // answer a key update that comes meanwhile.
  std::string unsent_;
  size_t unsent_head_ = 0;
  // Plain bytes of the caller's that stand in unsent_: not yet reported as written.
  size_t pending_ = 0;
  // Plain bytes that were sent and not yet reported; the caller will present them again.
  size_t ahead_ = 0;
  size_t record_bytes_ = kRecordBytes;
  bool starved_ = true;  // OpenSSL wanted more than it had; nothing has arrived since
  bool inner_eof_ = false;
  std::optional<Error> inner_error_;
  std::optional<Error> read_error_;
  std::optional<Error> write_error_;
  bool shutdown_ = false;
  CloseNotify close_notify_;
};

BIO_METHOD* TlsStream::bio_method() {
  static BIO_METHOD* const kMethod = [] {
    BIO_METHOD* created = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "llmgw stream");
    if (created == nullptr) std::abort();
    BIO_meth_set_write(created, &bio_write);
    BIO_meth_set_read(created, &bio_read);
    BIO_meth_set_ctrl(created, &bio_control);
    return created;
  }();
  return kMethod;
}

int TlsStream::bio_write(BIO* bio, const char* data, int size) {
  auto& self = *static_cast<TlsStream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (self.unsent_.size() - self.unsent_head_ > kUnsentBytesMax) {
    BIO_set_retry_write(bio);
    return -1;
  }
  std::string_view left(data, static_cast<size_t>(size));
  while (!left.empty() && self.unsent_.empty()) {
    const iovec buffer = buffer_of(left);
    const IoResult result = self.inner_->try_write({&buffer, 1});
    if (result.status == IoStatus::error) {
      self.inner_error_ = result.error;
      return -1;
    }
    if (result.status != IoStatus::ok) break;
    left.remove_prefix(result.bytes);
  }
  self.unsent_ += left;
  return size;
}

IoResult TlsStream::flush() {
  while (!unsent_.empty()) {
    const iovec buffer = buffer_of(std::string_view(unsent_).substr(unsent_head_));
    const IoResult result = inner_->try_write({&buffer, 1});
    if (result.status != IoStatus::ok) return result;
    unsent_head_ += result.bytes;
    if (unsent_head_ < unsent_.size()) continue;
    unsent_ = std::string();  // gives the memory back: few connections are blocked at a time
    unsent_head_ = 0;
    ahead_ += std::exchange(pending_, 0);
  }
  return {};
}

int TlsStream::bio_read(BIO* bio, char* buffer, int size) {
  auto& self = *static_cast<TlsStream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const IoResult result = self.inner_->try_read({buffer, static_cast<size_t>(size)});
  switch (result.status) {
    case IoStatus::ok: self.starved_ = false; return static_cast<int>(result.bytes);
    case IoStatus::would_block_read:
    case IoStatus::would_block_write: BIO_set_retry_read(bio); return -1;
    case IoStatus::eof: self.inner_eof_ = true; return 0;
    case IoStatus::error: self.inner_error_ = result.error; return -1;
  }
  return -1;
}

long TlsStream::bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return static_cast<TlsStream*>(BIO_get_data(bio))->inner_eof_ ? 1 : 0;
  return 0;
}

Error TlsStream::failure(const char* what) {
  const unsigned long first = ERR_peek_error();
  const bool cut = ERR_GET_LIB(first) == ERR_LIB_SSL && ERR_GET_REASON(first) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  if (first != 0 && !cut) return detail::take_tls_error(ssl_.get(), ErrorCode::tls, what);
  detail::clear_tls_errors();
  if (inner_error_) {
    detail::set_last_tls_error(what, inner_error_->context);
    return *std::exchange(inner_error_, std::nullopt);
  }
  const char* reason = inner_eof_ ? "the connection ended without close_notify" : "TLS failed without a reason";
  detail::set_last_tls_error(what, reason);
  return {inner_eof_ ? ErrorCode::reset : ErrorCode::tls, reason, 0};
}

IoResult TlsStream::try_handshake() {
  if (const IoResult flushed = flush(); flushed.status != IoStatus::ok) return flushed;
  detail::clear_tls_errors();
  const int result = SSL_do_handshake(ssl_.get());
  const int outcome = SSL_get_error(ssl_.get(), result);
  if (outcome != SSL_ERROR_NONE && outcome != SSL_ERROR_WANT_READ && outcome != SSL_ERROR_WANT_WRITE) {
    return {IoStatus::error, 0, failure("TLS handshake")};
  }
  if (!unsent_.empty() || outcome == SSL_ERROR_WANT_WRITE) return {IoStatus::would_block_write, 0, {}};
  if (outcome == SSL_ERROR_WANT_READ) return {IoStatus::would_block_read, 0, {}};
  const unsigned code = SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl_.get()));
  if (code >= 1 && code <= 4) record_bytes_ = size_t{256} << code;  // RFC 6066, section 4
  return {};
}

IoResult TlsStream::read_outcome(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ: starved_ = true; return {IoStatus::would_block_read, 0, {}};
    case SSL_ERROR_WANT_WRITE:
      // A protocol message has to go out first. The reader still waits as reader: any signal wakes it while the
      // connection counts as readable, and the writer's place stays free for the writer.
      readiness().readable = true;
      return {IoStatus::would_block_read, 0, {}};
    case SSL_ERROR_ZERO_RETURN: return {IoStatus::eof, 0, {}};
    default: read_error_ = failure("TLS read"); return {IoStatus::error, 0, *read_error_};
  }
}

IoResult TlsStream::try_read(std::span<char> buffer) {
  if (read_error_) return {IoStatus::error, 0, *read_error_};
  if (!unsent_.empty()) flush();  // an answer of OpenSSL's may wait there while nobody writes
  size_t total = 0;
  while (total < buffer.size()) {
    detail::clear_tls_errors();
    size_t count = 0;
    const int result = SSL_read_ex(ssl_.get(), buffer.data() + total, buffer.size() - total, &count);
    if (result != 1) {
      const IoResult outcome = read_outcome(result);
      if (total == 0) return outcome;
      break;  // what has been read comes first; the outcome shows again at the next call
    }
    total += count;
    if (!readiness().readable && SSL_has_pending(ssl_.get()) == 0) break;
  }
  return {IoStatus::ok, total, {}};
}

// What arrives while nobody reads may be a ticket or a key update: OpenSSL takes those in, and only data or an end
// count.
bool TlsStream::disturbed() {
  if (readiness().hangup || read_error_ || SSL_pending(ssl_.get()) > 0) return true;
  if (!readiness().readable && !has_buffered()) return false;
  detail::clear_tls_errors();
  char byte = 0;
  size_t count = 0;
  const int result = SSL_peek_ex(ssl_.get(), &byte, 1, &count);
  if (result == 1) return true;
  return read_outcome(result).status != IoStatus::would_block_read;
}

IoResult TlsStream::write_outcome(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_WRITE: return {IoStatus::would_block_write, 0, {}};
    case SSL_ERROR_WANT_READ:
      readiness().writable = true;  // as in read_outcome
      return {IoStatus::would_block_write, 0, {}};
    default: return write_failed(failure("TLS write"));
  }
}

// A peer that refuses us after its handshake (TLS 1.3 asks for certificates so late) says why and closes. Where that
// closing stops a write before anybody has read, the alert is still there, and tells more.
IoResult TlsStream::write_failed(const Error& error) {
  write_error_ = error;
  if (!read_error_ && (error.code == ErrorCode::reset || error.code == ErrorCode::closed)) {
    readiness().readable = true;  // it may have arrived since the loop looked
    detail::clear_tls_errors();
    char byte = 0;
    size_t count = 0;
    if (SSL_peek_ex(ssl_.get(), &byte, 1, &count) != 1) (void)read_outcome(0);
    if (read_error_ && read_error_->code == ErrorCode::tls) write_error_ = read_error_;
  }
  return {IoStatus::error, 0, *write_error_};
}

IoResult TlsStream::try_write(std::span<const iovec> buffers) {
  if (write_error_) return {IoStatus::error, 0, *write_error_};
  if (!readiness().writable) return {IoStatus::would_block_write, 0, {}};
  if (const IoResult flushed = flush(); flushed.status != IoStatus::ok) {
    return flushed.status == IoStatus::error ? write_failed(flushed.error) : flushed;
  }
  Cursor cursor(buffers);
  size_t total = std::min(ahead_, cursor.left());
  cursor.advance(total);
  ahead_ -= total;
  while (cursor.left() > 0) {
    const std::string_view record = cursor.peek(record_bytes_);
    detail::clear_tls_errors();
    size_t written = 0;
    const int result = SSL_write_ex(ssl_.get(), record.data(), record.size(), &written);
    if (result != 1) {
      const IoResult outcome = write_outcome(result);
      if (total > 0) break;  // the outcome shows again at the next call
      return outcome;
    }
    if (!unsent_.empty()) {
      pending_ = written;
      if (total > 0) break;
      return {IoStatus::would_block_write, 0, {}};
    }
    cursor.advance(written);
    total += written;
  }
  return {IoStatus::ok, total, {}};
}

bool TlsStream::CloseNotify::attempt(Suspension& suspension) {
  return static_cast<CloseNotify&>(suspension).owner.finish_shutdown();
}

// True when there is nothing left to do.
bool TlsStream::finish_shutdown() {
  if (must_wait(flush().status) && readiness().writer == nullptr) {
    close_notify_.park(readiness().writer);
    return false;
  }
  inner_->shutdown_write();
  return true;
}

void TlsStream::shutdown_write() {
  if (shutdown_) return;
  shutdown_ = true;
  // A write that was given up in the middle must not look like an orderly end.
  if (pending_ > 0 || write_error_ || SSL_is_init_finished(ssl_.get()) == 0) {
    inner_->shutdown_write();
    return;
  }
  detail::clear_tls_errors();
  SSL_shutdown(ssl_.get());
  detail::clear_tls_errors();
  if (!finish_shutdown()) close_notify_.suspend(std::noop_coroutine(), {});
}

Task<Result<std::unique_ptr<Stream>>> handshake(std::unique_ptr<TlsStream> stream, Wait wait) {
  for (;;) {
    const IoResult step = stream->try_handshake();
    if (step.status == IoStatus::ok) break;
    if (step.status == IoStatus::error) co_return fail(step.error);
    Result<void> waited;
    if (step.status == IoStatus::would_block_write) {
      waited = co_await wait_writable(stream->inner(), wait);
    } else {
      waited = co_await wait_readable(stream->inner(), wait);
    }
    if (!waited) {
      detail::set_last_tls_error("TLS handshake", to_string(waited.error().code));
      co_return fail(waited.error().code, "TLS handshake");
    }
  }
  co_return std::unique_ptr<Stream>(std::move(stream));
}

std::unexpected<Error> no_memory() {
  return std::unexpected(detail::take_tls_error(nullptr, ErrorCode::internal, "SSL_new"));
}

const TlsStream& as_tls(const Stream& stream) {
  if (!stream.is_tls()) std::abort();  // a programmer's error
  return static_cast<const TlsStream&>(stream);
}

std::string_view text_or_empty(const char* text) {
  return text != nullptr ? std::string_view(text) : std::string_view();
}

}  // namespace

int detail::on_new_client_session(ssl_st* ssl, ssl_session_st* session) {
  static_cast<TlsStream*>(SSL_get_app_data(ssl))->keep_session(SslSessionPtr(session));
  return 1;  // the reference is ours now
}

Task<Result<std::unique_ptr<Stream>>> tls_accept(std::unique_ptr<Stream> stream, TlsServerContext& context, Wait wait) {
  SslPtr ssl(SSL_new(context.state()->default_context()));
  if (!ssl) co_return no_memory();
  SSL_set_accept_state(ssl.get());
  auto tls = std::make_unique<TlsStream>(std::move(stream), std::move(ssl), context.state());
  co_return co_await handshake(std::move(tls), wait);
}

Task<Result<std::unique_ptr<Stream>>> tls_connect(std::unique_ptr<Stream> stream, TlsClientContext& context,
                                                  std::string_view server_name, Wait wait) {
  TlsClientState& state = *context.state();
  if (server_name.starts_with('[') && server_name.ends_with(']')) {
    server_name = server_name.substr(1, server_name.size() - 2);
  }
  if (server_name.ends_with('.')) server_name.remove_suffix(1);
  const std::string name(server_name);
  SslPtr ssl(SSL_new(state.context()));
  if (!ssl) co_return no_memory();
  SSL_set_connect_state(ssl.get());
  CO_TRY_VOID(detail::set_server_name(ssl.get(), name, state.verify()));
  std::string server = name + ":" + std::to_string(stream->peer().port());
  if (state.resumption()) {
    if (SSL_SESSION* session = state.sessions().find(server)) SSL_set_session(ssl.get(), session);
  }
  auto tls = std::make_unique<TlsStream>(std::move(stream), std::move(ssl), context.state());
  tls->keep_sessions(state, std::move(server));
  co_return co_await handshake(std::move(tls), wait);
}

TlsInfo tls_info(const Stream& stream) {
  SSL* ssl = as_tls(stream).ssl();
  return {.version = text_or_empty(SSL_get_version(ssl)),
          .cipher = text_or_empty(SSL_CIPHER_get_name(SSL_get_current_cipher(ssl))),
          .server_name = text_or_empty(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)),
          .resumed = SSL_session_reused(ssl) == 1};
}

std::string tls_peer_subject(const Stream& stream) {
  X509* certificate = SSL_get0_peer_certificate(as_tls(stream).ssl());
  if (certificate == nullptr) return {};
  BIO* memory = BIO_new(BIO_s_mem());
  if (memory == nullptr) std::abort();
  X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  std::string subject(text, static_cast<size_t>(size));
  BIO_free(memory);
  return subject;
}

}  // namespace llmgw::net
