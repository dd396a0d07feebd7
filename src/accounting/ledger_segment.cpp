#include "accounting/ledger_segment.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace llmgw::accounting {
namespace {

constexpr std::string_view kMagic = "LLMGWLG1";
constexpr size_t kPageBytes = 4096;

constexpr std::array<std::array<uint32_t, 256>, 8> kCrcTables = [] {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
    tables[0][i] = crc;
  }
  for (uint32_t i = 0; i < 256; ++i) {
    for (size_t t = 1; t < 8; ++t) tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 255];
  }
  return tables;
}();

template <class T>
T load(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// The instruction of SSE 4.2, which has this polynomial: 8 bytes in 3 cycles.
#ifdef __x86_64__
bool has_crc_instruction() {
  static const bool kHas = __builtin_cpu_supports("sse4.2") != 0;
  return kHas;
}

[[gnu::target("sse4.2")]] uint32_t crc32c_by_instruction(std::string_view bytes) {
  uint64_t crc = ~uint32_t{0};
  const char* p = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; p += 8, left -= 8) crc = __builtin_ia32_crc32di(crc, load<uint64_t>(p));
  auto rest = static_cast<uint32_t>(crc);
  for (; left > 0; ++p, --left) rest = __builtin_ia32_crc32qi(rest, static_cast<unsigned char>(*p));
  return ~rest;
}
#else
bool has_crc_instruction() {
  return false;
}
uint32_t crc32c_by_instruction(std::string_view bytes) {
  return crc32c_by_table(bytes);
}
#endif

constexpr size_t padded(size_t size) {
  return (size + 7) & ~size_t{7};
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

}  // namespace

// Eight bytes a step ("slicing by 8", Kounavis and Berry, 2008): about 1 ns a byte less than one at a time, on any
// processor.
uint32_t crc32c_by_table(std::string_view bytes) {
  uint32_t crc = ~uint32_t{0};
  const char* p = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; p += 8, left -= 8) {
    const uint64_t word = load<uint64_t>(p) ^ crc;
    crc = 0;
    for (size_t i = 0; i < 8; ++i) crc ^= kCrcTables[7 - i][(word >> (8 * i)) & 255];
  }
  for (; left > 0; ++p, --left) crc = (crc >> 8) ^ kCrcTables[0][(crc ^ static_cast<uint8_t>(*p)) & 255];
  return ~crc;
}

uint32_t crc32c(std::string_view bytes) {
  return has_crc_instruction() ? crc32c_by_instruction(bytes) : crc32c_by_table(bytes);
}

