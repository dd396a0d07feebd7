// CPU time of other processes, all their threads, from /proc. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace llmgw::bench {

class CpuMeter {
 public:
  explicit CpuMeter(std::vector<int> processes) : processes_(std::move(processes)) {}

  // Nanoseconds used so far. Per process the larger of two sources: the scheduler's sum over its threads (exact, but it
  // forgets threads that ended) and utime+stime of its stat file (10 ms steps, remembers them).
  int64_t read() const;
  // False if one of the processes is gone.
  bool all_alive() const;

 private:
  std::vector<int> processes_;
};

}  // namespace llmgw::bench
