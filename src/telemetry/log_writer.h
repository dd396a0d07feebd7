// The one thread that writes logs. It empties every producer's rings into their destinations in large writes.
//
// When it wakes: every kRoundInterval while lines come; when a ring is half full (the producer wakes it); and when
// nothing came for a while it sleeps until the first line's producer wakes it. So a busy worker makes one system call a
// few hundred lines, an idle process next to none, and a line is written within about 25 ms.
//
// start() after any fork (a thread does not survive one). Producers must not log any more when stop() is called, or
// their last lines are lost; what was pushed before it is written. Destroyed after the threads that hold its Logs have
// ended.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "telemetry/log.h"
#include "telemetry/log_file.h"
#include "telemetry/metrics.h"

namespace llmgw::telemetry {

// About 1,300 access lines: 25 ms at 50,000 requests a second on one worker.
inline constexpr size_t kAccessRingBytes = 512 * 1024;
inline constexpr size_t kOperationalRingBytes = 64 * 1024;

struct LogOptions {
  LogDestination access{LogDestination::Kind::standard_output, {}};
  LogDestination operational{LogDestination::Kind::standard_error, {}};  // may be the same as `access`
  Level level = Level::info;
  base::Duration slow_request{0};               // requests that take this long are also logged as slow; 0: none is
  size_t access_ring_bytes = kAccessRingBytes;  // powers of two, at least 2 × kLineBytesMax
  size_t operational_ring_bytes = kOperationalRingBytes;
};

class LogWriter {
 public:
  static constexpr base::Duration kRoundInterval = std::chrono::milliseconds(25);
  static constexpr base::Duration kSleepInterval =
      std::chrono::seconds(1);           // bounds a wake-up lost to a race (log.cpp)
  static constexpr int kIdleRounds = 4;  // before it sleeps
  static constexpr base::Duration kDropReportInterval = std::chrono::seconds(1);

  // Opens the destinations and starts the thread.
  static base::Result<std::unique_ptr<LogWriter>> start(const LogOptions& options);
  // Stops with a limit of one second if stop() was not called.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // A new Log for one thread. It lives as long as the writer. Any thread.
  Log& add_producer();

  // Any thread; they take effect at once.
  void set_level(Level level) { control_.level.store(level, std::memory_order_relaxed); }
  void set_slow_request(base::Duration limit) {
    control_.slow_request_ns.store(limit.count(), std::memory_order_relaxed);
  }
  // After logrotate has moved the files (SIGHUP): opens the paths again. Safe in no signal handler; call it from the
  // loop.
  void reopen();
  // "PATH: reason" where a file could not be opened anew, for the last reopen() that is done; empty where all could.
  std::string reopen_problem() const;
  // Waits until everything pushed before the call is with the operating system. False if the limit passes first.
  bool flush(base::Duration limit);
  // Writes what is left and ends the thread; gives up on a reader that takes nothing when the limit passes.
  void stop(base::Duration limit);

  uint64_t dropped_lines() const;
  uint64_t write_errors() const { return write_errors_.load(std::memory_order_relaxed); }
  // Exposes both. The writer must outlive the registry's last scrape.
  void add_metrics(Registry& registry);

 private:
  struct Producer {
    Producer(LogControl& control, const LogOptions& options)
        : operational(options.operational_ring_bytes),
          access(options.access_ring_bytes),
          log(control, operational, access) {}
    ByteRing operational;
    ByteRing access;
    Log log;
  };
  // A destination in use. Only the thread touches it once it runs.
  struct Output {
    explicit Output(LogDestination destination) : file(std::move(destination)) {}
    LogFile file;
    bool is_stalled = false;         // in this round: nobody waits for its reader twice
    ByteRing* unfinished = nullptr;  // its last line is half written: it must go on first
    bool is_torn = false;            // an error cut a line short: the next begins with a line feed
  };

  explicit LogWriter(const LogOptions& options);
  base::Result<void> open();
  void run();
  // Whether anything was written, and whether everything that was there is gone.
  struct Round {
    bool wrote = false;
    bool is_complete = true;
  };
  Round drain();
  bool drain_ring(ByteRing& ring, Output& output);
  bool all_empty() const;
  void wait(bool may_sleep);
  void reopen_now();
  void report_drops(bool is_last);
  void write_directly(Level level, std::string_view message, std::initializer_list<Field> fields);
  bool stop_limit_passed() const;
  std::vector<Producer*> producers() const;
  Output& access_output() { return outputs_[1] ? *outputs_[1] : *outputs_[0]; }

  const LogOptions options_;
  LogControl control_;
  std::array<std::unique_ptr<Output>, 2> outputs_;  // operational, access if it is another
  mutable std::mutex mutex_;                        // guards producers_, flushes, reopen_problem_
  std::condition_variable flushed_;
  std::vector<std::unique_ptr<Producer>> producers_;
  uint64_t flushes_wanted_ = 0;
  uint64_t flushes_done_ = 0;
  std::string reopen_problem_;

  std::atomic<bool> reopen_wanted_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> stop_by_ns_{INT64_MAX};  // of the monotonic clock
  std::atomic<uint64_t> write_errors_{0};
  std::atomic<uint64_t> lines_lost_{0};  // to write errors; the thread writes it
  uint64_t drops_reported_ = 0;
  base::Instant last_drop_report_{};
  int idle_rounds_ = 0;
  std::thread thread_;
};

}  // namespace llmgw::telemetry
