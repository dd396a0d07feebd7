// Responses for workers: a thread of its own does what waits for the disk, and a coroutine waits for its answer without
// holding its loop up.
//
//   const auto state = co_await store.call(loop, wait, [=](Responses& r) { return r.get(owner, id, now); });
//
// Calls are carried out one after the other in the order in which they were made, from whatever worker: what was saved
// by one is there for the next, also where nobody waited for the saving. call() and post() may be called from any
// thread, call()'s result awaited on its loop's only. A call whose waiter gave up is carried out all the same.
// The store must die before the loops that it answers to; dying, it finishes what it was told.
//
// The database is connected to when the first call comes, and again whenever it was lost: while it is away calls fail
// at once with `refused`, and one that is made while it does not answer takes the session's time limit.
//
// What save() is given is not lost with the database: it goes to a spool (spool/responses_spool.h) first, on a thread
// that no database holds up, and from there to the database, now or when that is back, also after another start, and
// never twice. Only where the spool's disk is full, too, it waits in memory.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "net/loop.h"
#include "store/responses.h"
#include "store/spool/responses_spool.h"
#include "store/spool/spooled_save.h"
#include "store/store_call.h"

namespace llmgw::store {

class ResponsesStore {
 public:
  // Calls that wait; a disk that cannot follow must not make memory grow.
  static constexpr size_t kQueueMax = 1024;
  // How often a store that has nothing to do looks for what is to be forgotten.
  static constexpr std::chrono::seconds kSweepInterval{60};

  // How long after a failure the next call tries to connect again; those before it fail at once.
  static constexpr std::chrono::seconds kRetryInterval{1};
  // What may wait in memory where neither database nor spool have room: a minute's worth of large answers.
  static constexpr size_t kWaitingBytesMax = size_t{64} << 20;
  static constexpr size_t kWaitingMax = 10'000;

  struct Settings {
    std::function<base::Result<std::unique_ptr<SqlSession>>()> connect;
    ResponsesLimits limits = {};
    std::string spool_directory = {};  // empty: no spool
    // Seconds since 1970, for sweeping.
    std::function<int64_t()> clock = [] {
      return std::chrono::duration_cast<std::chrono::seconds>(base::real_wall_now().time_since_epoch()).count();
    };
  };

  explicit ResponsesStore(Settings settings);
  ResponsesStore(const ResponsesStore&) = delete;
  ResponsesStore& operator=(const ResponsesStore&) = delete;
  ~ResponsesStore();

  // `job` runs on the store's thread and must own what it needs.
  template <class Job>
  auto call(net::Loop& loop, const net::Wait& wait, Job job) {
    using Result = std::invoke_result_t<Job&, Responses&>;
    auto guarded = [job = std::move(job)](Responses* responses) mutable -> Result {
      if (responses == nullptr) return base::fail(base::ErrorCode::refused, "the database of responses is away");
      return job(*responses);
    };
    return call_store<Responses*>(
        loop, wait, std::move(guarded), [this](auto work) { return post(std::move(work)); }, "the store's queue");
  }

  // true: it is saved; false: it will be. already_exists, not_found, too_large: it cannot be; refused: the database is
  // away, and there is no room to wait for it. Calls that are made when it has returned come after it.
  auto save(net::Loop& loop, const net::Wait& wait, SpooledSave what) {
    return call_store<base::Result<bool>>(
        loop, wait, [](base::Result<bool> result) { return result; },
        [this, &what](auto done) { return post_save(std::move(what), std::move(done)); }, "the store's queue");
  }
  bool post_save(SpooledSave what, std::move_only_function<void(base::Result<bool>)> done);

  // For what nobody waits for; null while the database is away. False if the queue is full.
  bool post(std::move_only_function<void(Responses*)> job);

 private:
  using Clock = std::chrono::steady_clock;
  struct Incoming {
    SpooledSave what;
    std::move_only_function<void(base::Result<bool>)> done;
  };
  // Of those that wait: what is not in the spool.
  struct Waiting {
    std::optional<SpooledSave> in_memory;
    size_t bytes = 0;
  };

  void run_spooler();
  void run();
  void pass_on(Incoming incoming, bool spooled);
  base::Result<bool> try_save(Responses* responses, std::optional<SpooledSave> what, bool spooled);
  void save_what_waits(Responses* responses);
  void replay_left(Responses* responses);
  void spool_what_waits();
  Responses* connected();

  const Settings settings_;
  ResponsesSpool spool_;
  // The database's thread's, down to `left_`.
  std::optional<Responses> responses_;
  Clock::time_point next_connect_{};
  std::deque<Waiting> waiting_;
  size_t waiting_bytes_ = 0;
  Clock::time_point next_try_{};
  std::vector<std::string> left_;  // files of processes that have ended
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::move_only_function<void(Responses*)>> jobs_;
  bool stopped_ = false;
  std::mutex incoming_mutex_;
  std::condition_variable incoming_changed_;
  std::deque<Incoming> incoming_;
  bool no_more_ = false;
  std::thread spooler_;
  std::thread thread_;
};

}  // namespace llmgw::store
