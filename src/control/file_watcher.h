// Tells when files changed. Watches their directories (inotify), so it sees editors that replace a file by renaming,
// and Kubernetes, which swaps the ..data link of a mounted volume. A burst of events counts once: Debounce is the pure
// part. Control thread only; the owner polls fd() and a timer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace llmgw::control {

// Reports once things have been quiet for a while, or after a longer while even if they never are.
class Debounce {
 public:
  static constexpr base::Duration kQuiet = std::chrono::milliseconds(200);  // editors write, sync and rename within it
  static constexpr base::Duration kLongest = std::chrono::seconds(2);  // a file under constant writing still counts

  void on_event(base::Instant now);
  // When to call expired() next; kNever when nothing is pending.
  base::Instant deadline() const;
  // True once, when the deadline has passed.
  bool expired(base::Instant now);

 private:
  std::optional<base::Instant> first_;
  base::Instant last_{};
};

class FileWatcher {
 public:
  static constexpr size_t kFilesMax = 256;  // a configuration and the secrets it refers to; more are not watched

  FileWatcher() = default;
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;
  ~FileWatcher();

  // Starts over with these files; they need not exist, their directories should.
  base::Result<void> watch(std::vector<std::string> files);
  // Readable when something may have happened; then call on_readable. -1 before watch().
  int fd() const { return fd_; }
  void on_readable(base::Instant now);
  base::Instant deadline() const { return debounce_.deadline(); }
  // At the deadline: whether any file is not what it was (another inode, size or time, gone or new).
  bool changed(base::Instant now);

 private:
  struct Fingerprint {
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t size = -1;       // -1: not there
    int64_t changed_ns = 0;  // by the kernel: that of the last writing can be set to any time
    bool operator==(const Fingerprint&) const = default;
  };
  struct File {
    std::string path;
    Fingerprint fingerprint;
  };
  struct Directory {
    int watch;
    std::vector<std::string> names;  // entries that matter
  };

  static Fingerprint fingerprint(const std::string& path);
  void close_fd();
  base::Result<void> add_watches();
  // Watches the directory of `path`, and those of the links it leads through.
  void add_chain(std::string path);
  void add_directory(const std::string& directory, std::string_view name);
  bool matters(int watch, std::string_view name) const;

  int fd_ = -1;
  std::vector<File> files_;
  std::vector<Directory> directories_;
  Debounce debounce_;
};

}  // namespace llmgw::control
