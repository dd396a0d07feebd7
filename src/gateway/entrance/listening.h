// The gateway's listening sockets: which addresses a configuration means, the sockets opened or inherited for them, and
// how they are dealt out to workers. At start; one thread. Errors are sentences for the operator.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/address.h"
#include "net/address.h"

namespace llmgw::gateway {

// A listening descriptor, closed when its owner dies, and the address it was asked for in net::Address's form
// ("127.0.0.1:0" where the kernel was to pick the port): by this name a successor finds its sockets.
class ListeningSocket {
 public:
  ListeningSocket(std::string name, int fd) : name_(std::move(name)), fd_(fd) {}
  ListeningSocket(ListeningSocket&& other) noexcept
      : name_(std::move(other.name_)), fd_(std::exchange(other.fd_, -1)) {}
  ListeningSocket& operator=(ListeningSocket&& other) noexcept;
  ~ListeningSocket();

  const std::string& name() const { return name_; }
  int fd() const { return fd_; }
  // The caller closes it from now on.
  int release() { return std::exchange(fd_, -1); }

 private:
  std::string name_;
  int fd_;
};

// Sockets a service manager opened are named with this prefix and keep it through every takeover: they are served even
// where no setting names their address, and are not this program's to remove.
inline constexpr std::string_view kActivatedPrefix = "activated:";

// A socket for every address of IPv6 that takes IPv4 connections too.
bool is_dual_stack(int fd);

struct ListenTarget {
  std::string name;
  net::Address address;
  bool optional = false;                       // IPv6 beside IPv4: a machine may lack it
  std::string_view setting = "server.listen";  // that says so, for errors
};

// The socket addresses of a setting: two for "every address", as many as a host name has. Blocks for a name that is
// neither an address nor "localhost".
std::expected<std::vector<ListenTarget>, std::string> listen_targets(const control::ListenAddress& address,
                                                                     std::string_view setting = "server.listen");

struct OpenOptions {
  size_t count = 1;  // sockets on the same address, the kernel spreads connections over them; Unix-domain: always one
  int backlog = 4096;
};

// The sockets for one target: those of `inherited` that have its name or are bound to its address, else new ones.
// Empty for an optional target the machine cannot serve.
std::expected<std::vector<ListeningSocket>, std::string> sockets_for(const ListenTarget& target,
                                                                     std::vector<ListeningSocket>& inherited,
                                                                     const OpenOptions& options);

// Which of `sockets` sockets of one address each of `workers` workers accepts on. Every socket has a worker, or the
// connections in its queue would wait for ever; with fewer sockets than workers, some have several. Pure.
std::vector<std::vector<size_t>> deal_out(size_t sockets, size_t workers);

}  // namespace llmgw::gateway
