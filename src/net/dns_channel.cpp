#include "net/dns_channel.h"

#include <ares.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "net/epoll.h"

namespace llmgw::net {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// One edge leads to at most so many calls of c-ares; it ends them earlier by finding the socket empty.
constexpr int kProcessRoundsMax = 1000;

class AresChannel;

// A socket of c-ares. The two waiters stand in the readiness slots for good.
class DnsSocket {
 public:
  DnsSocket(Loop& loop, int fd, AresChannel& channel)
      : descriptor_(loop, fd), channel_(channel), reader_(*this, &on_readable), writer_(*this, &on_writable) {
    reader_.park(descriptor_.readiness().reader);
    writer_.park(descriptor_.readiness().writer);
  }
  base::Result<void> watch() { return descriptor_.watch(); }
  Readiness& readiness() { return descriptor_.readiness(); }
  int fd() const { return descriptor_.fd(); }
  void set_wants_write(bool wants) {
    wants_write_ = wants;
    if (wants && readiness().writable) descriptor_.loop().make_ready(writer_);
  }
  bool wants_write() const { return wants_write_; }

 private:
  struct Waiter : Suspension {
    Waiter(DnsSocket& socket, Attempt attempt) : Suspension(socket.descriptor_.loop(), attempt), owner(socket) {}
    DnsSocket& owner;
  };
  static bool on_readable(Suspension& suspension);
  static bool on_writable(Suspension& suspension);

  Descriptor descriptor_;
  AresChannel& channel_;
  Waiter reader_;
  Waiter writer_;
  bool wants_write_ = false;
};

class AresChannel : public DnsChannel, private Timer {
 public:
  explicit AresChannel(Loop& loop) : Timer(&on_timeout), loop_(loop) {}
  ~AresChannel() override {
    closing_ = true;
    if (dns_ != nullptr) ares_destroy(dns_);
    if (hosts_ != nullptr) ares_destroy(hosts_);
  }
  Result<void> open(const DnsOptions& options);

  void look_up_hosts(const std::string& name, DnsAnswer& v4, DnsAnswer& v6) override;
  void query(const std::string& name, bool v6, Callback done) override;

  // Lets c-ares read (or write) the socket until it has no more of it. The socket may be gone afterwards.
  void process(DnsSocket& socket, bool for_write);

 private:
  struct Query {
    AresChannel& channel;
    Callback done;
  };
  struct HostsAnswer {
    DnsAnswer& v4;
    DnsAnswer& v6;
  };

  Result<ares_channel> open_channel(const DnsOptions& options, const char* lookups);
  void arm_timeout();
  static void on_timeout(Timer& timer);
  static void on_answer(void* argument, int status, int timeouts, ares_addrinfo* info);
  static void on_hosts_answer(void* argument, int status, int timeouts, ares_addrinfo* info);
  static void on_socket_state(void* argument, ares_socket_t fd, int readable, int writable);

  static AresChannel& self(void* argument) { return *static_cast<AresChannel*>(argument); }
  static ares_socket_t open_socket(int family, int type, int protocol, void* argument);
  static int close_socket(ares_socket_t fd, void* argument);
  static int connect_socket(ares_socket_t fd, const sockaddr* address, ares_socklen_t length, void* argument);
  static ares_ssize_t receive(ares_socket_t fd, void* buffer, size_t size, int flags, sockaddr* from,
                              ares_socklen_t* from_length, void* argument);
  static ares_ssize_t send(ares_socket_t fd, const iovec* buffers, int count, void* argument);

