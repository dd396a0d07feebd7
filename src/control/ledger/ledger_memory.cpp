// What the supplying thread does: segments for the workers, in memory while the disk is full, and from there to files.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>

#include "base/rng.h"
#include "base/text.h"
#include "control/ledger/ledger.h"

namespace llmgw::control {
namespace {

using accounting::Segment;

constexpr const char* kIdFile = "/id";
// To look for room on a full disk takes what little there is, for a moment.
constexpr base::Duration kFileRetryInterval = std::chrono::seconds(1);

std::string id_file(const std::string& data_dir) {
  return ledger_directory(data_dir) + kIdFile;
}

}  // namespace

uint64_t ledger_id(const std::string& data_dir) {
  std::array<char, 32> bytes{};
  const int fd = ::open(id_file(data_dir).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t count = ::read(fd, bytes.data(), bytes.size());
  ::close(fd);
  const std::string_view text(bytes.data(), static_cast<size_t>(std::max<ssize_t>(0, count)));
  return text.ends_with('\n') ? base::parse_decimal(text.substr(0, text.size() - 1)).value_or(0) : 0;
}

// One for this process alone where none can be written.
uint64_t Ledger::find_id(const std::string& data_dir) {
  if (const uint64_t id = ledger_id(data_dir); id != 0) return id;
  const std::string path = id_file(data_dir);
  const uint64_t made = base::system_random() | 1;
  const std::string line = std::to_string(made) + "\n";
  const std::string next = path + "." + std::to_string(made);
  const int fd = ::open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return made;
  const bool written = ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  ::close(fd);
  // Of two processes that make one at once both have the first.
  if (written) (void)!::link(next.c_str(), path.c_str());
  ::unlink(next.c_str());
  const uint64_t id = ledger_id(data_dir);
  return id != 0 ? id : made;
}

// A spare segment for every worker that has none, or only one in memory.
void Ledger::supply() {
  for (size_t i = 0; i < writers_.size(); ++i) {
    if (!writers_[i]->wants_spare() && !memory_spares_[i]) continue;
    if (!supply_file(i)) supply_memory(i);
  }
}

bool Ledger::supply_file(size_t worker) {
  if (std::chrono::steady_clock::now() < next_file_) return false;
  auto segment = make_segment(worker);
  if (!segment) {
    complain("the ledger's records stay in memory: no segment can be made", segment.error());
    next_file_ = std::chrono::steady_clock::now() + kFileRetryInterval;
    return false;
  }
  (*segment)->populate(paces_[worker].ahead());
  const std::string name = name_of((*segment)->path());
  // The worker may have begun to write to it just now: then it is not there to be taken.
  if (memory_spares_[worker] && writers_[worker]->take_spare() != nullptr) --memory_segments_;
  memory_spares_[worker] = false;
  const std::lock_guard lock(mutex_);
  readings_.emplace(name, Reading{.mark = {.name = name}, .worker = worker});
  writers_[worker]->give_spare(std::move(*segment));
  return true;
}

void Ledger::supply_memory(size_t worker) {
  if (!writers_[worker]->wants_spare() || memory_segments_ >= kMemorySegmentsMax) return;
  auto memory = Segment::in_memory();
  if (memory == nullptr) return;
  ++memory_segments_;
  memory_spares_[worker] = true;
  writers_[worker]->give_spare(std::move(memory));
}

// A worker that writes to memory goes back to a file as soon as it has one. What it has written till then gets a file
// now: its next call may be far.
void Ledger::rescue_current() {
  const std::lock_guard lock(populating_);
  for (size_t i = 0; i < writers_.size(); ++i) {
    const Segment* const current = writers_[i]->current();
    if (current == nullptr || current->on_disk() || memory_spares_[i] || writers_[i]->wants_spare()) continue;
    writers_[i]->leave(current);
    (void)rescue(*current);
  }
}

// The workers have ended: all they had is full.
void Ledger::collect_rest() {
  const std::lock_guard lock(mutex_);
  for (const auto& writer : writers_) {
    for (auto& segment : writer->take_all()) keep_full(std::move(segment));
  }
}

// Records of the time when the disk was full get a file of their own, no larger than they need. True: there is nothing
// in this one that no file has.
bool Ledger::rescue(const Segment& from) {
  size_t begin = accounting::kSegmentHeadBytes;
  {
    const std::lock_guard lock(mutex_);
    if (const auto rescued = rescued_.find(&from); rescued != rescued_.end()) begin = rescued->second;
  }
  const std::string_view bytes = from.bytes();
  if (bytes.size() <= begin) return true;
  auto file = make_segment(writers_.size(), accounting::kSegmentHeadBytes + bytes.size() - begin);
  if (!file) return false;
  accounting::scan_segment(bytes, begin, [&file](std::string_view payload) { (*file)->append(payload); });
  const std::string name = name_of((*file)->path());
  const std::lock_guard lock(mutex_);
  readings_[name] = Reading{.mark = {.name = name}, .full = std::move(*file)};
  rescued_[&from] = bytes.size();
  return true;
}

void Ledger::rescue_memory() {
  while (true) {
    const Segment* from = nullptr;  // only this thread takes them away
    {
      const std::lock_guard lock(mutex_);
      if (in_memory_.empty()) return;
      from = in_memory_.front().get();
    }
    if (!rescue(*from)) return;
    const std::lock_guard lock(mutex_);
    rescued_.erase(from);
    in_memory_.erase(in_memory_.begin());
    --memory_segments_;
  }
}

uint64_t Ledger::in_memory() {
  if (memory_segments_ == 0) return 0;
  uint64_t records = 0;
  const std::lock_guard lock(mutex_);
  const auto count = [&](const Segment* segment) {
    if (segment == nullptr || segment->on_disk()) return;
    const auto rescued = rescued_.find(segment);
    const size_t begin = rescued == rescued_.end() ? accounting::kSegmentHeadBytes : rescued->second;
    records += accounting::scan_segment(segment->bytes(), begin, [](std::string_view) {}).records;
  };
  for (const auto& segment : in_memory_) count(segment.get());
  // Full ones that were not collected yet are soon: at the end all are.
  for (const auto& writer : writers_) count(writer->current());
  return records;
}

}  // namespace llmgw::control
