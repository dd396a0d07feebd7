#include "store/spool/responses_spool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/time.h"

namespace llmgw::store {
namespace {

using base::ErrorCode;
using base::Result;

constexpr std::string_view kMagic = "LLMGWRS1";
constexpr std::string_view kSuffix = ".spool";
constexpr const char* kWriting = "writing responses to their spool";

template <class T>
void put(std::string& out, T value) {
  for (size_t i = 0; i < sizeof value; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

template <class T>
T get(std::string_view bytes) {
  T value = 0;
  for (size_t i = 0; i < sizeof value; ++i) value |= static_cast<T>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  return value;
}

uint32_t checksum(std::string_view bytes) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::string head_of(uint64_t begin) {
  std::string head(kMagic);
  put(head, begin);
  return head;
}

}  // namespace

ResponsesSpool::ResponsesSpool(ResponsesSpool&& other) noexcept
    : directory_(std::move(other.directory_)),
      path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      begin_(other.begin_),
      end_(other.end_),
      synced_(other.synced_) {}

ResponsesSpool::~ResponsesSpool() {
  if (fd_ < 0) return;
  if (begin_ == end_) ::unlink(path_.c_str());
  ::close(fd_);
}

Result<ResponsesSpool> ResponsesSpool::adopt(const std::string& path) {
  ResponsesSpool spool{std::string()};
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return base::fail(errno == ENOENT ? ErrorCode::not_found : ErrorCode::io, "opening a spool of responses");
  struct stat status{};
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0 || ::fstat(fd, &status) != 0) {
    ::close(fd);
    return base::fail(ErrorCode::already_exists, "the spool of a process that lives");
  }
  // Somebody else was faster and done with it; or its process died before it had a head.
  const bool headless = status.st_size < static_cast<off_t>(kHeadBytes);
  if (status.st_nlink == 0 || headless) {
    if (headless) ::unlink(path.c_str());
    ::close(fd);
    return base::fail(ErrorCode::not_found, "opening a spool of responses");
  }
  spool.path_ = path;
  spool.fd_ = fd;
  spool.end_ = kFileBytesMax;  // the destructor must not remove it before it is read
  TRY(head, spool.read_at(0, kHeadBytes));
  if (head.size() < kHeadBytes || !head.starts_with(kMagic)) {
    return base::fail(ErrorCode::protocol, "the head of a spool of responses");
  }
  spool.begin_ = std::max<uint64_t>(kHeadBytes, get<uint64_t>(std::string_view(head).substr(kMagic.size())));
  spool.end_ = std::max<uint64_t>(spool.begin_, static_cast<uint64_t>(status.st_size));
  return spool;
}

Result<void> ResponsesSpool::make_file() {
  std::error_code ignored;
  std::filesystem::create_directories(directory_, ignored);
  ::chmod(directory_.c_str(), S_IRWXU);
  const auto now = base::real_wall_now().time_since_epoch().count();
  path_ = directory_ + "/" + std::to_string(now) + "-" + std::to_string(::getpid()) + std::string(kSuffix);
  const int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) return base::fail(base::os_error(errno, kWriting));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return base::fail(ErrorCode::io, kWriting);
  }
  fd_ = fd;
  if (auto written = write_at(0, head_of(kHeadBytes)); !written) {
    ::unlink(path_.c_str());
    ::close(std::exchange(fd_, -1));
    return written;
  }
  return {};
}

Result<void> ResponsesSpool::append(std::string_view payload) {
  const std::lock_guard lock(mutex_);
  if (payload.size() > kPayloadBytesMax || end_ + kFrameHeadBytes + payload.size() > kFileBytesMax) {
    return base::fail(ErrorCode::exhausted, "the spool of responses is full");
  }
  if (fd_ < 0) TRY_VOID(make_file());
  std::string frame;
  frame.reserve(kFrameHeadBytes + payload.size());
  put(frame, static_cast<uint32_t>(payload.size()));
  put(frame, checksum(payload));
  frame += payload;
  if (auto written = write_at(end_, frame); !written) {
    // What is half there is behind the end, and is written over by the next.
    (void)::ftruncate(fd_, static_cast<off_t>(end_));
    return written;
  }
  end_ += frame.size();
  return {};
}

Result<std::string> ResponsesSpool::front() {
  const std::lock_guard lock(mutex_);
  if (begin_ == end_) return base::fail(ErrorCode::not_found, "no response waits");
  const auto head = read_at(begin_, kFrameHeadBytes);
  const uint32_t size = head && head->size() == kFrameHeadBytes ? get<uint32_t>(*head) : 0;
  if (size != 0 && size <= kPayloadBytesMax && begin_ + kFrameHeadBytes + size <= end_) {
    auto payload = read_at(begin_ + kFrameHeadBytes, size);
    if (!payload) return payload;
    if (payload->size() == size && checksum(*payload) == get<uint32_t>(std::string_view(*head).substr(4))) {
      return payload;
    }
  }
  // A torn end: nothing behind it can be found.
  begin_ = end_ = kHeadBytes;
  note_begin();
  return base::fail(ErrorCode::not_found, "no response waits");
}

void ResponsesSpool::pop() {
  const std::lock_guard lock(mutex_);
  if (begin_ == end_) return;
  const auto head = read_at(begin_, kFrameHeadBytes);
  const uint64_t size = head && head->size() == kFrameHeadBytes ? get<uint32_t>(*head) : end_;
  begin_ = std::min(end_, begin_ + kFrameHeadBytes + size);
  if (begin_ == end_) begin_ = end_ = kHeadBytes;
  note_begin();
}

void ResponsesSpool::note_begin() {
  synced_ = std::min(synced_, begin_);
  // First the mark: done twice is nothing, and what is cut off must not be looked for.
  (void)write_at(0, head_of(begin_));
  if (begin_ == end_) (void)::ftruncate(fd_, static_cast<off_t>(kHeadBytes));
}

void ResponsesSpool::sync() {
  int fd = -1;
  uint64_t end = 0;
  {
    const std::lock_guard lock(mutex_);
    if (fd_ < 0 || synced_ >= end_) return;
    fd = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
    end = end_;
  }
  // Not under the lock: others go on writing.
  const bool done = fd >= 0 && ::fdatasync(fd) == 0;
  if (fd >= 0) ::close(fd);
  const std::lock_guard lock(mutex_);
  if (done) synced_ = std::min(end, end_);
}

bool ResponsesSpool::empty() {
  const std::lock_guard lock(mutex_);
  return begin_ == end_;
}

Result<void> ResponsesSpool::write_at(uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::fail(base::os_error(errno, kWriting));
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return {};
}

Result<std::string> ResponsesSpool::read_at(uint64_t offset, size_t size) {
  std::string bytes(size, '\0');
  size_t filled = 0;
  while (filled < size) {
    const ssize_t count = ::pread(fd_, bytes.data() + filled, size - filled, static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return base::fail(base::os_error(errno, "reading responses from their spool"));
    if (count == 0) break;
    filled += static_cast<size_t>(count);
  }
  bytes.resize(filled);
  return bytes;
}

std::vector<std::string> spool_files(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == kSuffix) files.push_back(at->path().string());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace llmgw::store