  Loop& loop_;
  ares_channel dns_ = nullptr;
  ares_channel hosts_ = nullptr;
  bool closing_ = false;
  bool own_lack_ = false;  // the last socket asked for was not to be had
  std::unordered_map<int, std::unique_ptr<DnsSocket>> sockets_;
};

bool DnsSocket::on_readable(Suspension& suspension) {
  DnsSocket& socket = static_cast<Waiter&>(suspension).owner;
  suspension.park(socket.readiness().reader);
  socket.channel_.process(socket, false);
  return false;  // the socket may be gone
}

bool DnsSocket::on_writable(Suspension& suspension) {
  DnsSocket& socket = static_cast<Waiter&>(suspension).owner;
  suspension.park(socket.readiness().writer);
  socket.channel_.process(socket, true);
  return false;
}

void AresChannel::process(DnsSocket& socket, bool for_write) {
  const int fd = socket.fd();
  for (int round = 0; round < kProcessRoundsMax; ++round) {
    const auto found = sockets_.find(fd);
    if (found == sockets_.end() || found->second.get() != &socket) break;
    Readiness& readiness = socket.readiness();
    if (for_write ? !(socket.wants_write() && readiness.writable) : !readiness.readable) break;
    ares_process_fd(dns_, for_write ? ARES_SOCKET_BAD : fd, for_write ? fd : ARES_SOCKET_BAD);
  }
  arm_timeout();
}

void AresChannel::arm_timeout() {
  timeval left{};
  if (ares_timeout(dns_, nullptr, &left) == nullptr) {
    disarm();
    return;
  }
  const auto delay = std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
  loop_.timers().arm(*this, loop_.precise_now() + delay);
}

void AresChannel::on_timeout(Timer& timer) {
  auto& channel = static_cast<AresChannel&>(timer);
  ares_process_fd(channel.dns_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  channel.arm_timeout();
}

ares_socket_t AresChannel::open_socket(int family, int type, int protocol, void* argument) {
  AresChannel& channel = self(argument);
  const int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  channel.own_lack_ = fd < 0 && base::os_error(errno, "socket").code == ErrorCode::exhausted;
  if (fd < 0) return ARES_SOCKET_BAD;
  auto watched = std::make_unique<DnsSocket>(channel.loop_, fd, channel);
  if (!watched->watch()) return ARES_SOCKET_BAD;
  channel.sockets_[fd] = std::move(watched);
  return fd;
}

int AresChannel::close_socket(ares_socket_t fd, void* argument) {
  self(argument).sockets_.erase(fd);
  return 0;
}

int AresChannel::connect_socket(ares_socket_t fd, const sockaddr* address, ares_socklen_t length, void*) {
  return connect(fd, address, length);
}

ares_ssize_t AresChannel::receive(ares_socket_t fd, void* buffer, size_t size, int flags, sockaddr* from,
                                  ares_socklen_t* from_length, void* argument) {
  const ares_ssize_t count = recvfrom(fd, buffer, size, flags, from, from_length);
  if (count < 0 && errno == EAGAIN) self(argument).sockets_.at(fd)->readiness().readable = false;
  return count;
}

ares_ssize_t AresChannel::send(ares_socket_t fd, const iovec* buffers, int count, void* argument) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(buffers);
  message.msg_iovlen = static_cast<size_t>(count);
  const ares_ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
  if (sent < 0 && errno == EAGAIN) self(argument).sockets_.at(fd)->readiness().writable = false;
  return sent;
}

void AresChannel::on_socket_state(void* argument, ares_socket_t fd, int, int writable) {
  auto& sockets = self(argument).sockets_;
  if (const auto found = sockets.find(fd); found != sockets.end()) found->second->set_wants_write(writable != 0);
}

Result<ares_channel> AresChannel::open_channel(const DnsOptions& options, const char* lookups) {
  ares_options settings{};
  settings.flags = options.search_domains ? 0 : ARES_FLAG_NOSEARCH;
  settings.timeout =
      static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(options.query_timeout).count());
  settings.tries = options.tries;
  settings.sock_state_cb = &on_socket_state;
  settings.sock_state_cb_data = this;
  std::string order(lookups);
  settings.lookups = order.data();
  constexpr int kSet = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS;
  ares_channel channel = nullptr;
  const int status = ares_init_options(&channel, &settings, kSet);
  if (status != ARES_SUCCESS) return fail(ErrorCode::io, ares_strerror(status));
  static constexpr ares_socket_functions kFunctions{&open_socket, &close_socket, &connect_socket, &receive, &send};
  ares_set_socket_functions(channel, &kFunctions, this);
  return channel;
}

