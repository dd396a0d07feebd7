#include "http/server.h"

#include <algorithm>

#include "net/io.h"
#include "net/tls.h"

namespace llmgw::http {
namespace {

using base::ErrorCode;
using net::Task;

// When the process is out of descriptors, accepting again at once would only spin.
constexpr base::Duration kAcceptPause = std::chrono::milliseconds(50);

ConnectionFault handshake_fault(ErrorCode code) {
  if (code == ErrorCode::deadline_exceeded) return ConnectionFault::tls_timeout;
  return code == ErrorCode::tls ? ConnectionFault::tls : ConnectionFault::tls_closed;
}

}  // namespace

std::string_view to_string(ConnectionFault fault) {
  switch (fault) {
    case ConnectionFault::tls: return "tls";
    case ConnectionFault::tls_closed: return "tls_closed";
    case ConnectionFault::tls_timeout: return "tls_timeout";
    case ConnectionFault::http2_protocol: return "http2_protocol";
    case ConnectionFault::http2_flood: return "http2_flood";
    case ConnectionFault::http2_timeout: return "http2_timeout";
  }
  return "tls";
}

struct Server::Acceptor {
  std::unique_ptr<net::Listener> listener;
  TlsSource tls;
  net::Cancellation cancellation;
};

Server::Server(net::Loop& loop, RequestHandler& handler, const ServerOptions& options)
    : loop_(loop), handler_(handler), options_(options), room_(loop) {}

Server::~Server() {
  stop_accepting();
  acceptor_tasks_.cancel_all();
  tasks_.cancel_all();
}

void Server::listen(std::unique_ptr<net::Listener> listener, TlsSource tls) {
  acceptors_.push_back(std::make_unique<Acceptor>(std::move(listener), std::move(tls)));
  acceptor_tasks_.spawn(accept_loop(*acceptors_.back()));
}

void Server::stop_accepting() {
  for (auto& acceptor : acceptors_) acceptor->cancellation.cancel();
  for (auto& acceptor : acceptors_) acceptor->listener.reset();
}

void Server::drain() {
  draining_ = true;
  no_new_requests_.cancel();
  // Draining a connection may only wake it, so the list does not change under us.
  for (auto* node = connections_.first(); node != nullptr; node = connections_.after(*node)) node->drain();
}

void Server::last_call() {
  for (auto* node = connections_.first(); node != nullptr; node = connections_.after(*node)) node->last_call();
}

void Server::cancel_all() {
  drain();
  stopping_.cancel();
  for (auto* node = connections_.first(); node != nullptr; node = connections_.after(*node)) {
    node->cancel(ErrorCode::cancelled);
  }
}

void Server::wait_idle(IdlePlace& place) {
  idle_.push_back(place);
  if (counters_.open >= options_.connections_max) room_.notify();
}

bool Server::end_oldest_idle() {
  while (!idle_.empty()) {
    if (!idle_.pop_front().end_idle()) continue;
    ++counters_.idle_ended;
    return true;
  }
  return false;
}

void Server::serve(std::unique_ptr<net::Stream> stream, net::TlsServerContext* tls) {
  ++counters_.accepted;
  ++counters_.open;
  tasks_.spawn(serve_connection(std::move(stream), tls));
}

Task<void> Server::accept_loop(Acceptor& acceptor) {
  for (;;) {
    // At the limit one more is taken only where an idle one can go for it.
    while (counters_.open > options_.connections_max || (counters_.open == options_.connections_max && idle_.empty())) {
      if (!co_await room_.wait({.cancellation = &acceptor.cancellation})) co_return;
    }
    if (acceptor.cancellation.cancelled()) co_return;
    auto stream = co_await net::accept(*acceptor.listener, {.cancellation = &acceptor.cancellation});
    if (stream) {
      while (counters_.open >= options_.connections_max && !end_oldest_idle()) {
        if (!co_await room_.wait({.cancellation = &acceptor.cancellation})) break;  // it has its answer before the end
      }
      serve(std::move(*stream), acceptor.tls ? acceptor.tls() : nullptr);
      continue;
    }
    if (acceptor.cancellation.cancelled()) co_return;
    ++counters_.accept_failures;
    if (!co_await net::sleep_for(loop_, kAcceptPause, &acceptor.cancellation)) co_return;
  }
}

namespace {

enum class Protocol : uint8_t { h1, h2, none };

// A client that has not said anything yet.
struct SilentClient final : IdlePlace {
  SilentClient(net::Cancellation& parent, const net::Stream& client) : given_up(parent), stream(client) {}
  bool end_idle() override {
    if (!stream.readiness().readable) given_up.cancel();
    return given_up.cancelled();
  }
  net::LinkedCancellation given_up;
  const net::Stream& stream;
};

// Reads just enough to tell the HTTP/2 preface from anything else.
Task<Protocol> sniff(Server& server, net::Stream& stream, std::string& early) {
  base::Instant deadline = server.loop().now() + server.options().idle_timeout;
  for (;;) {
    const bool draining = server.draining();
    if (draining && early.empty()) deadline = std::min(deadline, server.loop().now() + kDrainGrace);
    SilentClient client(draining ? server.stopping() : server.no_new_requests(), stream);
    if (early.empty()) server.wait_idle(client);
    auto bytes = co_await net::read_scratch(stream, {deadline, &client.given_up});
    client.unlink();
    if (!bytes && !draining && server.draining() && !server.stopping().cancelled()) continue;
    if (!bytes || bytes->empty()) co_return Protocol::none;
    if (early.empty()) deadline = server.loop().now() + server.options().header_timeout;
    early.append(bytes->data(), bytes->size());
    switch (is_h2_preface(early)) {
      case PrefaceMatch::no: co_return Protocol::h1;
      case PrefaceMatch::yes: co_return Protocol::h2;
      case PrefaceMatch::partial: break;
    }
  }
}

// Waits for the first bytes of a handshake: whoever has not begun one is as idle as a client without a request, and
// goes where others want its place. False: it goes now. True also past `deadline`, which tls_accept() then says.
Task<bool> says_something(Server& server, net::Stream& stream, base::Instant deadline) {
  for (;;) {
    const bool draining = server.draining();
    const base::Instant grace = draining ? server.loop().now() + kDrainGrace : base::kNever;
    SilentClient client(draining ? server.stopping() : server.no_new_requests(), stream);
    server.wait_idle(client);
    const auto ready = co_await net::wait_readable(stream, {std::min(deadline, grace), &client.given_up});
    client.unlink();
    if (ready || server.loop().now() >= deadline) co_return true;
    if (draining || !server.draining() || server.stopping().cancelled()) co_return false;
  }
}

// cancelled: nobody is to blame.
Task<base::Result<std::unique_ptr<net::Stream>>> secure(Server& server, std::unique_ptr<net::Stream> stream,
                                                        net::TlsServerContext& tls) {
  const base::Instant deadline = server.loop().now() + server.options().handshake_timeout;
  if (!co_await says_something(server, *stream, deadline)) co_return base::fail(ErrorCode::cancelled, "TLS handshake");
  net::LinkedCancellation stopped(server.stopping());
  co_return co_await net::tls_accept(std::move(stream), tls, {.deadline = deadline, .cancellation = &stopped});
}

}  // namespace

Task<void> Server::serve_connection(std::unique_ptr<net::Stream> stream, net::TlsServerContext* tls) {
  struct Closed {
    Server& server;
    ~Closed() {
      --server.counters_.open;
      server.room_.notify();
    }
  } closed{*this};

  if (tls != nullptr) {
    const net::Address peer = stream->peer();
    auto secured = co_await secure(*this, std::move(stream), *tls);
    if (!secured && secured.error().code == ErrorCode::cancelled) co_return;
    if (!secured) {
      ++counters_.handshake_failures;
      handler_.connection_failed(handshake_fault(secured.error().code), secured.error(), peer);
      co_return;
    }
    stream = std::move(*secured);
  }
  if (!options_.http2) {
    co_await serve_h1(*this, std::move(stream), {});
  } else if (stream->is_tls()) {
    if (stream->alpn() == "h2") {
      co_await serve_h2(*this, std::move(stream), {});
    } else {
      co_await serve_h1(*this, std::move(stream), {});
    }
  } else {
    std::string early;
    switch (co_await sniff(*this, *stream, early)) {
      case Protocol::h2: co_await serve_h2(*this, std::move(stream), std::move(early)); break;
      case Protocol::h1: co_await serve_h1(*this, std::move(stream), std::move(early)); break;
      case Protocol::none: break;
    }
  }
}

}  // namespace llmgw::http
