// One request and its response on a connection to us, whichever HTTP version carries it. The server (http/server.h)
// makes exchanges and hands each to the RequestHandler once its head has been read. One thread: the connection's loop.
//
// A handler answers by start() and then write() until `end`, or by abort(). An exchange whose handler returns without
// having ended the response is aborted: the client sees a broken transfer, never a short one that looks whole.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"
#include "net/address.h"
#include "net/io.h"
#include "net/loop.h"
#include "net/task.h"

namespace llmgw::http {

// What a response starts with. Connection and framing headers are the exchange's business and must not be in `headers`.
struct ResponseStart {
  uint16_t status = 200;
  const Headers* headers = nullptr;  // may be null; must live until start() returns
  // Framing::content_length or Framing::none, or Framing::until_close for a body whose length is not known yet
  // (the exchange picks chunked, END_STREAM or closing the connection, as the client's version needs).
  Framing framing = Framing::content_length;
  uint64_t content_length = 0;
};

// A connection taken out of HTTP's hands: after 101, or to misbehave on purpose (the simulator).
struct RawConnection {
  net::Stream* stream = nullptr;
  std::string_view early_bytes;  // what the client sent behind the head
};

class ServerExchange {
 public:
  virtual ~ServerExchange() = default;
  ServerExchange(const ServerExchange&) = delete;
  ServerExchange& operator=(const ServerExchange&) = delete;

  // Valid until the exchange ends.
  virtual const RequestHead& head() const = 0;
  virtual net::Loop& loop() const = 0;
  virtual const net::Address& peer() const = 0;
  virtual bool over_tls() const = 0;
  // Fires when the answer cannot reach its client any more; the reason says why: deadline_exceeded, the client took
  // nothing for write_timeout; cancelled, draining ran out of time; any other, it left or its connection broke. Hand it
  // to everything that waits on the client's behalf.
  virtual net::Cancellation& cancellation() = 0;
  // When the first byte of the request was seen.
  virtual base::Instant started_at() const = 0;

  // The whole body, valid until the exchange ends. too_large above `bytes_max`; deadline_exceeded if it comes too
  // slowly; protocol if it is malformed or cut.
  virtual net::Task<base::Result<std::span<char>>> read_body(uint64_t bytes_max) = 0;

  // Fixes status and headers. Nothing is sent before the first write(), so that both leave in one piece.
  // invalid_argument if a header cannot be written.
  virtual base::Result<void> start(const ResponseStart& response) = 0;
  // Sends data (copied if the socket does not take it at once, so it need only live until the first suspension) and
  // waits while the client does not read. With `end` the response is complete. At most 6 buffers.
  virtual net::Task<base::Result<void>> write(std::span<const iovec> data, bool end) = 0;
  // Sends the head now, without waiting for data.
  virtual net::Task<base::Result<void>> flush() = 0;
  // Breaks the response off so that the client notices. HTTP/2 resets the stream. HTTP/1.1 closes the connection before
  // the announced end, so that the client still gets what is on its way, and resets it where a close would look like
  // the end.
  virtual void abort() = 0;

  virtual bool started() const = 0;            // start() was called
  virtual bool ended() const = 0;              // the response is complete
  virtual uint64_t bytes_written() const = 0;  // of the response's body
  // Sends an interim or switching head (101) and hands the connection over; it closes when the handler returns.
  // unsupported on HTTP/2. `head` null: nothing is sent.
  virtual net::Task<base::Result<RawConnection>> take_over(const ResponseStart* head) = 0;

 protected:
  ServerExchange() = default;
};

// A request whose head could not be read, or did not come in time.
struct MalformedRequest {
  uint16_t status = 0;       // of the answer; 0: there is none, the stream is reset (HTTP/2)
  std::string_view message;  // what is wrong; static text, nothing of the request
  const net::Address& peer;
  base::Instant started_at;
};
struct MalformedAnswer {
  std::string body = {};        // JSON
  std::string request_id = {};  // for x-request-id; empty: none
};

// What ends a client's connection beside its requests, by its fault.
enum class ConnectionFault : uint8_t {
  tls,             // the handshake failed: no TLS, no version in common, no certificate that is trusted
  tls_closed,      // the client left in the handshake
  tls_timeout,     // the handshake took too long
  http2_protocol,  // frames that HTTP/2 forbids
  http2_flood,     // frames and resets beyond all use
  http2_timeout,   // settings or a head did not come
};
std::string_view to_string(ConnectionFault fault);

// What the server does not answer itself. One object a loop.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  virtual net::Task<void> handle(ServerExchange& exchange) = 0;
  // Called once for each connection; requests on it are cancelled. The error says more.
  virtual void connection_failed(ConnectionFault, const base::Error&, const net::Address&) {}
  // Called once for each; it is not handled.
  virtual MalformedAnswer malformed_request(const MalformedRequest& request) = 0;
};

}  // namespace llmgw::http
