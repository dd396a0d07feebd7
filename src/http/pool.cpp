#include "http/pool.h"

#include <algorithm>

#include "http/h1_client.h"

namespace llmgw::http {

using base::ErrorCode;
using base::fail;
using base::Result;
using net::Task;
using net::Wait;

Pool::Pool(net::Loop& loop, Connect connect, const PoolOptions& options)
    : loop_(loop), connect_(std::move(connect)), options_(options), freed_(loop) {}

Pool::~Pool() {
  while (!idle_.empty()) drop_oldest_idle();
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

Task<Result<std::unique_ptr<ClientExchange>>> Pool::acquire(bool fresh, Wait wait) {
  for (;;) {
    if (!fresh) {
      if (auto connection = take_idle()) co_return std::make_unique<H1ClientExchange>(std::move(connection));
    }
    if (open_ >= options_.connections_max && idle_count_ > 0) drop_oldest_idle();
    if (open_ < options_.connections_max) break;
    CO_TRY_VOID(co_await freed_.wait(wait));
  }
  ++open_;
  ++connects_;
  // A task that is dropped while it connects must give its place back.
  struct Opening {
    Pool* pool;
    ~Opening() {
      if (pool == nullptr) return;
      --pool->open_;
      pool->freed_.notify();
    }
  } opening{this};
  auto stream = co_await connect_({std::min(wait.deadline, loop_.now() + options_.connect_timeout), wait.cancellation});
  if (!stream) {
    ++connect_failures_;
    co_return fail(stream.error());
  }
  opening.pool = nullptr;  // the connection counts itself from here on
  co_return std::make_unique<H1ClientExchange>(std::make_unique<H1ClientConnection>(*this, std::move(*stream)));
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
}

void Pool::retire() {
  retired_ = true;
  while (!idle_.empty()) drop_oldest_idle();
}

}  // namespace llmgw::http