base::Result<std::unique_ptr<Segment>> Segment::create(const std::string& path, int64_t now, size_t bytes_wanted) {
  const size_t size = std::clamp(bytes_wanted, kSegmentHeadBytes, kSegmentBytes);
  Descriptor file{open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  if (file.fd < 0) return base::fail(base::os_error(errno, "making a segment of the ledger"));
  const auto undo = [&](int error, const char* what) {
    unlink(path.c_str());
    return base::fail(base::os_error(error, what));
  };
  if (flock(file.fd, LOCK_EX | LOCK_NB) != 0) return undo(errno, "locking a segment of the ledger");
  if (const int error = posix_fallocate(file.fd, 0, static_cast<off_t>(size)); error != 0) {
    return undo(error, "room for a segment of the ledger");
  }
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
  if (data == MAP_FAILED) return undo(errno, "mapping a segment of the ledger");
  // Without it the kernel reads around each page that is populated, at twice the cost.
  (void)madvise(data, size, MADV_RANDOM);
  auto* bytes = static_cast<char*>(data);
  std::memcpy(bytes, kMagic.data(), kMagic.size());
  std::memcpy(bytes + kMagic.size(), &now, sizeof now);
  const int fd = file.fd;
  file.fd = -1;
  std::unique_ptr<Segment> segment(new Segment(bytes, size, fd, path));
  segment->populate(kPopulatedBytes);
  return segment;
}

std::unique_ptr<Segment> Segment::in_memory() {
  void* data = mmap(nullptr, kSegmentBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return nullptr;
  auto* bytes = static_cast<char*>(data);
  std::memcpy(bytes, kMagic.data(), kMagic.size());
  return std::unique_ptr<Segment>(new Segment(bytes, kSegmentBytes, -1, {}));
}

Segment::~Segment() {
  munmap(data_, size_);
  if (fd_ >= 0) close(fd_);
}

void Segment::populate(size_t ahead) {
  if (fd_ < 0) return;
  const size_t end = std::min(size_, (written() + ahead + kPageBytes - 1) & ~(kPageBytes - 1));
  if (end <= populated_) return;
  const size_t from = std::max(populated_, written() & ~(kPageBytes - 1));
  constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, Linux 5.14; older kernels do without
  (void)madvise(data_ + from, end - from, kPopulateWrite);
  populated_ = end;
}

bool Segment::append(std::string_view payload) {
  const size_t end = end_.load(std::memory_order_relaxed);
  if (end + kFrameHeadBytes + padded(payload.size()) > size_) return false;
  char* const frame = data_ + end;
  // Read where it is in the cache: the segment's own bytes are still on their way there.
  const uint32_t crc = crc32c(payload);
  std::memcpy(frame + kFrameHeadBytes, payload.data(), payload.size());
  std::memcpy(frame + 4, &crc, sizeof crc);
  // Not before the payload: a process may be killed between any two stores.
  std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t*>(frame))
      .store(static_cast<uint32_t>(payload.size()), std::memory_order_release);
  end_.store(end + kFrameHeadBytes + padded(payload.size()), std::memory_order_release);
  return true;
}

int Segment::duplicate_descriptor() const {
  return fd_ < 0 ? -1 : fcntl(fd_, F_DUPFD_CLOEXEC, 0);
}

base::Result<void> sync_segment(int fd, size_t from, size_t to) {
  from &= ~(kPageBytes - 1);
  if (to <= from) return {};
  void* const data = mmap(nullptr, to - from, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(from));
  if (data == MAP_FAILED) return base::fail(base::os_error(errno, "syncing the ledger"));
  const int error = msync(data, to - from, MS_SYNC) == 0 ? 0 : errno;
  munmap(data, to - from);
  if (error != 0) return base::fail(base::os_error(error, "syncing the ledger"));
  return {};
}

SegmentScan scan_segment(std::string_view bytes, size_t from, const std::function<void(std::string_view)>& visit) {
  SegmentScan scan;
  if (bytes.size() < kSegmentHeadBytes || !bytes.starts_with(kMagic)) return scan;
  scan.valid = true;
  size_t at = std::max(from, kSegmentHeadBytes);
  while (at + kFrameHeadBytes <= bytes.size()) {
    const auto size = load<uint32_t>(bytes.data() + at);
    const size_t room = bytes.size() - at - kFrameHeadBytes;
    if (size == 0 || size > room) break;
    const std::string_view payload = bytes.substr(at + kFrameHeadBytes, size);
    if (crc32c(payload) != load<uint32_t>(bytes.data() + at + 4)) break;
    visit(payload);
    ++scan.records;
    at = std::min(bytes.size(), at + kFrameHeadBytes + padded(size));
  }
  scan.end = std::min(at, bytes.size());
  scan.torn = bytes.find_first_not_of('\0', scan.end) != std::string_view::npos;
  return scan;
}

base::Result<SegmentFile> read_segment(const std::string& path) {
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return base::fail(base::os_error(errno, "opening a segment of the ledger"));
  SegmentFile result;
  result.live = flock(file.fd, LOCK_SH | LOCK_NB) != 0;
  struct stat status{};
  if (fstat(file.fd, &status) != 0) return base::fail(base::os_error(errno, "reading a segment of the ledger"));
  if (status.st_size > static_cast<off_t>(kSegmentBytes)) {
    return base::fail(base::ErrorCode::too_large, "a segment of the ledger is larger than any");
  }
  result.bytes.resize(static_cast<size_t>(status.st_size));
  size_t at = 0;
  while (at < result.bytes.size()) {
    const ssize_t got = pread(file.fd, result.bytes.data() + at, result.bytes.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail(base::os_error(errno, "reading a segment of the ledger"));
    if (got == 0) break;
    at += static_cast<size_t>(got);
  }
  result.bytes.resize(at);
  return result;
}

}  // namespace llmgw::accounting
