#include "control/file_watcher.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

namespace llmgw::control {
namespace {

constexpr int kLinksMax = 40;  // as many as the kernel follows

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::optional<std::string> link_target(const std::string& path) {
  std::array<char, PATH_MAX> target;
  const ssize_t size = readlink(path.c_str(), target.data(), target.size());
  if (size <= 0) return std::nullopt;
  std::string text(target.data(), static_cast<size_t>(size));
  return text.starts_with('/') ? text : directory_of(path) + "/" + text;
}

}  // namespace

void Debounce::on_event(base::Instant now) {
  if (!first_) first_ = now;
  last_ = now;
}

base::Instant Debounce::deadline() const {
  return first_ ? std::min(last_ + kQuiet, *first_ + kLongest) : base::kNever;
}

bool Debounce::expired(base::Instant now) {
  if (!first_ || now < deadline()) return false;
  first_.reset();
  return true;
}

FileWatcher::~FileWatcher() {
  close_fd();
}

void FileWatcher::close_fd() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

FileWatcher::Fingerprint FileWatcher::fingerprint(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return {};
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = status.st_size,
          .changed_ns = status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec};
}

base::Result<void> FileWatcher::watch(std::vector<std::string> files) {
  if (files.size() > kFilesMax) files.resize(kFilesMax);
  files_.clear();
  for (auto& path : files) {
    const auto print = fingerprint(path);
    files_.push_back({std::move(path), print});
  }
  return add_watches();
}

base::Result<void> FileWatcher::add_watches() {
  if (fd_ < 0) {
    fd_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd_ < 0) return std::unexpected(base::os_error(errno, "starting the file watcher"));
  }
  const auto before = std::exchange(directories_, {});
  for (const auto& file : files_) add_chain(file.path);
  for (const auto& old : before) {
    if (std::ranges::find(directories_, old.watch, &Directory::watch) == directories_.end()) {
      inotify_rm_watch(fd_, old.watch);
    }
  }
  if (directories_.empty() && !files_.empty()) {
    return base::fail(base::ErrorCode::io, "no directory of the configuration can be watched");
  }
  return {};
}

void FileWatcher::add_chain(std::string path) {
  for (int i = 0; i < kLinksMax; ++i) {
    // A link may also stand in the middle: Kubernetes has file -> ..data/file and ..data -> ..timestamp.
    const std::string directory = directory_of(path);
    add_directory(directory, name_of(path));
    if (name_of(directory) != "." && link_target(directory)) add_directory(directory_of(directory), name_of(directory));
    auto target = link_target(path);
    if (!target) return;
    path = std::move(*target);
  }
}

void FileWatcher::add_directory(const std::string& directory, std::string_view name) {
  constexpr uint32_t kEvents =
      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
  const int watch = inotify_add_watch(fd_, directory.c_str(), kEvents | IN_ONLYDIR);
  if (watch < 0) return;  // not there (yet): the rest of the chain is watched
  auto found = std::ranges::find(directories_, watch, &Directory::watch);
  if (found == directories_.end()) found = directories_.insert(directories_.end(), {watch, {}});
  if (std::ranges::find(found->names, name) == found->names.end()) found->names.emplace_back(name);
}

bool FileWatcher::matters(int watch, std::string_view name) const {
  if (name.empty()) return true;  // the directory itself
  const auto found = std::ranges::find(directories_, watch, &Directory::watch);
  return found != directories_.end() && std::ranges::find(found->names, name) != found->names.end();
}

void FileWatcher::on_readable(base::Instant now) {
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  constexpr int kReadsMax = 64;  // a directory under constant writing must not hold the thread
  for (int i = 0; i < kReadsMax; ++i) {
    const ssize_t size = read(fd_, buffer.data(), buffer.size());
    if (size <= 0) return;
    for (size_t at = 0; at + sizeof(inotify_event) <= static_cast<size_t>(size);) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const char* name = buffer.data() + at + sizeof event;
      const bool overflow = (event.mask & IN_Q_OVERFLOW) != 0;
      const std::string_view entry(name, event.len == 0 ? 0 : strnlen(name, event.len));
      if ((event.mask & IN_IGNORED) == 0 && (overflow || matters(event.wd, entry))) debounce_.on_event(now);
      at += sizeof event + event.len;
    }
  }
}

bool FileWatcher::changed(base::Instant now) {
  if (!debounce_.expired(now)) return false;
  // A swapped link leads to other directories.
  (void)add_watches();
  bool any = false;
  for (auto& file : files_) {
    const auto current = fingerprint(file.path);
    any = any || current != file.fingerprint;
    file.fingerprint = current;
  }
  return any;
}

}  // namespace llmgw::control
