#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "net/epoll.h"
#include "net/io.h"
#include "net/network.h"
#include "net/system_calls.h"

namespace llmgw::net {
namespace {

using base::ErrorCode;
using base::fail;
using base::os_error;
using base::Result;

// Small pieces are joined here: to copy 4 KB takes less than the kernel takes to read a list of buffers (0.2 us). Used
// within one try_write only.
constexpr size_t kGatherBytes = 4096;
thread_local char gather_buffer[kGatherBytes];

// What the kernel keeps for a client beyond what is on its way to it. With all that its buffers can grow to (4 MB), one
// that reads steadily but slowly would look for minutes like one that reads nothing: a socket is writable again when a
// third of them is free (tcp(7), TCP_NOTSENT_LOWAT).
constexpr int kUnsentBytesMax = 64 * 1024;

// All of `buffers` in one piece, or nothing if they are too long for it.
std::string_view gather(std::span<const iovec> buffers) {
  if (buffers.size() == 1) return {static_cast<const char*>(buffers[0].iov_base), buffers[0].iov_len};
  size_t filled = 0;
  for (const iovec& buffer : buffers) {
    if (buffer.iov_len > kGatherBytes - filled) return {};
    if (buffer.iov_len > 0) std::memcpy(gather_buffer + filled, buffer.iov_base, buffer.iov_len);
    filled += buffer.iov_len;
  }
  return {gather_buffer, filled};
}

ssize_t send_buffers(int fd, std::span<const iovec> buffers) {
  if (const std::string_view joined = gather(buffers); !joined.empty()) {
    return send_bytes(fd, joined);
  }
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(buffers.data());
  message.msg_iovlen = buffers.size();
  return sendmsg(fd, &message, MSG_NOSIGNAL);
}

void set_option(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof value);
}

class SocketStream : private Descriptor, public Stream {
 public:
  SocketStream(Loop& loop, int fd, const Address& peer)
      : Descriptor(loop, fd), Stream(loop, Descriptor::readiness(), peer) {}

  using Descriptor::watch;
  int fd() const override { return Descriptor::fd(); }

  IoResult try_read(std::span<char> buffer) override {
    Readiness& state = Descriptor::readiness();
    if (!state.readable) return {IoStatus::would_block_read, 0, {}};
    ssize_t count = 0;
    do {
      count = receive(fd(), buffer);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
      // A short read has emptied the socket; what comes later makes a new edge. After a hang-up there is no later edge.
      if (static_cast<size_t>(count) < buffer.size() && !state.hangup) state.readable = false;
      return {IoStatus::ok, static_cast<size_t>(count), {}};
    }
    if (count == 0 && !broken_) return {IoStatus::eof, 0, {}};
    if (count < 0 && errno == EAGAIN) {
      state.readable = false;
      return {IoStatus::would_block_read, 0, {}};
    }
    if (count < 0) broken_ = os_error(errno, "recv");
    return {IoStatus::error, 0, *broken_};
  }

  IoResult try_write(std::span<const iovec> buffers) override {
    Readiness& state = Descriptor::readiness();
    if (!state.writable) return {IoStatus::would_block_write, 0, {}};
    ssize_t count = 0;
    do {
      count = send_buffers(fd(), buffers);
    } while (count < 0 && errno == EINTR);
    if (count >= 0) return {IoStatus::ok, static_cast<size_t>(count), {}};
    if (errno == EAGAIN) {
      state.writable = false;
      return {IoStatus::would_block_write, 0, {}};
    }
    const base::Error error = os_error(errno, "send");
    // EPIPE alone says nothing of the other direction: the peer may have ended it in an orderly way before.
    if (errno != EPIPE) broken_ = error;
    return {IoStatus::error, 0, error};
  }

  void shutdown_write() override { shutdown(fd(), SHUT_WR); }

  void reset_on_close() override {
    const linger immediately{1, 0};
    setsockopt(fd(), SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
  }

 private:
  // The kernel reports a reset once, and an orderly end from then on: this remembers that the end is none.
  std::optional<base::Error> broken_;
};

class SocketListener : private Descriptor, public Listener {
 public:
  SocketListener(Loop& loop, int fd, const Address& address)
      : Descriptor(loop, fd), Listener(loop, Descriptor::readiness()), address_(address) {}

