// How many clients the limit of open files allows. Pure; any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace llmgw::gateway {

// What the program has open for itself: log, ledger, databases, control socket, watched files, and what an upgrade
// takes for a moment.
inline constexpr uint64_t kOwnDescriptors = 64;
// And each of its workers: epoll, its wake-up, name resolution, its share of the listening sockets.
inline constexpr uint64_t kWorkerDescriptors = 16;

// Client connections of one worker. A call has its client's connection and one to its upstream: were all descriptors
// given to clients, idle ones would leave none to answer anybody with. `open_files_max`: of the process.
constexpr uint32_t clients_allowed(uint64_t open_files_max, size_t workers) {
  const uint64_t own = kOwnDescriptors + workers * kWorkerDescriptors;
  const uint64_t left = open_files_max > own ? open_files_max - own : 0;
  return static_cast<uint32_t>(std::clamp<uint64_t>(left / 2 / workers, 1, UINT32_MAX));
}

}  // namespace llmgw::gateway
