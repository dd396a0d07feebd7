#include "gateway/entrance/listening.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "net/network.h"

namespace llmgw::gateway {
namespace {

using Failure = std::unexpected<std::string>;

constexpr size_t kAddressesPerNameMax = 8;  // a name that means more is no address to listen on

std::expected<std::vector<ListenTarget>, std::string> resolve(const std::string& host, uint16_t port,
                                                              std::string_view setting) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0) {
    return Failure("cannot listen on \"" + host + "\": " + gai_strerror(error) +
                   "; write an address of this machine in " + std::string(setting));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::vector<ListenTarget> targets;
  for (const addrinfo* entry = found; entry != nullptr && targets.size() < kAddressesPerNameMax;
       entry = entry->ai_next) {
    net::Address address(entry->ai_addr, entry->ai_addrlen);
    address.set_port(port);
    targets.push_back(
        {.name = address.to_string(), .address = address, .optional = !targets.empty(), .setting = setting});
  }
  return targets;
}

// Sockets with SO_REUSEPORT may share an address with another program of the same user without anyone noticing, each
// getting half of the connections. Binding once without it tells.
int error_of_exclusive_bind(const net::Address& address) {
  if (address.is_unix() || address.port() == 0) return 0;
  const int fd = socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  const int error = bind(fd, address.data(), address.size()) == 0 ? 0 : errno;
  close(fd);
  return error;
}

std::string explain(const ListenTarget& target, const base::Error& error) {
  std::string text = "cannot listen on " + target.address.to_string() + ": ";
  const std::string setting(target.setting);
  switch (error.os_error) {
    case EADDRINUSE: return text + "another program listens there; stop it, or choose another address in " + setting;
    case EACCES: return text + "not permitted; ports below 1024 need the capability CAP_NET_BIND_SERVICE or root";
    case EADDRNOTAVAIL: return text + "this machine does not have the address; correct " + setting;
    case 0: return text + error.context;
    default: return text + std::strerror(error.os_error);
  }
}

bool machine_lacks(int error) {
  return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

// Whether connections to the target arrive at this socket.
bool covers(int fd, const ListenTarget& target) {
  const auto bound = net::Address::local_of(fd);
  if (!bound || (!target.address.is_unix() && target.address.port() == 0)) return false;
  if (*bound == target.address) return true;
  return is_dual_stack(fd) && bound->port() == target.address.port() && target.address.ip() == "0.0.0.0";
}

std::vector<ListeningSocket> take_inherited(const ListenTarget& target, std::vector<ListeningSocket>& inherited) {
  std::vector<ListeningSocket> taken;
  std::vector<ListeningSocket> left;
  for (auto& socket : inherited) {
    auto& place = socket.name() == target.name || covers(socket.fd(), target) ? taken : left;
    place.push_back(std::move(socket));
  }
  inherited = std::move(left);
  return taken;
}

}  // namespace

ListeningSocket& ListeningSocket::operator=(ListeningSocket&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    name_ = std::move(other.name_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

ListeningSocket::~ListeningSocket() {
  if (fd_ >= 0) close(fd_);
}

bool is_dual_stack(int fd) {
  const auto bound = net::Address::local_of(fd);
  int v6_only = 1;
  socklen_t length = sizeof v6_only;
  return bound && bound->family() == AF_INET6 && bound->ip() == "::" &&
         getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &length) == 0 && v6_only == 0;
}

std::expected<std::vector<ListenTarget>, std::string> listen_targets(const control::ListenAddress& listen,
                                                                     std::string_view setting) {
  const auto target = [setting](const net::Address& address, bool optional) {
    return ListenTarget{.name = address.to_string(), .address = address, .optional = optional, .setting = setting};
  };
  if (!listen.unix_path.empty()) {
    auto address = net::Address::from_unix_path(listen.unix_path);
    if (!address) return Failure(std::string(setting) + ": the unix socket's path is too long");
    return std::vector{target(*address, false)};
  }
  const auto both = [&](std::string_view v4, std::string_view v6) {
    return std::vector{target(*net::Address::from_ip(v4, listen.port), false),
                       target(*net::Address::from_ip(v6, listen.port), true)};
  };
  if (listen.host.empty()) return both("0.0.0.0", "::");
  if (listen.host == "localhost") return both("127.0.0.1", "::1");
  if (auto address = net::Address::from_ip(listen.host, listen.port)) return std::vector{target(*address, false)};
  return resolve(listen.host, listen.port, setting);
}

std::expected<std::vector<ListeningSocket>, std::string> sockets_for(const ListenTarget& target,
                                                                     std::vector<ListeningSocket>& inherited,
                                                                     const OpenOptions& options) {
  auto sockets = take_inherited(target, inherited);
  for (const ListeningSocket& socket : sockets) {
    // A predecessor's have its backlog.
    if (socket.name() == target.name) listen(socket.fd(), options.backlog);
  }
  if (!sockets.empty()) return sockets;
  const size_t count = target.address.is_unix() ? 1 : options.count;
  if (const int error = error_of_exclusive_bind(target.address); error != 0) {
    if (target.optional && machine_lacks(error)) return sockets;
    return Failure(explain(target, base::os_error(error, "bind")));
  }
  net::Address address = target.address;
  for (size_t i = 0; i < count; ++i) {
    auto fd = net::open_listening_socket(address, {.backlog = options.backlog, .reuse_port = count > 1});
    if (!fd) {
      if (target.optional && machine_lacks(fd.error().os_error)) return sockets;
      return Failure(explain(target, fd.error()));
    }
    sockets.emplace_back(target.name, *fd);
    // The kernel picks a port once; the other workers' sockets share it.
    if (auto bound = net::Address::local_of(*fd)) address = *bound;
  }
  return sockets;
}

std::vector<std::vector<size_t>> deal_out(size_t sockets, size_t workers) {
  std::vector<std::vector<size_t>> shares(workers);
  if (sockets == 0 || workers == 0) return shares;
  const size_t turns = sockets > workers ? sockets : workers;
  for (size_t i = 0; i < turns; ++i) shares[i % workers].push_back(i % sockets);
  return shares;
}

}  // namespace llmgw::gateway
