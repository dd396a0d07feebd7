#include "app/process/pid_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string_view>

#include "base/text.h"

namespace llmgw::process {
namespace {

// Each round lost means another process removed the file in between; more than a few is not bad luck.
constexpr int kAcquireRoundsMax = 16;
constexpr size_t kBytesMax = 256;  // a number and a short line
constexpr mode_t kMode = 0644;     // anyone may see who serves

enum class Lock { taken, held_elsewhere, failed };

Lock try_lock(int fd) {
  struct flock request{};
  request.l_type = F_WRLCK;
  request.l_whence = SEEK_SET;
  if (fcntl(fd, F_OFD_SETLK, &request) == 0) return Lock::taken;
  return errno == EAGAIN || errno == EACCES ? Lock::held_elsewhere : Lock::failed;
}

// What stands before the next line's end, which goes with it; a last line without one is not whole.
std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  if (end == text.npos) return {};
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

bool same_file(int fd, const std::string& path) {
  struct stat opened{};
  struct stat named{};
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

}  // namespace

PidFile::PidFile(FileDescriptor file, std::string path)
    : file_(std::move(file)), path_(std::move(path)), owner_(getpid()) {}

PidFile& PidFile::operator=(PidFile&& other) noexcept {
  if (this != &other) {
    remove();
    file_ = std::move(other.file_);
    path_ = std::move(other.path_);
    owner_ = other.owner_;
    numbered_ = other.numbered_;
  }
  return *this;
}

base::Result<PidFile> PidFile::acquire(const std::string& path) {
  for (int round = 0; round < kAcquireRoundsMax; ++round) {
    FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode));
    if (!file.valid()) return base::fail(base::os_error(errno, "open the PID file"));
    switch (try_lock(file.get())) {
      case Lock::held_elsewhere: return base::fail(base::ErrorCode::already_exists, "lock the PID file");
      case Lock::failed: return base::fail(base::os_error(errno, "lock the PID file"));
      case Lock::taken: break;
    }
    // The holder may have removed the file between our open and our lock: then the lock is on a file without a name.
    if (!same_file(file.get(), path)) continue;
    PidFile held(std::move(file), path);
    TRY_VOID(held.write_number());
    return held;
  }
  return base::fail(base::ErrorCode::exhausted, "lock the PID file: it is removed again and again");
}

base::Result<PidFile> PidFile::adopt(FileDescriptor file, const std::string& path) {
  if (!same_file(file.get(), path)) return base::fail(base::ErrorCode::invalid_argument, "adopt the PID file");
  // Locking again what this description holds already succeeds; a descriptor without the lock must win it.
  if (try_lock(file.get()) != Lock::taken) return base::fail(base::ErrorCode::already_exists, "adopt the PID file");
  PidFile held(std::move(file), path);
  // The lock is what keeps others away: it is not given up for want of room for a line.
  static_cast<void>(held.write_number());
  return held;
}

base::Result<pid_t> PidFile::holder(const std::string& path) {
  TRY(contents, read(path));
  return contents.pid;
}

base::Result<PidFile::Contents> PidFile::read(const std::string& path) {
  FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) {
    if (errno == ENOENT) return base::fail(base::ErrorCode::not_found, "open the PID file");
    return base::fail(base::os_error(errno, "open the PID file"));
  }
  struct flock question{};
  question.l_type = F_WRLCK;
  question.l_whence = SEEK_SET;
  if (fcntl(file.get(), F_OFD_GETLK, &question) != 0) return base::fail(base::os_error(errno, "ask for the PID lock"));
  if (question.l_type == F_UNLCK) return base::fail(base::ErrorCode::not_found, "nobody holds the PID file");
  std::array<char, kBytesMax> bytes{};
  ssize_t count = pread(file.get(), bytes.data(), bytes.size(), 0);
  if (count < 0) return base::fail(base::os_error(errno, "read the PID file"));
  std::string_view rest(bytes.data(), static_cast<size_t>(count));
  const std::string_view number = take_line(rest);
  return Contents{.pid = static_cast<pid_t>(base::parse_decimal(number).value_or(0)),
                  .note = std::string(take_line(rest))};
}

base::Result<void> PidFile::write_note(std::string_view line) {
  return write(std::string(line) + "\n");
}

// One write first, then the length: a reader that takes the first line sees the old number or the new one. On a full
// disk it sees none: half of one, or the predecessor's, would be the number of another process.
base::Result<void> PidFile::write(const std::string& note) {
  const std::string lines = std::to_string(owner_) + "\n" + note;
  const ssize_t written = pwrite(file_.get(), lines.data(), lines.size(), 0);
  int reason = written < 0 ? errno : ENOSPC;  // that a part was written has no other
  const bool whole = written == static_cast<ssize_t>(lines.size());
  numbered_ = whole && ftruncate(file_.get(), written) == 0;
  if (numbered_) return {};
  if (whole) reason = errno;
  [[maybe_unused]] const int emptied = ftruncate(file_.get(), 0);  // takes no room
  return base::fail(base::os_error(reason, "write the PID file"));
}

void PidFile::remove() {
  if (file_.valid() && owner_ == getpid() && same_file(file_.get(), path_)) unlink(path_.c_str());
  file_.close();
}

}  // namespace llmgw::process
