// What both programs of the benchmark ask of the kernel at start.
#pragma once

namespace llmgw::bench {

// As many descriptors as allowed, timers without slack, and the CPU to stay on (-1: wherever the caller put us).
// False, with the reason on stderr, if the CPU cannot be had.
bool prepare_process(int cpu);

}  // namespace llmgw::bench
