// The client side of HTTP on one loop: a request sent over a pooled connection, its response read piece by piece.
// One thread.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "http/message.h"
#include "net/io.h"
#include "net/loop.h"
#include "net/task.h"

namespace llmgw::http {

// A request to send. Connection, Host and framing headers are the exchange's business and must not be in `headers`.
struct RequestStart {
  std::string_view method = "POST";
  std::string_view target;
  std::string_view scheme = "http";
  std::string_view authority;
  const Headers* headers = nullptr;
  std::span<const iovec> body;  // must live until the response's head has been read
  std::string_view upgrade;     // ask for another protocol ("websocket"); HTTP/1.1 only
};

// Bytes of a response's body, valid until the next call on the exchange and until the next suspension of its reader.
struct BodyBytes {
  std::span<char> data;
  bool done = false;  // nothing follows; data may be non-empty
};

// The context of deadline_exceeded where the server said nothing in PoolOptions::connect_timeout that makes a
// connection one of HTTP/2 (RFC 9113, section 3.4).
inline constexpr const char* kNoHttp2Settings = "HTTP/2 settings";

class ClientExchange {
 public:
  virtual ~ClientExchange() = default;  // an unfinished exchange closes its connection or resets its stream
  ClientExchange(const ClientExchange&) = delete;
  ClientExchange& operator=(const ClientExchange&) = delete;

  // True if the connection had carried a request before: the server may have closed it while this one was on its way.
  virtual bool reused() const = 0;
  // Asked as soon as send() or read_head() failed with `closed` or `reset`: whether the server cannot have begun with
  // the request, so that it may be sent again on a new connection. So it is on a connection that had carried requests,
  // when nothing was received and the request was not through yet, or the close was on its way already (crossing.h);
  // and where the server says itself that it did not look at it.
  virtual bool may_repeat() const = 0;
  // Sends the request. Ends early, without error, when the server answers before it has read everything.
  virtual net::Task<base::Result<void>> send(const RequestStart& request, net::Wait wait) = 0;
  // The head of the final response (interim ones are skipped, a 101 is final). Valid while the exchange lives.
  // `closed` or `reset`: may_repeat() says whether the server may have seen the request.
  virtual net::Task<base::Result<const ResponseHead*>> read_head(net::Wait wait) = 0;
  // The next bytes. A body cut short is an error: protocol, reset or closed.
  virtual net::Task<base::Result<BodyBytes>> read_body(net::Wait wait) = 0;
  // Body bytes have come with the head and wait for read_body().
  virtual bool body_at_hand() const = 0;
  // Whether any byte of a response has come.
  virtual bool received_any() const = 0;
  // Headers behind a chunked or HTTP/2 body, once read_body said done.
  virtual const Headers& trailers() const = 0;
  // After a 101: the connection itself and what came behind the head. Null on HTTP/2. The exchange keeps owning it.
  virtual net::Stream* raw_stream(std::string_view& early_bytes) = 0;

 protected:
  ClientExchange() = default;
};

}  // namespace llmgw::http
