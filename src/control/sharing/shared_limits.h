// Limits that several gateways hold together, through Redis. A thread of its own tells Redis, every kTellInterval, what
// this process has taken of each limit since the last time, and puts the local state where Redis says all of them
// together are. Requests never wait for it.
//
// What can go wrong, and by how much: between two tellings a gateway does not see what the others let in. So n gateways
// may let in (n - 1) times what arrives at one of them in that time beyond the limit; it is booked all the same, so the
// next windows are shorter by it, and over time the sum is exact. Budgets in the same way. `concurrency` is not shared:
// it holds for each gateway.
//
// Without Redis every gateway goes on by what it knows itself: each then allows up to the whole limit.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>

#include "base/time.h"
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
  // Scopes told of in one exchange; more wait for the next.
  static constexpr size_t kScopesPerExchangeMax = 500;

  SharedLimits(SharedLimitsOptions options, std::shared_ptr<const Snapshot> snapshot);
  ~SharedLimits();
  SharedLimits(const SharedLimits&) = delete;
  SharedLimits& operator=(const SharedLimits&) = delete;

  // From here on by this snapshot. The control thread.
  void adopt(std::shared_ptr<const Snapshot> snapshot);
  // Whether the last exchange succeeded. Any thread.
  bool connected() const { return connected_.load(std::memory_order_relaxed); }

 private:
  // What of a scope was told, and of which scope an answer is.
  struct Told {
    admission::Nanoseconds second = 0, minute = 0, tokens = 0;
    int64_t charged = 0;
    int64_t restored = 0;        // of a budget: what the ledger knew at the start,
    int64_t restored_until = 0;  // of the period that ends then
    uint32_t idle = 0;           // tellings without use
  };
  enum class Part : uint8_t { second, minute, tokens, budget };
  struct Question {
    uint32_t scope;
    Part part;
    admission::Nanoseconds told;  // or nano-dollars
    int64_t period_end = 0;
  };

  net::Task<void> tell_forever();
  net::Task<base::Result<void>> tell();
  bool ask_scope(uint32_t scope);
  void ask_window(uint32_t scope, Part part, admission::Nanoseconds taken, admission::Nanoseconds told,
                  admission::Nanoseconds window);
  void ask_budget(uint32_t scope, Told& told);
  void take_answer(const Snapshot& snapshot, const Question& question, const store::RespValue& answer);
  std::string key_of(const Scope& scope, Part part) const;

  SharedLimitsOptions options_;
  net::Loop loop_;
  store::RedisClient client_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::unordered_map<uint64_t, Told> told_;  // by a scope's identity
  std::string commands_;
  std::vector<Question> questions_;
  size_t next_scope_ = 0;  // where the next exchange begins
  bool complained_ = false;
  std::atomic<bool> connected_ = false;
  net::TaskGroup tasks_;
  std::thread thread_;
};

}  // namespace llmgw::control
