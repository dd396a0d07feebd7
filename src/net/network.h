// How connections are made: the seam between the gateway and the sockets. The real one is make_socket_network();
// net/sim has the simulated one. Belongs to its loop's thread; the loop must outlive it.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/task.h"

namespace llmgw::net {

struct ListenOptions {
  int backlog = 4096;         // the kernel caps it at net.core.somaxconn
  bool reuse_port = true;     // several workers bind the same address, the kernel spreads connections over them
  unsigned unix_mode = 0660;  // permissions of a Unix-domain socket
};

class Network {
 public:
  virtual ~Network() = default;
  // A connected stream (TCP_NODELAY set), or refused, unreachable, deadline_exceeded, ...
  virtual Task<base::Result<std::unique_ptr<Stream>>> connect(Address address, Wait wait) = 0;
  virtual base::Result<std::unique_ptr<Listener>> listen(const Address& address, const ListenOptions& options) = 0;
};

std::unique_ptr<Network> make_socket_network(Loop& loop);

// A bound and listening descriptor, close-on-exec. The caller owns it.
base::Result<int> open_listening_socket(const Address& address, const ListenOptions& options);
// Wraps a listening descriptor that came from elsewhere (socket activation, an upgrade, another worker); takes
// ownership.
base::Result<std::unique_ptr<Listener>> adopt_listener(Loop& loop, int fd);
// Wraps a connected descriptor; takes ownership.
base::Result<std::unique_ptr<Stream>> adopt_stream(Loop& loop, int fd, const Address& peer);

}  // namespace llmgw::net
