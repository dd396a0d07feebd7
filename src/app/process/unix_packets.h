// Unix sockets that keep packets whole (SOCK_SEQPACKET) and carry descriptors (unix(7), SCM_RIGHTS). Any thread, one at
// a time a socket; nothing here raises SIGPIPE.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/process/file_descriptor.h"
#include "base/result.h"
#include "base/time.h"

namespace llmgw::process {

// A status answer of some hundred connections; also what the kernel's default buffer surely takes in one packet.
inline constexpr size_t kPacketBytesMax = 128 * 1024;

// A listening socket in a directory: nobody finds it until it is published, and from then on its name leads somewhere.
// Removes its own name when it dies, but never a successor's.
class UnixListener {
 public:
  // Mode 0600, whatever the umask is. What can fail for want of room or permission fails here.
  static base::Result<UnixListener> listen(const std::string& directory, const std::string& name);
  // Replaces what has the name, so call it only while holding the PID file. May be tried again.
  base::Result<void> publish();
  bool published() const { return name_ == final_name_; }
  // The name is a successor's to replace, at any moment, and stays when this dies.
  void release() { directory_.close(); }
  UnixListener(UnixListener&& other) noexcept = default;
  UnixListener& operator=(UnixListener&&) = delete;
  ~UnixListener();
  int fd() const { return socket_.get(); }

 private:
  UnixListener(FileDescriptor directory, FileDescriptor socket, std::string name);
  FileDescriptor directory_;
  FileDescriptor socket_;
  std::string final_name_;
  std::string name_;  // as of now
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// Blocking connect. refused: nobody listens there.
base::Result<FileDescriptor> connect_unix(const std::string& directory, const std::string& name,
                                          base::Instant deadline);

// One packet with copies of the descriptors, without waiting. exhausted: the peer does not read.
base::Result<void> send_packet(int socket, std::string_view text, std::span<const int> descriptors = {});

struct Packet {
  std::string text;
  std::vector<FileDescriptor> descriptors;  // close-on-exec
};

// Waits for the next packet. closed: the peer ended. too_large: longer than kPacketBytesMax. exhausted: a descriptor
// did not fit under the limit of open files.
base::Result<Packet> receive_packet(int socket, base::Instant deadline);

}  // namespace llmgw::process
