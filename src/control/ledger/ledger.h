// The ledger of a process: hands workers the segments they write records to, sums the records up in a database, and
// keeps the files as long as they are wanted. Threads of its own do all that waits for a disk or a database, and a
// request never does: one makes segments, one sums up, one syncs, so that none is late because another waits. Without a
// database records stay in their files until it is back; without room on the disk they stay in memory, as far as
// kMemorySegmentsMax goes, until there is: then they go to files of their own, and workers back to files.
//
//   data_dir/ledger/<made, ns>-<id>-<worker>.seg       records, in the order of a worker's calls
//   data_dir/ledger/id                                 that of the directory: a database may have several gateways'
//   sums data_dir/ledger.sqlite                             sums, and how far each segment is in them; or the same
//   tables in
//                                                      the PostgreSQL of several gateways (control/databases.h)
//
// A segment that a dead process left is read to its last whole record and summed up like any other.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "accounting/ledger_writer.h"
#include "base/time.h"
#include "control/ledger/ledger_store.h"
#include "control/snapshot.h"

namespace llmgw::control {

struct LedgerOptions {
  std::string directory;  // data_dir
  size_t workers = 1;
  base::Duration retention = std::chrono::hours(24 * 90);
  uint64_t bytes_max = 10ull << 30;
  // Opens the database; called again after a failure.
  std::function<base::Result<std::unique_ptr<store::SqlSession>>()> open_database;
  // For the operator; any thread.
  std::function<void(std::string_view message, const base::Error& error)> report = {};
  // Seconds since 1970.
  std::function<int64_t()> wall = [] { return base::real_wall_now().time_since_epoch() / std::chrono::seconds(1); };
  // How often records are summed up and synced.
  base::Duration interval = std::chrono::seconds(1);
};

// Where the ledger's files are below data_dir.
std::string ledger_directory(const std::string& data_dir);
std::string ledger_database(const std::string& data_dir);
// All segments, oldest first: full paths.
std::vector<std::string> ledger_segments(const std::string& data_dir);
// The id in the names of its segments; 0: it has none yet.
uint64_t ledger_id(const std::string& data_dir);

class Ledger {
 public:
  static constexpr size_t kMemorySegmentsMax = 32;  // 128 MiB: some 300,000 calls

  // Makes the directory and each worker's first segment. The thread starts at once.
  static base::Result<std::unique_ptr<Ledger>> start(LedgerOptions options);
  // After the workers: what they wrote is summed up, if the database answers.
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  accounting::LedgerWriter& writer(size_t worker) { return *writers_[worker]; }
  // What the budgets of a snapshot have paid in their periods goes into their meters. Before the workers start. Where
  // the database is away, or takes longer than `limit`, it returns, and the meters get it when the database answers.
  void restore_budgets(std::shared_ptr<const Snapshot> snapshot, base::Duration limit = std::chrono::seconds(10));
  // Budgets of the snapshot whose meters are in a period by another rule go over to the one at hand by theirs, and have
  // paid in it what the ledger knows. Does not wait. Where the database is away the old periods go on until it is back.
  void change_periods(std::shared_ptr<const Snapshot> snapshot);
  void set_limits(base::Duration retention, uint64_t bytes_max);
  // Waits until everything appended before the call is summed up; false if that takes longer.
  bool flush(base::Duration limit);

  // No worker writes any more: what is in memory alone gets files that are no larger than it needs.
  void workers_ended() { workers_ended_.store(true, std::memory_order_release); }
  // Records that are in memory alone. Any thread.
  uint64_t in_memory();

  // Any thread.
  uint64_t appended() const;
  uint64_t lost() const;
  uint64_t waiting_bytes() const { return waiting_bytes_.load(std::memory_order_relaxed); }

 private:
  struct Reading {
    SegmentMark mark;
    std::unique_ptr<accounting::Segment> full = nullptr;  // of this process, and full; or else
    size_t worker = SIZE_MAX;                             // being filled by that worker, or else a file that was left
    size_t synced = 0;                                    // bytes the disk has
  };

  // How fast a worker's segment fills up: at the last look of the supplying thread, and since the one before.
  struct Pace {
    size_t written = 0;
    size_t added = 0;
    size_t ahead() const { return std::max(accounting::kPopulatedBytes, 2 * added); }
  };

