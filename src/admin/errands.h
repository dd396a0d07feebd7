// Threads for what an administrator asks for that takes its time and is nobody else's business: a real call through a
// connection, a look through the ledger's files. They are made when they are needed first. run() may be called from any
// thread, its result awaited on its loop's only. Must die, or stop(), before the loops that it answers to; then jobs
// that can are cut short.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/loop.h"
#include "store/store_call.h"

namespace llmgw::admin {

class Errands {
 public:
  static constexpr size_t kThreadsMax = 4;   // administrators are few
  static constexpr size_t kWaitingMax = 64;  // more are refused

  Errands() = default;
  Errands(const Errands&) = delete;
  Errands& operator=(const Errands&) = delete;
  ~Errands() { stop(); }

  void stop();

  // `job` takes a std::stop_token and must own what it needs.
  template <class Job>
  auto run(net::Loop& loop, const net::Wait& wait, Job job) {
    return store::call_store<std::stop_token>(
        loop, wait, std::move(job), [this](auto work) { return post(std::move(work)); },
        "too much is asked for at once");
  }

 private:
  using Work = std::move_only_function<void(std::stop_token)>;
  bool post(Work work);
  void serve(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Work> waiting_;
  size_t idle_ = 0;
  bool stopped_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace llmgw::admin
