#include "control/ledger/ledger.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/saturating.h"

namespace llmgw::control {
namespace {

using accounting::Segment;
using base::Error;
using base::ErrorCode;
using base::Result;

namespace fs = std::filesystem;

// Often enough that no worker runs out of its spare segment: ten thousand calls in this time.
constexpr base::Duration kSupplyInterval = std::chrono::milliseconds(100);
// Files of other processes, old files.
constexpr int kRoundsBetweenRescans = 10;
// Distinct sums of one transaction; more wait for the next.
constexpr size_t kSumsMax = 20'000;
constexpr std::string_view kSuffix = ".seg";
constexpr std::string_view kMarksUnknown =
    "the ledger's database does not say what it has; records wait in their files";

// Its work comes in pieces of some milliseconds; a request that comes meanwhile must not wait for the end of one.
// Enough is left for the ledger when the workers take all they can get: a tenth of what one of them gets.
constexpr int kThreadNice = 10;

void begin_thread(const char* name) {
  pthread_setname_np(pthread_self(), name);
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kThreadNice);  // of this thread alone, in Linux
}

Error error_of(const std::error_code& code, const char* context) {
  return base::os_error(code.value(), context);
}

}  // namespace

std::string ledger_directory(const std::string& data_dir) {
  return data_dir + "/ledger";
}

std::string ledger_database(const std::string& data_dir) {
  return data_dir + "/ledger.sqlite";
}

std::vector<std::string> ledger_segments(const std::string& data_dir) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(ledger_directory(data_dir), error)) {
    if (entry.path().extension() == kSuffix) paths.push_back(entry.path());
  }
  // Names begin with the time, in as many digits for the next 260 years.
  std::ranges::sort(paths);
  return paths;
}

Ledger::Ledger(LedgerOptions options)
    : options_(std::move(options)), retention_(options_.retention.count()), bytes_max_(options_.bytes_max) {}

Result<std::unique_ptr<Ledger>> Ledger::start(LedgerOptions options) {
  std::error_code error;
  fs::create_directories(ledger_directory(options.directory), error);
  if (error) return base::fail(error_of(error, "making the ledger's directory"));
  std::unique_ptr<Ledger> ledger(new Ledger(std::move(options)));
  ledger->id_ = find_id(ledger->options_.directory);
  for (size_t i = 0; i < ledger->options_.workers; ++i) {
    ledger->writers_.push_back(std::make_unique<accounting::LedgerWriter>());
  }
  ledger->paces_.resize(ledger->options_.workers);
  ledger->memory_spares_.resize(ledger->options_.workers);
  ledger->supply();
  Ledger* const raw = ledger.get();
  raw->supplier_ = std::thread([raw] { raw->run_supplier(); });
  raw->summer_ = std::thread([raw] { raw->run_summer(); });
  raw->syncer_ = std::thread([raw] { raw->run_syncer(); });
  return ledger;
}

Ledger::~Ledger() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread* const each : {&supplier_, &summer_, &syncer_}) {
    if (each->joinable()) each->join();
  }
  workers_ended();
  collect_rest();
  rescue_memory();
  for (const auto& [name, reading] : readings_) {
    if (reading.full != nullptr) tidy_left(name, reading.full->written());
  }
  if (const uint64_t lost = in_memory(); lost > 0) {
    complain(std::to_string(lost) + " records of the ledger are lost with the memory they were in",
             {ErrorCode::io, "disk"});
  }
}

void Ledger::complain(std::string_view message, const Error& error) {
  // Once for each kind of trouble: this comes by every tenth of a second.
  const std::lock_guard lock(mutex_);
  std::string text = std::string(message) + std::string(base::to_string(error.code)) + std::to_string(error.os_error);
  if (text == last_complaint_) return;
  last_complaint_ = std::move(text);
  if (options_.report) options_.report(message, error);
}

Result<std::unique_ptr<Segment>> Ledger::make_segment(size_t worker, size_t bytes) {
  const int64_t now = base::real_wall_now().time_since_epoch().count();
  const std::string path = ledger_directory(options_.directory) + "/" + std::to_string(now) + "-" +
                           std::to_string(id_) + "-" + std::to_string(worker) + std::string(kSuffix);
  return Segment::create(path, now, bytes);
}

