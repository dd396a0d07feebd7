#include "http/pool.h"

#include <algorithm>

#include "http/h1_client.h"
#include "http/h2_client.h"

namespace llmgw::http {

using base::ErrorCode;
using base::fail;
using base::Result;
using net::Task;
using net::Wait;

Pool::Pool(net::Loop& loop, Connect connect, const PoolOptions& options)
    : loop_(loop), connect_(std::move(connect)), options_(options), freed_(loop) {}

Pool::~Pool() {
  tasks_.cancel_all();
  while (!idle_.empty()) drop_oldest_idle();
  while (!sessions_.empty()) delete &sessions_.front();
}

void Pool::drop_oldest_idle() {
  std::unique_ptr<H1ClientConnection> oldest(&idle_.back());
  oldest->unlink();
  --idle_count_;
}

std::unique_ptr<H1ClientConnection> Pool::take_idle() {
  while (!idle_.empty()) {
    std::unique_ptr<H1ClientConnection> connection(&idle_.pop_front());
    --idle_count_;
    const bool old = loop_.now() - connection->idle_since > options_.idle_time;
    if (!old && !connection->stream->disturbed()) return connection;
  }
  return nullptr;
}

void Pool::release(std::unique_ptr<H1ClientConnection> connection) {
  if (retired_) return;
  connection->idle_since = loop_.now();
  idle_.push_front(*connection.release());
  if (++idle_count_ > options_.idle_max) drop_oldest_idle();
  freed_.notify();
}

std::unique_ptr<ClientExchange> Pool::acquire_ready() {
  if (H2ClientSession* session = find_session(false)) return std::make_unique<H2ClientExchange>(*session);
  if (auto connection = take_idle()) return std::make_unique<H1ClientExchange>(std::move(connection));
  return nullptr;
}

Task<Result<std::unique_ptr<ClientExchange>>> Pool::acquire(bool fresh, Wait wait) {
  for (;;) {
    if (!fresh) {
      if (auto ready = acquire_ready()) co_return std::move(ready);
    } else if (H2ClientSession* session = find_session(true)) {
      co_return std::make_unique<H2ClientExchange>(*session);
    }
    if (session_expected()) {
      CO_TRY_VOID(co_await await_session(wait));
      continue;
    }
    if (open_ < options_.connections_max || drop_idle()) co_return co_await open_connection(wait);
    auto freed = co_await freed_.wait(wait);
    // Nobody was too slow to answer: there was no room to ask.
    if (!freed && freed.error().code == ErrorCode::deadline_exceeded)
      co_return fail(ErrorCode::exhausted, "no free connection");
    if (!freed) co_return fail(freed.error());
  }
}

// A place taken in open_. A task that is dropped while it connects must give it back.
struct Pool::Opening {
  explicit Opening(Pool& owner) : pool(owner) {
    ++pool.open_;
    ++pool.connecting_;
    ++pool.connects_;
  }
  ~Opening() {
    --pool.connecting_;
    if (!established) --pool.open_;
    pool.freed_.notify();
  }
  Pool& pool;
  bool established = false;  // the connection counts itself from here on
};

Task<Result<std::unique_ptr<ClientExchange>>> Pool::open_connection(Wait wait) {
  Opening opening(*this);
  const base::Instant began = loop_.now();
  auto stream = co_await connect_({std::min(wait.deadline, loop_.now() + options_.connect_timeout), wait.cancellation});
  if (!stream) {
    ++connect_failures_;
    connect_error_ = stream.error();
    co_return fail(stream.error());
  }
  opening.established = true;
  last_was_h2_ = is_h2(**stream);
  const base::Duration took = loop_.now() - began;
  if (!last_was_h2_) {
    co_return std::make_unique<H1ClientExchange>(std::make_unique<H1ClientConnection>(*this, std::move(*stream), took));
  }
  auto* session = new H2ClientSession(*this, std::move(*stream), took);
  sessions_.push_back(*session);
  if (retired_) session->retire();
  auto exchange = std::make_unique<H2ClientExchange>(*session);
  session->start();
  co_return exchange;
}

bool Pool::drop_idle() {
  if (idle_count_ > 0) {
    drop_oldest_idle();
    return true;
  }
  const size_t before = open_;
  drop_sessions(base::Duration::zero());
  return open_ < before;
}

void Pool::reap() {
  H1ClientConnection* connection = idle_.first();
  while (connection != nullptr) {
    H1ClientConnection* next = idle_.after(*connection);
    const bool old = loop_.now() - connection->idle_since > options_.idle_time;
    if (old || connection->stream->disturbed()) {
      connection->unlink();
      --idle_count_;
      delete connection;
    }
    connection = next;
  }
  drop_sessions(options_.idle_time);
}

void Pool::retire() {
  retired_ = true;
  while (!idle_.empty()) drop_oldest_idle();
  for (auto* session = sessions_.first(); session != nullptr; session = sessions_.after(*session)) session->retire();
  drop_sessions(base::Duration::zero());
}

}  // namespace llmgw::http