Result<void> AresChannel::open(const DnsOptions& options) {
  static std::once_flag once;
  std::call_once(once, [] { ares_library_init(ARES_LIB_INIT_ALL); });
  TRY(hosts, open_channel(options, "f"));
  hosts_ = hosts;
  TRY(dns, open_channel(options, "b"));
  dns_ = dns;
  if (options.servers.empty()) return {};
  std::string servers;
  for (const Address& server : options.servers) servers += (servers.empty() ? "" : ",") + server.to_string();
  const int status = ares_set_servers_ports_csv(dns_, servers.c_str());
  if (status != ARES_SUCCESS) return fail(ErrorCode::invalid_argument, ares_strerror(status));
  return {};
}

void collect(const ares_addrinfo* info, int family, DnsAnswer& answer) {
  answer.status = DnsAnswer::Status::no_address;
  base::Duration ttl = base::Duration::max();
  for (const auto* node = info->nodes; node != nullptr; node = node->ai_next) {
    if (node->ai_family != family) continue;
    Address address(node->ai_addr, node->ai_addrlen);
    if (std::ranges::find(answer.addresses, address) != answer.addresses.end()) continue;
    if (answer.addresses.size() < kDnsAddressesMax) answer.addresses.push_back(address);
    ttl = std::min<base::Duration>(ttl, std::chrono::seconds(std::max(node->ai_ttl, 0)));
  }
  if (answer.addresses.empty()) return;
  answer.status = DnsAnswer::Status::found;
  for (const auto* name = info->cnames; name != nullptr; name = name->next) {
    ttl = std::min<base::Duration>(ttl, std::chrono::seconds(std::max(name->ttl, 0)));
  }
  answer.ttl = ttl;
  answer.routable = has_route(answer.addresses.front());
}

void AresChannel::on_hosts_answer(void* argument, int status, int, ares_addrinfo* info) {
  auto& answer = *static_cast<HostsAnswer*>(argument);
  answer.v4.status = answer.v6.status = DnsAnswer::Status::no_address;
  if (status != ARES_SUCCESS) return;
  collect(info, AF_INET, answer.v4);
  collect(info, AF_INET6, answer.v6);
  ares_freeaddrinfo(info);
}

void AresChannel::look_up_hosts(const std::string& name, DnsAnswer& v4, DnsAnswer& v6) {
  HostsAnswer answer{v4, v6};
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_flags = ARES_AI_NOSORT | ARES_AI_ENVHOSTS;
  // With the hosts file as the only source, the answer comes before the call returns.
  ares_getaddrinfo(hosts_, name.c_str(), nullptr, &hints, &on_hosts_answer, &answer);
}

void AresChannel::on_answer(void* argument, int status, int, ares_addrinfo* info) {
  const std::unique_ptr<Query> query(static_cast<Query*>(argument));
  DnsAnswer answer;
  if (status == ARES_SUCCESS) {
    answer.status = DnsAnswer::Status::no_address;
    for (int family : {AF_INET, AF_INET6}) {
      if (answer.addresses.empty()) collect(info, family, answer);
    }
    ares_freeaddrinfo(info);
  } else if (status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_EBADNAME) {
    answer.status = DnsAnswer::Status::no_address;
  } else {
    answer.reason = query->channel.own_lack_ ? "no descriptor to ask for the name with" : ares_strerror(status);
    if (query->channel.own_lack_) answer.error = ErrorCode::exhausted;
  }
  if (!query->channel.closing_) query->done(std::move(answer));
}

void AresChannel::query(const std::string& name, bool v6, Callback done) {
  ares_addrinfo_hints hints{};
  hints.ai_family = v6 ? AF_INET6 : AF_INET;
  hints.ai_flags = ARES_AI_NOSORT;
  ares_getaddrinfo(dns_, name.c_str(), nullptr, &hints, &on_answer, new Query{*this, std::move(done)});
  arm_timeout();
}

}  // namespace

bool has_route(const Address& address) {
  const int fd = socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  Address target = address;
  if (target.port() == 0) target.set_port(9);  // any; connecting a datagram socket sends nothing
  const bool connected = connect(fd, target.data(), target.size()) == 0;
  close(fd);
  return connected;
}

Result<std::unique_ptr<DnsChannel>> open_dns_channel(Loop& loop, const DnsOptions& options) {
  auto channel = std::make_unique<AresChannel>(loop);
  TRY_VOID(channel->open(options));
  return channel;
}

}  // namespace llmgw::net