// For the next round twice what the last one took.
void Ledger::populate() {
  const std::lock_guard lock(populating_);
  for (size_t i = 0; i < writers_.size(); ++i) {
    Segment* const segment = writers_[i]->current();
    if (segment == nullptr) continue;
    const size_t written = segment->written();
    // Of a new segment as much as of the last, until it is known better.
    Pace& pace = paces_[i];
    pace.added = written >= pace.written ? written - pace.written : std::max(pace.added, written);
    pace.written = written;
    segment->populate(pace.ahead());
  }
}

// Two threads come for them; each writer hands them out to one at a time.
void Ledger::collect_full() {
  const std::lock_guard lock(mutex_);
  for (const auto& writer : writers_) {
    for (auto& segment : writer->take_full()) keep_full(std::move(segment));
  }
}

void Ledger::keep_full(std::unique_ptr<Segment> segment) {
  if (!segment->on_disk()) return in_memory_.push_back(std::move(segment));
  Reading& reading = readings_[name_of(segment->path())];
  reading.full = std::move(segment);
}

bool Ledger::is_being_read(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return readings_.contains(name);
}

// Files that no living process writes and that are not yet summed up, or not any more: where an older copy of the
// database was put back. False: the database does not say so of all of them.
bool Ledger::adopt_left_files() {
  for (const std::string& path : ledger_segments(options_.directory)) {
    const std::string name = name_of(path);
    if (is_being_read(name)) continue;
    const auto file = accounting::read_segment(path);
    if (!file || file->live) continue;
    auto mark = store_->mark(name);
    if (!mark) {
      leave_store(kMarksUnknown, mark.error());
      return false;
    }
    SegmentMark from = *mark ? **mark : SegmentMark{.name = name};
    const auto rest = accounting::scan_segment(file->bytes, static_cast<size_t>(from.offset), [](std::string_view) {});
    if (!rest.valid) continue;
    if (rest.torn && !*mark) complain("a segment of the ledger has a torn end, " + name, {ErrorCode::io, "power cut"});
    if (rest.records == 0) tidy_left(name, rest.end);
    if (rest.records == 0) continue;
    const std::lock_guard lock(mutex_);
    readings_.emplace(name, Reading{.mark = std::move(from)});
  }
  return true;
}

// A file that nobody will write again: without its unused or torn end, and without records not at all.
void Ledger::tidy_left(const std::string& name, size_t end) {
  const std::string path = ledger_directory(options_.directory) + "/" + name;
  if (end <= accounting::kSegmentHeadBytes) {
    unlink(path.c_str());
  } else if (truncate(path.c_str(), static_cast<off_t>(end)) != 0) {
    complain("a segment of the ledger cannot be shortened", base::os_error(errno, "shortening a segment"));
  }
}

bool Ledger::open_store() {
  if (store_ != nullptr && !store_->broken()) return true;
  store_.reset();
  auto session = options_.open_database();
  if (!session) {
    complain("the ledger's database cannot be opened; records wait in their files", session.error());
    return false;
  }
  auto store = LedgerStore::open(std::move(*session));
  if (!store) {
    complain("the ledger's database cannot be used; records wait in their files", store.error());
    return false;
  }
  store_ = std::make_unique<LedgerStore>(std::move(*store));
  unsure_ = true;
  return true;
}

// The next step opens the database anew: its tables may be gone, or others.
void Ledger::leave_store(std::string_view message, const Error& error) {
  if (error.context != kMarksDiffer) complain(message, error);
  store_.reset();
}

const Segment* Ledger::segment_of(const Reading& reading) const {
  if (reading.full != nullptr) return reading.full.get();
  if (reading.worker == SIZE_MAX) return nullptr;
  const Segment* const current = writers_[reading.worker]->current();
  // A spare has nothing to read yet.
  return current != nullptr && name_of(current->path()) == reading.mark.name ? current : nullptr;
}

std::vector<Ledger::Work> Ledger::work_at_hand() {
  const std::lock_guard lock(mutex_);
  std::vector<Work> work;
  for (const auto& [name, reading] : readings_) {
    const Segment* const segment = segment_of(reading);
    const bool left = segment == nullptr && reading.worker == SIZE_MAX;
    if (segment == nullptr && !left) continue;
    work.push_back({.mark = reading.mark, .segment = segment, .last = left || reading.full != nullptr});
  }
  return work;
}

