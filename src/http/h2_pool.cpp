// The pool's connections that speak HTTP/2.
#include "http/h2_client.h"
#include "http/pool.h"

namespace llmgw::http {

using base::ErrorCode;
using base::fail;
using base::Result;
using net::Task;
using net::Wait;

namespace {

// Failures that say something about the server, not about the request that was waiting for the connection.
bool concerns_everybody(ErrorCode code) {
  return code == ErrorCode::refused || code == ErrorCode::unreachable || code == ErrorCode::name_not_found ||
         code == ErrorCode::tls || code == ErrorCode::protocol;
}

}  // namespace

size_t Pool::idle() const {
  size_t count = idle_count_;
  auto& sessions = const_cast<Pool*>(this)->sessions_;
  for (auto* session = sessions.first(); session != nullptr; session = sessions.after(*session)) {
    if (session->unused()) ++count;
  }
  return count;
}

bool Pool::is_h2(const net::Stream& stream) const {
  return stream.alpn() == "h2" || (options_.http2_prior_knowledge && stream.alpn().empty());
}

// The first with room, so that those that are not needed fall idle and go.
H2ClientSession* Pool::find_session(bool fresh) {
  for (auto* session = sessions_.first(); session != nullptr; session = sessions_.after(*session)) {
    if (session->has_room() && (!fresh || session->fresh())) return session;
  }
  return nullptr;
}

bool Pool::session_expected() const {
  const bool h2 = options_.http2_prior_knowledge || last_was_h2_;
  return h2 && expecting_ < connecting_ * kH2ClientStreamsMax;
}

Task<Result<void>> Pool::await_session(Wait wait) {
  struct Expecting {
    explicit Expecting(size_t& expecting) : count(expecting) { ++count; }
    ~Expecting() { --count; }
    size_t& count;
  } expecting(expecting_);
  const uint64_t failures = connect_failures_;
  CO_TRY_VOID(co_await freed_.wait(wait));
  if (connect_failures_ != failures && concerns_everybody(connect_error_.code)) co_return fail(connect_error_);
  co_return Result<void>{};
}

void Pool::session_ended() {
  tasks_.spawn(bury_sessions());
  freed_.notify();
}

Task<void> Pool::bury_sessions() {
  co_await net::yield(loop_);
  drop_sessions(base::Duration::max());
}

void Pool::drop_sessions(base::Duration idle_time) {
  H2ClientSession* session = sessions_.first();
  while (session != nullptr) {
    H2ClientSession* next = sessions_.after(*session);
    const bool old = loop_.now() - session->unused_since() >= idle_time;
    if (session->unused() && (session->ended() || old)) {
      session->say_goodbye();
      delete session;
    }
    session = next;
  }
}

}  // namespace llmgw::http
