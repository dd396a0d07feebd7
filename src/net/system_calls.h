// The three system calls of the data path, without what the C library does around them: in a program of several
// threads recv, send and epoll_wait are cancellation points, which are entered and left by an atomic operation each
// (glibc 2.36, sysdeps/unix/sysdep.h, SYSCALL_CANCEL), and nobody cancels our threads. Results and errno are theirs.
// A build with a sanitizer calls the library, where sanitizers look at what the kernel reads and writes.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <span>

namespace llmgw::net {

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
constexpr bool kLibraryCalls = true;
#else
constexpr bool kLibraryCalls = false;
#endif

// recv(2) with no flags.
inline ssize_t receive(int fd, std::span<char> buffer) {
  if constexpr (kLibraryCalls) return recv(fd, buffer.data(), buffer.size(), 0);
  return syscall(SYS_recvfrom, fd, buffer.data(), buffer.size(), 0, nullptr, nullptr);
}

// send(2) with MSG_NOSIGNAL.
inline ssize_t send_bytes(int fd, std::span<const char> bytes) {
  if constexpr (kLibraryCalls) return send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return syscall(SYS_sendto, fd, bytes.data(), bytes.size(), MSG_NOSIGNAL, nullptr, 0);
}

// epoll_wait(2).
inline int wait_for_events(int epoll, std::span<epoll_event> events, int timeout_ms) {
  const int size = static_cast<int>(events.size());
  if constexpr (kLibraryCalls) return epoll_wait(epoll, events.data(), size, timeout_ms);
  return static_cast<int>(syscall(SYS_epoll_pwait, epoll, events.data(), size, timeout_ms, nullptr, 0));
}

}  // namespace llmgw::net