// Sums up what is new in a segment and moves its mark on. False: it is done with.
bool Ledger::take(Work& work, Rollup& rollup, std::vector<MarkMove>& moves) {
  SegmentMark& mark = work.mark;
  const int64_t from = mark.offset;
  accounting::SegmentFile file;
  std::string_view bytes;
  if (work.segment != nullptr) {
    bytes = work.segment->bytes();
  } else if (auto read = accounting::read_segment(ledger_directory(options_.directory) + "/" + mark.name)) {
    file = std::move(*read);
    bytes = file.bytes;
  }
  const auto scan = accounting::scan_segment(bytes, static_cast<size_t>(mark.offset), [&](std::string_view payload) {
    const auto record = accounting::decode(payload);
    if (!record) return;
    rollup.add(*record);
    ++mark.records;
    mark.nano_dollars = base::add_saturating(mark.nano_dollars, record->nano_dollars);
  });
  mark.offset = static_cast<int64_t>(scan.end);
  if (scan.records > 0) moves.push_back({.from = from, .to = mark});
  return !work.last;
}

// After a failed transaction nobody knows whether the database has it; and it may have gone back to an older copy. What
// is behind the marks that it has now is read once more.
bool Ledger::ask_marks() {
  std::map<std::string, SegmentMark> marks;
  std::vector<std::string> names;
  for (const Work& work : work_at_hand()) {
    names.push_back(work.mark.name);
    marks[work.mark.name].name = work.mark.name;
  }
  auto known = store_->marks(names);
  if (!known) {
    leave_store(kMarksUnknown, known.error());
    return false;
  }
  for (SegmentMark& mark : *known) marks[mark.name] = std::move(mark);
  bool behind = false;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [name, mark] : marks) {
      SegmentMark& believed = readings_[name].mark;
      behind = behind || mark.offset < believed.offset;
      believed = std::move(mark);
    }
  }
  if (behind) {
    complain("the ledger's database has gone back to an older copy; what that lacks is summed up again from the files",
             {ErrorCode::not_found, "records that were in its sums"});
    // It remembers what it has written; and other files' records may be lacking, too.
    store_.reset();
    if (!open_store() || !adopt_left_files()) return false;
  }
  unsure_ = false;
  return true;
}

// True: there is nothing left to be summed up.
bool Ledger::sum_up(Which which) {
  if (!open_store() || (unsure_ && !ask_marks())) return false;
  Rollup rollup;
  std::vector<MarkMove> moves;
  std::vector<SegmentMark> finished;
  bool complete = true;
  for (Work& work : work_at_hand()) {
    if (rollup.sums().size() + rollup.end_users().size() + rollup.batches().size() > kSumsMax) {
      complete = false;
      break;
    }
    if (which == Which::left && work.segment != nullptr) continue;
    if (!take(work, rollup, moves)) finished.push_back(work.mark);
  }
  if (!moves.empty()) {
    auto added = store_->add(rollup, moves);
    if (!added) {
      leave_store("the ledger's database does not take records; they wait in their files", added.error());
      return false;
    }
    // What was left is among what budgets are told that they have spent.
    if (which == Which::all) charge_budgets(*added);
  }
  {
    const std::scoped_lock lock(populating_, mutex_);
    if (!moves.empty()) last_complaint_.clear();
    for (const MarkMove& move : moves) readings_[move.to.name].mark = move.to;
    for (const SegmentMark& mark : finished) readings_.erase(mark.name);
  }
  for (const SegmentMark& mark : finished) tidy_left(mark.name, static_cast<size_t>(mark.offset));
  return complete;
}

void Ledger::count_waiting() {
  const std::lock_guard lock(mutex_);
  uint64_t waiting = 0;
  for (const auto& [name, reading] : readings_) {
    const Segment* const segment = segment_of(reading);
    if (segment == nullptr) continue;
    waiting += segment->written() - std::max(static_cast<size_t>(reading.mark.offset), accounting::kSegmentHeadBytes);
  }
  for (const auto& segment : in_memory_) waiting += segment->written() - accounting::kSegmentHeadBytes;
  for (const auto& writer : writers_) {
    const Segment* const current = writer->current();
    if (current != nullptr && !current->on_disk()) waiting += current->written() - accounting::kSegmentHeadBytes;
  }
  waiting_bytes_.store(waiting, std::memory_order_relaxed);
}

