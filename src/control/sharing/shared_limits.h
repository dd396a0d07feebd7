// Limits that several gateways hold together, through Redis. A thread of its own tells Redis, every kTellInterval, what
// this process has taken of each limit, and puts the local state where Redis says all of them together are. Requests
// never wait for it.
//
// What can go wrong, and by how much: between two tellings a gateway does not see what the others let in. So n gateways
// may let in (n - 1) times what arrives at one of them in that time beyond the limit; it is booked all the same, so the
// next windows are shorter by it, and over time the sum is exact. Budgets in the same way. Calls at the same time too,
// but they are numbers of a moment: nothing of them is booked, and a gateway that is not heard of for three seconds has
// none.
//
// A process begins with asking what others have of each limit (survey.h), and its owner waits a moment for that: a
// budget that others have used up is used up for its first call, too. Nobody waits for what a reload brings; it is
// asked about with the next telling.
//
// Without Redis every gateway goes on by what it knows itself: each then allows up to the whole limit. What is used
// meanwhile is booked once when Redis is back, at the time at which it was used (tally.h).
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/time.h"
#include "control/sharing/scope_tally.h"
#include "control/sharing/survey.h"
#include "control/snapshot.h"
#include "net/loop.h"
#include "net/task.h"
#include "store/redis/redis_client.h"

namespace llmgw::control {

struct SharedLimitsOptions {
  store::RedisAddress address;
  std::string prefix = "llmgw:";
  base::Duration timeout = std::chrono::milliseconds(500);
  std::function<void(std::string_view message, const base::Error& error)> report = {};
};

class SharedLimits {
 public:
  static constexpr base::Duration kTellInterval = std::chrono::milliseconds(20);
  // Scopes told of in one exchange, and bytes after which no further one is; more wait for the next.
  static constexpr size_t kScopesPerExchangeMax = 500;
  static constexpr size_t kExchangeBytes = 1u << 20;
  // Of these, budgets that nobody uses just now: 2,500 a second, which Redis hardly notices.
  static constexpr size_t kRemindersPerExchangeMax = 50;
  // How long the start of a process waits for what others have used; tried so often meanwhile.
  static constexpr base::Duration kFirstAnswerLimit = std::chrono::seconds(1);
  static constexpr base::Duration kFirstRetryInterval = std::chrono::milliseconds(100);
  // How long the end of a process waits for Redis to take the last use.
  static constexpr base::Duration kFarewellLimit = std::chrono::seconds(1);

  SharedLimits(SharedLimitsOptions options, std::shared_ptr<const Snapshot> snapshot);
  // Tells what was used last: when this is called, nothing uses the meters any more.
  ~SharedLimits();
  SharedLimits(const SharedLimits&) = delete;
  SharedLimits& operator=(const SharedLimits&) = delete;

  // Waits until it is known what others have used of the first snapshot's limits; false: not within the limit. Once;
  // any thread but the sharing one.
  bool wait_until_known(base::Duration limit);
  // From here on by this snapshot. The control thread.
  void adopt(std::shared_ptr<const Snapshot> snapshot);
  // Whether the last exchange succeeded. Any thread.
  bool connected() const { return connected_.load(std::memory_order_relaxed); }

 private:
  using Tally = std::shared_ptr<ScopeTally>;
  struct Look {
    Survey::Item item;
    uint64_t identity;  // the snapshot may be another when the answer comes
  };

  void run();
  void take_snapshot(std::shared_ptr<const Snapshot> snapshot);
  Tally make_tally(const Scope& scope, const ScopeTally::Baseline& baseline);
  void expect_lateness() const;
  void collect();
  bool untold() const;
  net::Task<void> collect_forever();
  net::Task<void> tell_until_the_end();
  net::Task<void> pause(base::Duration duration);
  net::Task<void> stop_at_limit();
  net::Task<base::Result<void>> tell();
  void ask(admission::Nanoseconds now);
  void remind(admission::Nanoseconds now);
  void survey(admission::Nanoseconds now);
  bool is_survey_needed(const Scope& scope, const Tally& tally, int64_t wall) const;
  bool is_at_hand(const Look& look) const;
  void take_survey(const Look& look, const store::RespValue& answer);
  void put_back_looks();
  void note_known();
  int64_t wall() const;
  void note(const base::Result<void>& told);
  admission::Nanoseconds now() { return loop_.precise_now().time_since_epoch().count(); }

  SharedLimitsOptions options_;
  net::Loop loop_;
  store::RedisClient client_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::string identity_;  // of this process, among all that ever were
  uint64_t tallies_made_ = 0;
  std::vector<Tally> tallies_;  // as Snapshot::scopes; null: never used, or nothing of it is shared
  std::vector<Tally> leaving_;  // of scopes that the snapshot does not have, until they are told
  uint64_t collected_ = 0;      // how often
  admission::Nanoseconds collected_at_ = 0;
  Telling telling_;
  std::vector<ScopeTally::Question> questions_;
  Survey survey_;
  std::vector<Look> looks_;  // of this exchange, behind the questions
  bool known_ = false;       // what others had used when the process began
  std::promise<void> on_known_;
  size_t next_scope_ = 0;     // where the next exchange begins
  size_t next_reminder_ = 0;  // the same of those that are idle
  bool complained_ = false;
  bool ending_ = false;
  std::atomic<bool> connected_ = false;
  net::TaskGroup tasks_;
  std::thread thread_;
};

}  // namespace llmgw::control
