#include "bench/support/process.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdio>

namespace llmgw::bench {

bool prepare_process(int cpu) {
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  // The default slack of 50 µs would be seen in every delay we measure.
  prctl(PR_SET_TIMERSLACK, 1);
  if (cpu < 0) return true;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(static_cast<size_t>(cpu), &cpus);
  if (sched_setaffinity(0, sizeof cpus, &cpus) == 0) return true;
  std::perror("bench: --cpu");
  return false;
}

}  // namespace llmgw::bench
