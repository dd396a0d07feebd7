// Drives the connections: a closed loop (each sends its next request when the answer is complete) or an open loop
// (requests come at a fixed rate whether or not answers do). One thread, level-triggered epoll.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/loadgen/answer_checker.h"
#include "bench/loadgen/cpu_meter.h"
#include "bench/loadgen/options.h"
#include "bench/loadgen/results.h"

namespace llmgw::bench {

class Runner {
 public:
  explicit Runner(LoadOptions options);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Opens every connection, warms up, measures. Failures are counted, not thrown; warm-up's count too.
  const Results& run();

 private:
  enum class State : uint8_t { closed, connecting, idle, sending, receiving };

  struct Connection {
    Connection(const Expectation& expectation, Results& results) : checker(expectation, results) {}
    int descriptor = -1;
    State state = State::closed;
    uint32_t events = 0;  // what epoll watches for
    size_t sent_bytes = 0;
    int64_t intended_ns = 0;
    int64_t sent_ns = 0;
    int64_t progress_ns = 0;
    AnswerChecker checker;
  };

  struct Phase {
    PhaseLimit limit;
    bool record = false;
    int64_t start_ns = 0;
    uint64_t issued = 0;     // requests begun, or in open loop intended
    uint64_t in_flight = 0;  // begun and not finished, waiting ones included
  };

  void build_request();
  bool connect_all();
  void run_phase(const PhaseLimit& limit, bool record);
  bool may_issue(int64_t now) const;
  int64_t next_intended() const;
  void plan_ramp();
  void issue_due(int64_t now);
  int64_t next_wake(int64_t now) const;
  void poll(int64_t wake_ns);
  void sweep_stalled(int64_t now);

  void open(Connection& connection);
  void drop(Connection& connection);
  void watch(Connection& connection, uint32_t events);
  void become_idle(Connection& connection, int64_t now);
  void begin(Connection& connection, int64_t intended_ns, int64_t now);
  void send_more(Connection& connection, int64_t now);
  void on_event(Connection& connection, uint32_t events);
  void on_readable(Connection& connection);
  void finish(Connection& connection, AnswerChecker::Verdict verdict, int64_t now);
  void count_failure(Failure failure, std::string_view detail);

  LoadOptions options_;
  std::string request_;
  Expectation expectation_;
  Results results_;
  CpuMeter meter_;
  int epoll_ = -1;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> idle_;                      // open loop: free to take a request
  std::deque<int64_t> waiting_;                        // open loop: intended times no connection was free for
  std::vector<std::pair<int64_t, Connection*>> ramp_;  // closed loop: who begins when, in order
  size_t ramp_next_ = 0;
  Phase phase_;
  std::vector<char> buffer_;
  uint64_t sent_whole_ = 0;
  bool answered_ = false;
  int64_t last_sweep_ns_ = 0;
};

}  // namespace llmgw::bench
