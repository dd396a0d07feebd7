// Listening sockets that this process did not open itself: from systemd (sd_listen_fds(3)) or from a predecessor
// (takeover.h). At start, before threads exist.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/process/file_descriptor.h"
#include "base/result.h"

namespace llmgw::process {

struct InheritedListener {
  std::string name;  // FileDescriptorName= of the socket unit, or what the predecessor called it
  FileDescriptor socket;
};

inline constexpr int kFirstActivatedDescriptor = 3;  // SD_LISTEN_FDS_START
inline constexpr size_t kActivatedSocketsMax = 256;  // a socket unit names a handful

// Takes what LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES describe, sets close-on-exec and non-blocking, and removes the
// three variables so that no child takes them again. Empty without socket activation or if it is for another process.
// invalid_argument: a descriptor is not a listening stream socket, or the count is not one.
base::Result<std::vector<InheritedListener>> take_activated_sockets();

// LISTEN_FDNAMES for `count` sockets: a missing or empty name is "unknown", as systemd defines it. Pure.
std::vector<std::string> read_socket_names(std::string_view names, size_t count);

// "127.0.0.1:8080", "[::1]:8080" or "unix:/path", to find the configured address a socket is for.
base::Result<std::string> bound_address(int socket);

// False also for descriptors that are no socket.
bool is_listening(int descriptor);

}  // namespace llmgw::process
