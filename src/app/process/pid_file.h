// The PID file: a line with the number of the process that serves, and a lock that says the line is true. The lock
// is an open file description lock (fcntl(2), F_OFD_SETLK): it dies with its last descriptor, so a crash leaves a
// stale file but never a stale lock, and it follows the descriptor to a successor (takeover.h) without a gap.
// Call after daemonize(); one thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "app/process/file_descriptor.h"
#include "base/result.h"

namespace llmgw::process {

class PidFile {
 public:
  // Locks `path`, creating it or taking over a stale one, and writes this process's number.
  // already_exists: a live process holds it; see holder().
  static base::Result<PidFile> acquire(const std::string& path);

  // Puts a second line below the number, for whoever asks for holder()'s; replaces the one of before.
  base::Result<void> write_note(std::string_view line);

  // The successor's way: `file` is the predecessor's locked descriptor. Writes this process's number; where there is no
  // room for it, the lock is held all the same: see is_numbered().
  // invalid_argument: it is not the file at `path`.
  static base::Result<PidFile> adopt(FileDescriptor file, const std::string& path);

  // The number of the process that holds the lock; 0 if it has not written it yet. not_found: nobody holds it,
  // whatever an old file says.
  static base::Result<pid_t> holder(const std::string& path);
  // The same with the second line; empty: there is none.
  struct Contents {
    pid_t pid = 0;
    std::string note;
  };
  static base::Result<Contents> read(const std::string& path);

  PidFile(PidFile&& other) noexcept = default;
  PidFile& operator=(PidFile&& other) noexcept;
  // Removes the file and drops the lock, unless released. A forked child that dies removes nothing.
  ~PidFile() { remove(); }

  // False: the number could not be written, and the file is empty rather than wrong; write_number() tries again.
  bool is_numbered() const { return numbered_; }
  base::Result<void> write_number() { return write({}); }

  // To hand to a successor; stays owned here.
  int fd() const { return file_.get(); }
  // A successor owns file and lock now: neither is touched when this dies.
  void release() { file_.close(); }

 private:
  PidFile(FileDescriptor file, std::string path);
  base::Result<void> write(const std::string& note);
  void remove();

  FileDescriptor file_;
  std::string path_;
  pid_t owner_ = 0;
  bool numbered_ = false;
};

}  // namespace llmgw::process