  using Descriptor::watch;
  int fd() const override { return Descriptor::fd(); }
  Address address() const override { return address_; }

  Result<std::unique_ptr<Stream>> try_accept() override {
    Readiness& state = Descriptor::readiness();
    if (!state.readable) return nullptr;
    for (;;) {
      sockaddr_storage storage{};
      socklen_t length = sizeof storage;
      const int client = accept4(fd(), reinterpret_cast<sockaddr*>(&storage), &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (client >= 0) return adopt_stream(loop(), client, Address(reinterpret_cast<sockaddr*>(&storage), length));
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN) {
        state.readable = false;
        return nullptr;
      }
      return fail(os_error(errno, "accept"));
    }
  }

  using Listener::loop;

 private:
  Address address_;
};

class SocketNetwork : public Network {
 public:
  explicit SocketNetwork(Loop& loop) : loop_(loop) {}

  Task<Result<std::unique_ptr<Stream>>> connect(Address address, Wait wait) override {
    const int fd = socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) co_return fail(os_error(errno, "socket"));
    auto stream = std::make_unique<SocketStream>(loop_, fd, address);
    if (!address.is_unix()) set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (::connect(fd, address.data(), address.size()) != 0 && errno != EINPROGRESS) {
      co_return fail(os_error(errno, "connect"));
    }
    CO_TRY_VOID(stream->watch());
    CO_TRY_VOID(co_await wait_writable(*stream, wait));
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) co_return fail(os_error(error, "connect"));
    co_return std::unique_ptr<Stream>(std::move(stream));
  }

  Result<std::unique_ptr<Listener>> listen(const Address& address, const ListenOptions& options) override {
    TRY(fd, open_listening_socket(address, options));
    return adopt_listener(loop_, fd);
  }

 private:
  Loop& loop_;
};

// A socket file nobody listens on is left over from a process that died, and may be replaced.
Result<void> remove_stale_socket(const Address& address) {
  const auto* path = reinterpret_cast<const sockaddr_un*>(address.data())->sun_path;
  if (path[0] == '\0') return {};
  struct stat info{};
  if (stat(path, &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode)) return fail(ErrorCode::already_exists, "a file that is no socket is in the way");
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return fail(os_error(errno, "socket"));
  const bool refused = ::connect(probe, address.data(), address.size()) != 0 && errno == ECONNREFUSED;
  close(probe);
  if (!refused) return fail(ErrorCode::already_exists, "another process listens on this socket");
  unlink(path);
  return {};
}

}  // namespace

Result<int> open_listening_socket(const Address& address, const ListenOptions& options) {
  if (address.is_unix()) TRY_VOID(remove_stale_socket(address));
  const int fd = socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail(os_error(errno, "socket"));
  if (!address.is_unix()) {
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.reuse_port) set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (address.family() == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  }
  if (bind(fd, address.data(), address.size()) != 0 || ::listen(fd, options.backlog) != 0) {
    const int error = errno;
    close(fd);
    return fail(os_error(error, "listen"));
  }
  if (address.is_unix()) {
    const auto* path = reinterpret_cast<const sockaddr_un*>(address.data())->sun_path;
    if (path[0] != '\0') chmod(path, options.unix_mode);
  }
  return fd;
}

Result<std::unique_ptr<Listener>> adopt_listener(Loop& loop, int fd) {
  auto address = Address::local_of(fd);
  if (!address) {
    close(fd);
    return fail(address.error());
  }
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  auto listener = std::make_unique<SocketListener>(loop, fd, *address);
  TRY_VOID(listener->watch());
  return listener;
}

Result<std::unique_ptr<Stream>> adopt_stream(Loop& loop, int fd, const Address& peer) {
  // Not once at the listening socket: one that a service manager opened has it not, and the connections that wait there
  // already would never have it.
  if (!peer.is_unix()) {
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsentBytesMax);
  }
  auto stream = std::make_unique<SocketStream>(loop, fd, peer);
  TRY_VOID(stream->watch());
  return stream;
}

std::unique_ptr<Network> make_socket_network(Loop& loop) {
  return std::make_unique<SocketNetwork>(loop);
}

}  // namespace llmgw::net
