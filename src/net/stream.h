// A byte connection: TCP, Unix-domain, TLS on either, or a simulated pipe. Belongs to its loop's thread.
// Reading and writing never block; net/io.h has the operations that wait. Destroying a Stream closes it.
#pragma once

#include <sys/uio.h>

#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "net/address.h"
#include "net/loop.h"

namespace llmgw::net {

enum class IoStatus : uint8_t { ok, eof, would_block_read, would_block_write, error };

struct IoResult {
  IoStatus status = IoStatus::ok;
  size_t bytes = 0;
  base::Error error{};
};

class Stream {
 public:
  virtual ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Reads what is there. would_block_*: wait for that readiness and try again (TLS may want the other direction).
  // ok with at least one byte, eof when the peer ended in an orderly way.
  virtual IoResult try_read(std::span<char> buffer) = 0;
  // Writes as much as the connection takes now; ok may be less than all.
  virtual IoResult try_write(std::span<const iovec> buffers) = 0;
  // Ends our direction (FIN, close_notify). Reading goes on.
  virtual void shutdown_write() = 0;
  // The next close discards what is unsent and tells the peer by a reset.
  virtual void reset_on_close() = 0;
  // Bytes already taken from the socket and not yet handed out (TLS records); readiness does not tell of them.
  virtual bool has_buffered() const { return false; }
  // The protocol agreed on by ALPN; empty without TLS.
  virtual std::string_view alpn() const { return {}; }
  virtual bool is_tls() const { return false; }
  virtual int fd() const { return -1; }

  Loop& loop() const { return loop_; }
  Readiness& readiness() const { return readiness_; }
  const Address& peer() const { return peer_; }
  // True when the peer has gone or has sent something unasked: an idle connection to forget. TLS looks closer, because
  // its own records (session tickets) are no data.
  virtual bool disturbed() { return readiness_.hangup || readiness_.readable || has_buffered(); }

 protected:
  Stream(Loop& loop, Readiness& readiness, const Address& peer) : loop_(loop), readiness_(readiness), peer_(peer) {}

 private:
  Loop& loop_;
  Readiness& readiness_;
  Address peer_;
};

// Accepts connections. Belongs to its loop's thread.
class Listener {
 public:
  virtual ~Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // The next connection, or null when none waits.
  virtual base::Result<std::unique_ptr<Stream>> try_accept() = 0;
  virtual Address address() const = 0;
  virtual int fd() const { return -1; }
  Loop& loop() const { return loop_; }
  Readiness& readiness() const { return readiness_; }

 protected:
  Listener(Loop& loop, Readiness& readiness) : loop_(loop), readiness_(readiness) {}

 private:
  Loop& loop_;
  Readiness& readiness_;
};

}  // namespace llmgw::net