  // One step of the summing thread, with its segment if this process has it.
  struct Work {
    SegmentMark mark;                    // moves on with what is read; the database has it as it was before
    const accounting::Segment* segment;  // null: a file that was left
    bool last;                           // nothing will be added to it
  };

  explicit Ledger(LedgerOptions options);
  static uint64_t find_id(const std::string& data_dir);
  // The supplying thread.
  void run_supplier();
  void supply();
  bool supply_file(size_t worker);
  void supply_memory(size_t worker);
  void populate();
  void collect_rest();
  void rescue_memory();
  void rescue_current();
  bool rescue(const accounting::Segment& from);
  void collect_full();
  // With the mutex held.
  void keep_full(std::unique_ptr<accounting::Segment> segment);
  // What a segment is called in the sums: its file's name.
  static std::string name_of(const std::string& path) { return std::filesystem::path(path).filename(); }
  base::Result<std::unique_ptr<accounting::Segment>> make_segment(size_t worker,
                                                                  size_t bytes = accounting::kSegmentBytes);
  // The summing thread.
  bool restore();
  base::Result<void> restore_from(const Snapshot& snapshot);
  struct Spent {
    const Scope* scope;
    int64_t nano_dollars;
  };
  base::Result<std::vector<Spent>> spent_at_hand(const std::vector<const Scope*>& scopes, int64_t wall);
  std::map<std::pair<uint64_t, int64_t>, int64_t> charged_since_sum();
  bool go_over_to_new_periods();
  void give_up_restoring();
  void run_summer();
  bool ask_marks();
  enum class Which : uint8_t { all, left };
  bool sum_up(Which which = Which::all);
  bool take(Work& work, Rollup& rollup, std::vector<MarkMove>& moves);
  void charge_budgets(const std::vector<RollupPart>& batches);
  std::vector<Work> work_at_hand();
  bool open_store();
  void leave_store(std::string_view message, const base::Error& error);
  bool adopt_left_files();
  bool is_being_read(const std::string& name);
  void tidy_left(const std::string& name, size_t end);
  void drop_old();
  void count_waiting();
  // The syncing thread.
  void run_syncer();
  void sync();

  const accounting::Segment* segment_of(const Reading& reading) const;
  void complain(std::string_view message, const base::Error& error);
  bool wait(base::Duration time);

  LedgerOptions options_;
  uint64_t id_ = 0;  // of the directory
  std::vector<std::unique_ptr<accounting::LedgerWriter>> writers_;
  std::unique_ptr<LedgerStore> store_;  // the summing thread's, like the next
  bool unsure_ = false;                 // the database is asked for its marks before anything is added to it
  std::vector<std::string> to_forget_;  // the database still has marks of them
  std::atomic<uint64_t> waiting_bytes_ = 0;
  std::atomic<int64_t> retention_;
  std::atomic<uint64_t> bytes_max_;

  // Held while a segment's file is taken in, which may wait for the disk, and to take a segment away. Before mutex_.
  std::mutex populating_;
  std::vector<Pace> paces_;                            // by worker; the supplying thread's, like the next
  std::vector<bool> memory_spares_;                    // by worker: its spare, if it has one, is memory
  std::chrono::steady_clock::time_point next_file_{};  // no sooner: there was no room for one
  std::atomic<bool> workers_ended_ = false;

  // Guards what the threads share; held only for steps that do not wait.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Reading> readings_;                      // by file name; only the summing thread takes away
  std::vector<std::unique_ptr<accounting::Segment>> in_memory_;  // full, waiting for room on the disk
  std::map<const accounting::Segment*, size_t> rescued_;         // of segments in memory: up to there a file has it
  std::atomic<size_t> memory_segments_ = 0;
  std::string last_complaint_;
  bool stopping_ = false;
  std::shared_ptr<const Snapshot> to_restore_;  // null: nothing, or it is done
  bool restoring_late_ = false;                 // calls are made already
  std::shared_ptr<const Snapshot> newest_;      // whose budgets batches are charged to
  std::shared_ptr<const Snapshot> to_change_;   // whose periods are to be looked at; null: none
  uint64_t flushes_wanted_ = 0;
  uint64_t flushes_done_ = 0;
  std::thread supplier_;
  std::thread summer_;
  std::thread syncer_;
};

}  // namespace llmgw::control
