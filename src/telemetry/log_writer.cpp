#include "telemetry/log_writer.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <system_error>

namespace llmgw::telemetry {
namespace {

constexpr base::Duration kDestructorLimit = std::chrono::seconds(1);

void add_relaxed(std::atomic<uint64_t>& counter, uint64_t amount) {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

uint64_t count_lines(std::string_view text) {
  return static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

// Signals are for the control thread; SIGPIPE and SIGXFSZ of a log must not end the process.
class BlockSignals {
 public:
  BlockSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;
  ~BlockSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

LogWriter::LogWriter(const LogOptions& options) : options_(options) {
  control_.level.store(options.level, std::memory_order_relaxed);
  control_.slow_request_ns.store(options.slow_request.count(), std::memory_order_relaxed);
  control_.access_log.store(options.access.kind != LogDestination::Kind::none, std::memory_order_relaxed);
}

base::Result<std::unique_ptr<LogWriter>> LogWriter::start(const LogOptions& options) {
  for (const size_t bytes : {options.access_ring_bytes, options.operational_ring_bytes})
    if (!std::has_single_bit(bytes) || bytes < 2 * kLineBytesMax)
      return base::fail(base::ErrorCode::invalid_argument, "log ring size");
  std::unique_ptr<LogWriter> writer(new LogWriter(options));
  TRY_VOID(writer->open());
  const BlockSignals blocked;
  try {
    writer->thread_ = std::thread([raw = writer.get()] { raw->run(); });
  } catch (const std::system_error& error) {
    return base::fail(base::os_error(error.code().value(), "starting the log thread"));
  }
  return writer;
}

base::Result<void> LogWriter::open() {
  TRY_VOID(control_.open());
  outputs_[0] = std::make_unique<Output>(options_.operational);
  if (options_.access != options_.operational) outputs_[1] = std::make_unique<Output>(options_.access);
  for (const auto& output : outputs_)
    if (output) TRY_VOID(output->file.open());
  return {};
}

LogWriter::~LogWriter() {
  stop(kDestructorLimit);
}

Log& LogWriter::add_producer() {
  const std::scoped_lock lock(mutex_);
  producers_.push_back(std::make_unique<Producer>(control_, options_));
  return producers_.back()->log;
}

std::vector<LogWriter::Producer*> LogWriter::producers() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Producer*> list;
  for (const auto& producer : producers_) list.push_back(producer.get());
  return list;
}

void LogWriter::reopen() {
  reopen_wanted_.store(true, std::memory_order_release);
  control_.wake();
}

std::string LogWriter::reopen_problem() const {
  const std::scoped_lock lock(mutex_);
  return reopen_problem_;
}

bool LogWriter::flush(base::Duration limit) {
  if (stopping_.load(std::memory_order_acquire)) return all_empty();
  std::unique_lock lock(mutex_);
  const uint64_t wanted = ++flushes_wanted_;
  control_.wake();
  return flushed_.wait_for(lock, limit, [&] { return flushes_done_ >= wanted; });
}

void LogWriter::stop(base::Duration limit) {
  if (!thread_.joinable()) return;
  stop_by_ns_.store((base::real_now() + limit).time_since_epoch().count(), std::memory_order_relaxed);
  stopping_.store(true, std::memory_order_release);
  control_.wake();
  thread_.join();
}

bool LogWriter::stop_limit_passed() const {
  return base::real_now().time_since_epoch().count() >= stop_by_ns_.load(std::memory_order_relaxed);
}

uint64_t LogWriter::dropped_lines() const {
  uint64_t total = lines_lost_.load(std::memory_order_relaxed);
  for (const Producer* producer : producers()) total += producer->operational.dropped() + producer->access.dropped();
  return total;
}

void LogWriter::add_metrics(Registry& registry) {
  registry.add_collector([this](std::vector<CollectedSample>& samples) {
    samples.push_back({FamilyId::log_lines_dropped, {}, static_cast<double>(dropped_lines())});
    samples.push_back({FamilyId::log_write_errors, {}, static_cast<double>(write_errors())});
  });
}

void LogWriter::run() {
  for (;;) {
    const bool is_stopping = stopping_.load(std::memory_order_acquire);
    uint64_t wanted = 0;
    {
      const std::scoped_lock lock(mutex_);
      wanted = flushes_wanted_;
    }
    if (reopen_wanted_.exchange(false, std::memory_order_acq_rel)) reopen_now();
    const Round round = drain();
    report_drops(is_stopping);
    if (round.is_complete && wanted > flushes_done_) {
      const std::scoped_lock lock(mutex_);
      flushes_done_ = wanted;
      flushed_.notify_all();
    }
    if (is_stopping && (round.is_complete || stop_limit_passed())) return;
    idle_rounds_ = round.wrote || !round.is_complete ? 0 : idle_rounds_ + 1;
    if (!is_stopping) wait(idle_rounds_ >= kIdleRounds);
  }
}

bool LogWriter::all_empty() const {
  return std::ranges::all_of(
      producers(), [](const Producer* producer) { return producer->operational.empty() && producer->access.empty(); });
}

void LogWriter::wait(bool may_sleep) {
  auto interval = kRoundInterval;
  if (may_sleep) {
    control_.asleep.store(true, std::memory_order_seq_cst);
    interval = all_empty() ? kSleepInterval : base::Duration(0);
  }
  pollfd entry{.fd = control_.event_descriptor(), .events = POLLIN, .revents = 0};
  const auto limit_ms = std::chrono::duration_cast<std::chrono::milliseconds>(interval).count();
  poll(&entry, 1, static_cast<int>(limit_ms));
  control_.asleep.store(false, std::memory_order_relaxed);
  if (entry.revents) control_.acknowledge_wake();
}

LogWriter::Round LogWriter::drain() {
  Round round;
  for (const auto& output : outputs_) {
    if (!output) continue;
    output->is_stalled = false;
    if (output->unfinished) round.wrote |= drain_ring(*output->unfinished, *output);
  }
  for (Producer* producer : producers()) {
    round.wrote |= drain_ring(producer->operational, *outputs_[0]);
    round.wrote |= drain_ring(producer->access, access_output());
  }
  for (const auto& output : outputs_)
    if (output && output->is_stalled) round.is_complete = false;
  return round;
}

bool LogWriter::drain_ring(ByteRing& ring, Output& output) {
  if (output.is_stalled || (output.unfinished && output.unfinished != &ring)) return false;
  const auto parts = ring.peek();
  const size_t total = parts[0].size() + parts[1].size();
  if (total == 0) return false;
  if (output.is_torn) {
    if (output.file.write({std::string_view("\n"), {}}).written != 1) {
      // Still failing: give these lines up too, so that memory and time stay bounded.
      add_relaxed(write_errors_, 1);
      add_relaxed(lines_lost_, count_lines(parts[0]) + count_lines(parts[1]));
      ring.consume(total);
      return true;
    }
    output.is_torn = false;
  }
  const LogFile::Outcome outcome = output.file.write(parts);
  const auto byte_at = [&](size_t i) { return i < parts[0].size() ? parts[0][i] : parts[1][i - parts[0].size()]; };
  const bool ends_inside_line = outcome.written > 0 ? byte_at(outcome.written - 1) != '\n' : output.unfinished == &ring;
  if (outcome.error_number) {
    const size_t in_first = std::min(outcome.written, parts[0].size());
    const uint64_t lost =
        count_lines(parts[0].substr(in_first)) + count_lines(parts[1].substr(outcome.written - in_first));
    add_relaxed(write_errors_, 1);
    add_relaxed(lines_lost_, lost);
    ring.consume(total);
    output.unfinished = nullptr;
    output.is_torn = ends_inside_line;
    return true;
  }
  ring.consume(outcome.written);
  output.is_stalled = outcome.written < total;
  output.unfinished = ends_inside_line ? &ring : nullptr;
  return outcome.written > 0;
}

void LogWriter::reopen_now() {
  std::string problem;
  for (const auto& output : outputs_) {
    // A half-written line is finished in the file it began in, if that can be had.
    if (!output) continue;
    if (output->unfinished) drain_ring(*output->unfinished, *output);
    const auto reopened = output->file.reopen();
    if (!reopened) {
      problem = output->file.destination().path + ": " + std::strerror(reopened.error().os_error);
      add_relaxed(write_errors_, 1);
      write_directly(Level::error, "log file not reopened",
                     {{"path", output->file.destination().path}, {"error", reopened.error()}});
    } else if (output->file.destination().kind == LogDestination::Kind::file) {
      output->is_torn = false;
    }
  }
  const std::scoped_lock lock(mutex_);
  reopen_problem_ = std::move(problem);
}

void LogWriter::report_drops(bool is_last) {
  const uint64_t dropped = dropped_lines();
  if (dropped == drops_reported_) return;
  const base::Instant now = base::real_now();
  if (!is_last && now - last_drop_report_ < kDropReportInterval) return;
  write_directly(Level::warn, "log lines dropped", {{"lines", dropped - drops_reported_}, {"lines_total", dropped}});
  drops_reported_ = dropped;
  last_drop_report_ = now;
}

void LogWriter::write_directly(Level level, std::string_view message, std::initializer_list<Field> fields) {
  Output& output = *outputs_[0];
  if (output.unfinished || output.is_torn) return;
  JsonLine line;
  Timestamp timestamp;
  line.text("ts", timestamp.text(base::real_wall_now()));
  line.text("level", to_string(level));
  line.text("msg", message);
  for (const Field& field : fields) field.write(line);
  const std::string_view text = line.finish();
  const LogFile::Outcome outcome = output.file.write({text, {}});
  if (outcome.written != 0 && outcome.written < text.size()) output.is_torn = true;
}

}  // namespace llmgw::telemetry
