// What may go wrong in a simulated network. Which of it happens to a connection, and when, follows from the world's
// seed and the connection's number.
#pragma once

#include <cstddef>

#include "base/rng.h"
#include "base/time.h"

namespace llmgw::net::sim {

// One direction of a connection. The default is a perfect wire.
struct DirectionFaults {
  base::Duration delay_min{};  // of each piece, uniform between the two; pieces stay in order
  base::Duration delay_max{};
  double split = 0;               // how likely a write, a piece on its way or a read is cut short, down to one byte
  size_t capacity_bytes = 65536;  // written and not yet read; more blocks the writer
  double cut = 0;                 // how likely the direction breaks at some byte, and both ends are reset
  double stall = 0;               // the same, but the ends hear nothing for stall_time
  base::Duration stall_time = std::chrono::seconds(20);
  size_t break_within_bytes = 4096;  // the byte of a cut or stall is uniform below this
};

struct NetworkFaults {
  DirectionFaults to_server;
  DirectionFaults to_client;
  base::Duration connect_delay_min{};
  base::Duration connect_delay_max{};
  double refuse = 0;        // how likely an attempt to connect is refused
  double connect_hang = 0;  // how likely it is not answered at all
};

// A mix for fuzzing over seeds: every fault is possible, most connections live.
NetworkFaults random_faults(base::Rng& rng);

// Uniform between the two, both included; `low` if they are the wrong way round.
base::Duration uniform_duration(base::Rng& rng, base::Duration low, base::Duration high);

}  // namespace llmgw::net::sim
