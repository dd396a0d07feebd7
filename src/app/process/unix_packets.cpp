#include "app/process/unix_packets.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "app/process/deadline.h"
#include "app/process/handoff_protocol.h"

namespace llmgw::process {
namespace {

constexpr int kBacklog = 16;
constexpr mode_t kSocketMode = 0600;

base::Result<FileDescriptor> open_directory(const std::string& path) {
  FileDescriptor directory(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return base::fail(base::os_error(errno, "open the data directory"));
  return directory;
}

base::Result<FileDescriptor> open_socket() {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return base::fail(base::os_error(errno, "open a unix socket"));
  return socket;
}

// A path of any length is reached through the open directory, for an address holds no more than 107 bytes.
base::Result<sockaddr_un> address_in(const FileDescriptor& directory, const std::string& path,
                                     const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string full = path + "/" + name;
  if (full.size() >= sizeof address.sun_path) full = "/proc/self/fd/" + std::to_string(directory.get()) + "/" + name;
  if (full.size() >= sizeof address.sun_path) return base::fail(base::ErrorCode::too_large, "a unix socket's name");
  std::memcpy(address.sun_path, full.c_str(), full.size() + 1);
  return address;
}

const sockaddr* as_sockaddr(const sockaddr_un& address) {
  const void* raw = &address;
  return static_cast<const sockaddr*>(raw);
}

}  // namespace

UnixListener::UnixListener(FileDescriptor directory, FileDescriptor socket, std::string name)
    : directory_(std::move(directory)),
      socket_(std::move(socket)),
      final_name_(std::move(name)),
      name_(final_name_ + "." + std::to_string(getpid())) {}

base::Result<UnixListener> UnixListener::listen(const std::string& directory, const std::string& name) {
  TRY(folder, open_directory(directory));
  TRY(socket, open_socket());
  UnixListener listener(std::move(folder), std::move(socket), name);
  const int fd = listener.socket_.get();
  TRY(address, address_in(listener.directory_, directory, listener.name_));
  unlinkat(listener.directory_.get(), listener.name_.c_str(), 0);
  // Linux takes the mode of the name from the socket's (unix_bind), which spares changing the process's umask.
  if (fchmod(fd, kSocketMode) != 0 || bind(fd, as_sockaddr(address), sizeof address) != 0) {
    return base::fail(base::os_error(errno, "bind the control socket"));
  }
  struct stat own{};
  if (::listen(fd, kBacklog) != 0 ||
      fstatat(listener.directory_.get(), listener.name_.c_str(), &own, AT_SYMLINK_NOFOLLOW) != 0) {
    const base::Error error = base::os_error(errno, "listen on the control socket");
    unlinkat(listener.directory_.get(), listener.name_.c_str(), 0);
    return base::fail(error);
  }
  listener.device_ = own.st_dev;
  listener.inode_ = own.st_ino;
  return listener;
}

base::Result<void> UnixListener::publish() {
  if (renameat(directory_.get(), name_.c_str(), directory_.get(), final_name_.c_str()) != 0) {
    return base::fail(base::os_error(errno, "name the control socket"));
  }
  name_ = final_name_;
  return {};
}

UnixListener::~UnixListener() {
  struct stat named{};
  if (!directory_.valid() || fstatat(directory_.get(), name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (named.st_dev == device_ && named.st_ino == inode_) unlinkat(directory_.get(), name_.c_str(), 0);
}

base::Result<FileDescriptor> connect_unix(const std::string& directory, const std::string& name,
                                          base::Instant deadline) {
  TRY(folder, open_directory(directory));
  TRY(socket, open_socket());
  TRY(address, address_in(folder, directory, name));
  // connect(2) waits for room in the queue as long as the send time-out says; 0 would be for ever.
  const auto left = std::max<base::Duration>(deadline - base::real_now(), std::chrono::milliseconds(1));
  const auto usec = std::chrono::ceil<std::chrono::microseconds>(left).count();
  const timeval timeout{usec / 1'000'000, usec % 1'000'000};
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  if (connect(socket.get(), as_sockaddr(address), sizeof address) != 0) {
    if (errno == EAGAIN) return base::fail(base::ErrorCode::deadline_exceeded, "connect to the control socket");
    return base::fail(base::os_error(errno, "connect to the control socket"));
  }
  return socket;
}

base::Result<void> send_packet(int socket, std::string_view text, std::span<const int> descriptors) {
  if (text.empty() || text.size() > kPacketBytesMax || descriptors.size() > kDescriptorsPerPacketMax) {
    return base::fail(base::ErrorCode::too_large, "send a packet");
  }
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kDescriptorsPerPacketMax * sizeof(int))> control{};
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t sent = -1;
  do {
    sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return {};
  if (errno == EAGAIN) return base::fail(base::ErrorCode::exhausted, "send a packet");
  return base::fail(base::os_error(errno, "send a packet"));
}

base::Result<Packet> receive_packet(int socket, base::Instant deadline) {
  Packet packet;
  packet.text.resize(kPacketBytesMax);
  iovec part{packet.text.data(), packet.text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kDescriptorsPerPacketMax * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ssize_t count = -1;
  do {
    TRY_VOID(wait_until(socket, POLLIN, deadline));
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (count < 0 && (errno == EINTR || errno == EAGAIN));
  if (count < 0) return base::fail(base::os_error(errno, "receive a packet"));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    std::array<int, kDescriptorsPerPacketMax> received{};
    const size_t bytes = std::min(header->cmsg_len - CMSG_LEN(0), sizeof received);
    std::memcpy(received.data(), CMSG_DATA(header), bytes);
    for (size_t index = 0; index < bytes / sizeof(int); ++index) packet.descriptors.emplace_back(received[index]);
  }
  if (count == 0) return base::fail(base::ErrorCode::closed, "receive a packet");
  if (message.msg_flags & MSG_TRUNC) return base::fail(base::ErrorCode::too_large, "receive a packet");
  if (message.msg_flags & MSG_CTRUNC) return base::fail(base::ErrorCode::exhausted, "receive descriptors");
  packet.text.resize(static_cast<size_t>(count));
  return packet;
}

}  // namespace llmgw::process
