// The thread that all work with the object store happens on: it keeps a connection to the database, loads everything
// whenever the revision changed, saves what it loaded, and runs jobs. The database may be away at any time, also at the
// start: then the last saved objects are loaded, once, and connecting is tried again and again. So it is while the
// store is emptied, or another one is in its place (known_store.h): nothing is made there, and nothing taken.
//
//   const auto answer = co_await thread.call(loop, wait, [=](ObjectStore* store) { ... });   // store: null while away
//
// call(), post() and poke() may be called from any thread, call()'s result awaited on its loop's only. The callbacks of
// Settings run on this thread. It must die before the loops that it answers to; dying, it finishes what it was told.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "base/time.h"
#include "net/loop.h"
#include "store/objects/known_store.h"
#include "store/objects/object_store.h"
#include "store/store_call.h"

namespace llmgw::store {

class ObjectThread {
 public:
  static constexpr size_t kQueueMax = 1024;  // jobs that wait; a database that cannot follow must not make memory grow
  // How long a change may go unnoticed where the database announces none. A look costs one tiny query.
  static constexpr base::Duration kPollInterval = std::chrono::milliseconds(250);
  static constexpr base::Duration kRetryInterval = std::chrono::seconds(1);
  // What was loaded and cannot be used, for want of a key that opens it, is loaded again after so long, each time after
  // twice as long.
  static constexpr base::Duration kUnusableRetryMin = std::chrono::seconds(1);
  static constexpr base::Duration kUnusableRetryMax = std::chrono::minutes(1);
  // Loading is at most so much of this thread's time, when objects are many and change all the time: 1 in 3.
  static constexpr int kRestFactor = 2;
  // What is said to the database at the end must not keep the process, nor take the time of those that have more to
  // save: not where a look took longer.
  static constexpr base::Duration kLeaveLimit = std::chrono::milliseconds(500);

  struct Loaded {
    ObjectStore::Everything everything;
    bool from_saved = false;  // the database is away
  };
  enum class Trouble : uint8_t {
    none,
    away,       // the database does not answer
    refused,    // it was emptied, or another one is in its place
    read_only,  // it is read, and takes no changes
  };
  struct Settings {
    // KnownStore::Settings.
    std::function<base::Result<std::unique_ptr<SqlSession>>(Making making)> connect;
    // What must be in a store before anything else is; after every connect.
    std::function<base::Result<void>(ObjectStore&)> prepare = [](ObjectStore&) { return base::Result<void>(); };
    std::string saved_path;  // empty: nothing is saved
    std::string place = {};
    // After every connect, and then every kGatewayBeat, when nobody waits for anything else.
    std::function<void(ObjectStore&)> beat = [](ObjectStore&) {};
    // When the thread ends, unless the database has trouble: for kLeaveLimit at most.
    std::function<void(ObjectStore&)> leave = [](ObjectStore&) {};
    // Something else than before was loaded. False: it cannot be used, and is offered again.
    std::function<bool(Loaded loaded)> on_loaded;
    // The state of the database is another, and why (what was saved has been loaded by then).
    std::function<void(Trouble trouble, const base::Error& why)> on_state = [](Trouble, const base::Error&) {};
  };

  explicit ObjectThread(Settings settings);
  ObjectThread(const ObjectThread&) = delete;
  ObjectThread& operator=(const ObjectThread&) = delete;
  ~ObjectThread();

  // Ends the thread once it has done what it was told. From then on nothing is taken any more.
  void stop();

  // What a job changed is loaded before the next one runs. For what nobody waits for. False if the queue is full. The
  // job runs also when the store is away: with null.
  bool post(std::move_only_function<void(ObjectStore*)> job);
  // Looks for changes now; then runs `done` on this thread.
  void poke(std::move_only_function<void()> done);
  // A store that is refused is taken as it is: emptied, or another one.
  void take_what_is_there();

  // `job` must own what it needs.
  template <class Job>
  auto call(net::Loop& loop, const net::Wait& wait, Job job) {
    return call_store<ObjectStore*>(
        loop, wait, std::move(job), [this](auto work) { return post(std::move(work)); }, "the object store's queue");
  }

 private:
  using Clock = std::chrono::steady_clock;
  void run();
  void connect();
  void look();
  void beat();
  void leave();
  // Opens the database anew where another has taken its place.
  void follow_database();
  // Whether a session that is opened now may write where this one may not.
  void look_for_writing();
  void lose(const base::Error& error);
  void say(Trouble trouble, const base::Error& why);
  bool offer(Loaded loaded);
  bool wants_another_try() const { return unusable_for_ != base::Duration{0} && Clock::now() >= next_try_; }
  void wait(std::unique_lock<std::mutex>& lock);
  void notify();

  const Settings settings_;
  const int wake_;    // an eventfd: something was posted while the thread listens to the database
  KnownStore known_;  // of the thread, as all up to the mutex
  std::optional<ObjectStore> store_;
  int64_t revision_ = -1;
  bool loaded_any_ = false;
  Trouble said_ = Trouble::none;
  base::Duration unusable_for_{0};  // what was loaded last is offered again after so long; 0: it is in use
  base::Duration answered_in_{0};   // how long the database took to tell its revision, the last time
  Clock::time_point next_try_{};
  Clock::time_point next_look_{};
  Clock::time_point next_beat_{};
  Clock::time_point next_connect_{};  // while there is a store that takes no changes: next look_for_writing()

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::move_only_function<void(ObjectStore*)>> jobs_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace llmgw::store
