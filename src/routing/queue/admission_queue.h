// Requests that wait before one engine, and which of them goes next: bounded, in one of four orders. Pure: time is an
// argument; who waits is an id of the caller's. One thread.
//
//   fifo      in the order of arrival
//   priority  the highest first, then by arrival
//   slo       who can still have its first token in time goes first, by deadline; of the others the shortest, and
//             waiting counts against length, so that nobody starves. May refuse what cannot be met.
//   fair      weighted fair queueing over tenants by tokens (start-time fair queueing, Goyal 1996)
#pragma once

#include <algorithm>

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.h"

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
};

enum class QueueRefusal : uint8_t { full, hopeless };

class AdmissionQueue {
 public:
  explicit AdmissionQueue(const QueueOptions& options) : options_(options) {}

  // `ahead_s`: seconds until the engine is free. The refusal comes with how long until it may be different.
  struct Refused {
    QueueRefusal why;
    base::Duration retry_after;
  };
  std::expected<void, Refused> push(const Waiter& waiter, base::Instant now, double ahead_s);
  // Who goes next; nobody if none waits.
  std::optional<Waiter> pop(base::Instant now);
  // The client left. False if it does not wait any more.
  bool remove(WaiterId id);
  size_t size() const { return waiting_.size(); }
  // Of all that wait.
  double work_s() const { return work_s_; }

 private:
  struct Held {
    Waiter waiter;
    double start_tag = 0;  // fair
    uint64_t sequence = 0;
  };
  bool before(const Held& a, const Held& b, base::Instant now) const;
  void forget(size_t index);

  QueueOptions options_;
  std::vector<Held> waiting_;
  std::unordered_map<uint64_t, double> finish_tags_;  // of tenants; those behind virtual_time_ are forgotten
  double virtual_time_ = 0;
  double work_s_ = 0;
  uint64_t sequence_ = 0;
};

// How many requests an engine takes well, learnt from the time to first token: additive increase while it stays near
// the best seen, multiplicative decrease when it does not (AIMD on the gradient of latency, after Netflix's
// concurrency-limits). Pure; one thread.
class LearntConcurrency {
 public:
  LearntConcurrency(uint32_t least, uint32_t most) : least_(least), most_(most), limit_(least) {}
  void record(base::Duration first_token, uint32_t in_flight);
  void record_refused() { limit_ = std::max(double(least_), limit_ * 0.7); }
  uint32_t limit() const { return static_cast<uint32_t>(limit_); }

 private:
  uint32_t least_;
  uint32_t most_;
  double limit_;
  double best_s_ = 0;
};

}  // namespace llmgw::routing