// Under descriptors of its own: a segment may be done with while the disk takes its time.
void Ledger::sync() {
  struct Part {
    std::string name;
    int fd;
    size_t from, to;
  };
  std::vector<Part> parts;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, reading] : readings_) {
      const Segment* const segment = segment_of(reading);
      if (segment == nullptr || !segment->on_disk() || segment->written() == reading.synced) continue;
      parts.push_back({name, segment->duplicate_descriptor(), reading.synced, segment->written()});
    }
  }
  for (const Part& part : parts) {
    if (part.fd < 0) continue;
    const auto synced = accounting::sync_segment(part.fd, part.from, part.to);
    close(part.fd);
    if (!synced) {
      complain("the ledger is not on disk", synced.error());
      continue;
    }
    const std::lock_guard lock(mutex_);
    if (const auto reading = readings_.find(part.name); reading != readings_.end()) reading->second.synced = part.to;
  }
}

void Ledger::drop_old() {
  const auto paths = ledger_segments(options_.directory);
  uint64_t bytes = paths.size() * accounting::kSegmentBytes;
  const int64_t oldest = base::real_wall_now().time_since_epoch().count() - retention_.load(std::memory_order_relaxed);
  for (const std::string& path : paths) {
    const std::string name = name_of(path);
    struct stat status{};
    if (stat(path.c_str(), &status) != 0) continue;
    const bool expired = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec < oldest;
    if (!expired && bytes <= bytes_max_.load(std::memory_order_relaxed)) continue;
    // Not before it is in the sums, and not under a process that writes it.
    const auto file = accounting::read_segment(path);
    if (is_being_read(name) || !file || file->live) continue;
    if (unlink(path.c_str()) != 0) continue;
    bytes -= accounting::kSegmentBytes;
    to_forget_.push_back(name);
  }
  // Before its file goes it must not be forgotten: it would be summed up again.
  std::erase_if(to_forget_, [this](const auto& name) { return store_->forget(name).has_value(); });
}

// False when it is time to end.
bool Ledger::wait(base::Duration time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [&] { return stopping_; });
  return !stopping_;
}

void Ledger::run_supplier() {
  begin_thread("ledger");
  do {
    collect_full();
    if (workers_ended_.load(std::memory_order_acquire)) {
      collect_rest();
    } else {
      supply();
      populate();
      rescue_current();
    }
    rescue_memory();
  } while (wait(kSupplyInterval));
}

void Ledger::run_syncer() {
  begin_thread("ledger-sync");
  do {
    sync();
  } while (wait(options_.interval));
}

void Ledger::run_summer() {
  begin_thread("ledger-sums");
  for (int rounds = 1;; ++rounds) {
    bool stopping = false;
    uint64_t wanted = 0;
    bool flushes = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, options_.interval, [&] {
        const bool asked = (to_restore_ != nullptr && !restoring_late_) || to_change_ != nullptr;
        return stopping_ || flushes_wanted_ != flushes_done_ || asked;
      });
      stopping = stopping_;
      wanted = flushes_wanted_;
      flushes = wanted != flushes_done_;
    }
    if (rounds % kRoundsBetweenRescans == 1) {
      // What an older copy that was put back does not have may be in any file.
      if (open_store() && adopt_left_files()) drop_old();
      unsure_ = true;
    }
    collect_full();
    // What is in memory alone is summed up once it has a file.
    const bool flushed = flushes && in_memory() == 0;
    const bool complete = restore() && sum_up() && go_over_to_new_periods();
    count_waiting();
    {
      const std::lock_guard lock(mutex_);
      if (complete && flushed) flushes_done_ = wanted;
    }
    changed_.notify_all();
    if (stopping) return;
    // Who waits for a database that is gone must not make this a busy loop.
    if (!complete) wait(kSupplyInterval);
  }
}

bool Ledger::flush(base::Duration limit) {
  std::unique_lock lock(mutex_);
  const uint64_t mine = ++flushes_wanted_;
  changed_.notify_all();
  return changed_.wait_for(lock, limit, [&] { return flushes_done_ >= mine; });
}

void Ledger::set_limits(base::Duration retention, uint64_t bytes_max) {
  retention_.store(retention.count(), std::memory_order_relaxed);
  bytes_max_.store(bytes_max, std::memory_order_relaxed);
}

uint64_t Ledger::appended() const {
  uint64_t sum = 0;
  for (const auto& writer : writers_) sum += writer->appended();
  return sum;
}

uint64_t Ledger::lost() const {
  uint64_t sum = 0;
  for (const auto& writer : writers_) sum += writer->lost();
  return sum;
}

}  // namespace llmgw::control
