// How many clients the limit of open files allows. Pure; any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace llmgw::gateway {

// What the program has open for itself: log, ledger, databases, control socket, watched files (24 after a start), and
// what an upgrade takes for a moment.
inline constexpr uint64_t kOwnDescriptors = 64;
// And each of its workers: epoll, its wake-up, its part of the ledger, a listening socket (4 after a start), those for
// more addresses, name servers.
inline constexpr uint64_t kWorkerDescriptors = 10;
// A client's connection, and one to its upstream.
inline constexpr uint64_t kCallDescriptors = 2;

// With fewer a process with this many workers could serve nobody, and not even be stopped.
constexpr uint64_t descriptors_needed(size_t workers) {
  return kOwnDescriptors + workers * (kWorkerDescriptors + kCallDescriptors);
}

// Client connections of one worker. Were all descriptors given to clients, idle ones would leave none to answer anybody
// with. `open_files_max`: of the process; at least one may come even where that is less than is needed.
constexpr uint32_t clients_allowed(uint64_t open_files_max, size_t workers) {
  const uint64_t own = kOwnDescriptors + workers * kWorkerDescriptors;
  const uint64_t left = open_files_max > own ? open_files_max - own : 0;
  return static_cast<uint32_t>(std::clamp<uint64_t>(left / kCallDescriptors / workers, 1, UINT32_MAX));
}

}  // namespace llmgw::gateway
