// Requests that wait before one engine, and which of them goes next: bounded, in one of four orders. Pure: time is an
// argument; who waits is an id of the caller's. One thread.
//
//   fifo      in the order of arrival
//   priority  the highest first, then by arrival; who comes when it is full displaces the lowest
//   slo       who can still have its first token in time goes first, by deadline; of the others the shortest, and
//             waiting counts against length, so that nobody starves. May refuse what cannot be met.
//   fair      weighted fair queueing over tenants by tokens; who comes when it is full displaces the last of the tenant
//             that is furthest ahead
#pragma once

#include <algorithm>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "routing/queue/fair_shares.h"
#include "routing/queue/gate.h"

namespace llmgw::routing {

enum class QueueOrder : uint8_t { fifo, priority, slo, fair };
std::optional<QueueOrder> queue_order_by_name(std::string_view name);

struct QueueOptions {
  QueueOrder order = QueueOrder::slo;
  uint32_t waiting_max = 1000;
  base::Duration goal = std::chrono::seconds(2);  // to the first token, from arrival
  bool refuse_hopeless = false;                   // slo: refuse at once what cannot be met
};

using WaiterId = uint64_t;

struct Waiter {
  WaiterId id = 0;
  base::Instant arrived = {};
  double work_s = 0;    // seconds of computation to its first token
  uint32_t tokens = 0;  // what its tenant is charged
  uint64_t tenant = 0;
  uint32_t weight = 1;   // of its tenant
  int32_t priority = 0;  // higher goes first
  uint64_t family = 0;   // of prompts that begin alike; 0: none
  uint64_t prefix = 0;   // what of it is cached, by its last block; 0: nothing
};

enum class QueueRefusal : uint8_t { full, hopeless };

class AdmissionQueue {
 public:
  // `shares` is for the fair order, must outlive the queue and may be that of many.
  AdmissionQueue(const QueueOptions& options, FairShares& shares) : options_(options), shares_(shares) {}

  struct Refused {
    QueueRefusal why;
    base::Duration retry_after;  // until it may be different
  };
  struct Entered {
    uint32_t position = 0;              // how many go before it, as it looks now
    std::optional<WaiterId> displaced;  // who had to go for it
  };
  // `ahead_s`: seconds until the engine is free. `places`: where it takes no more calls at a time, until it takes the
  // first of this line and from one to the next; 0: its prompts alone are what takes time.
  std::expected<Entered, Refused> push(const Waiter& waiter, base::Instant now, double ahead_s,
                                       const PlaceTimes& places = {});
  // The rank of who goes next, less being sooner; nobody waits: nothing. Comparable among lines of one order, also with
  // one that was read a while ago: it changes only where somebody cannot be in time any more (slo).
  std::optional<double> head_rank(base::Instant now) const;
  const Waiter* head(base::Instant now) const;
  // Who goes next; nobody if none waits.
  std::optional<Waiter> pop(base::Instant now);
  // Who would go last.
  const Waiter* tail(base::Instant now) const;
  // That one goes, whoever is before it. False if it does not wait any more.
  bool take(WaiterId id, base::Instant now);
  // The work of those of a family, and of one, is another now.
  template <class WorkOf>  // double(WaiterId)
  void rework(uint64_t family, size_t most, WorkOf work_of) {
    for (Held& held : waiting_) {
      if (held.waiter.family != family) continue;
      if (most-- == 0) return;
      set_work(held, work_of(held.waiter.id));
    }
  }
  void rework(WaiterId id, double work_s);
  // The client left. False if it does not wait any more.
  bool remove(WaiterId id);
  // How many wait for the same cached prefix.
  size_t count_alike(uint64_t prefix) const {
    if (prefix == 0) return 0;
    return static_cast<size_t>(
        std::ranges::count(waiting_, prefix, [](const Held& held) { return held.waiter.prefix; }));
  }
  size_t size() const { return waiting_.size(); }
  // Of all that wait.
  double work_s() const { return work_s_; }

 private:
  struct Held {
    Waiter waiter;
    double start_tag = 0;  // fair
    uint64_t sequence = 0;
  };
  void set_work(Held& held, double work_s) { work_s_ += work_s - std::exchange(held.waiter.work_s, work_s); }
  double rank(const Held& held, base::Instant now) const;
  bool before(const Held& a, const Held& b, base::Instant now) const;
  size_t next(base::Instant now) const;
  bool hopeless(const Waiter& waiter, base::Instant now, double ahead_s, const PlaceTimes& places,
                double& late_s) const;
  bool may_displace() const { return options_.order == QueueOrder::priority || options_.order == QueueOrder::fair; }
  base::Duration retry_after(double ahead_s, const PlaceTimes& places) const;
  void forget(size_t index);

  QueueOptions options_;
  FairShares& shares_;
  std::vector<Held> waiting_;
  double work_s_ = 0;
  uint64_t sequence_ = 0;
};

}  // namespace llmgw::routing
