// What a run found out, and its printing. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "bench/support/histogram.h"

namespace llmgw::bench {

enum class Failure : uint8_t {
  connect,   // refused or broken before the request was sent
  closed,    // the peer closed before the answer was complete
  status,    // not the status that was expected
  framing,   // malformed head, chunk or length, or bytes after the answer
  content,   // not the bytes that were expected
  sequence,  // events of a stream missing, twice, or too few
  unended,   // a stream without [DONE]
  stalled,   // no progress for longer than allowed
};
inline constexpr size_t kFailureCount = 8;
std::string_view to_string(Failure failure);

struct Results {
  uint64_t requests = 0;  // answered and found right
  std::array<uint64_t, kFailureCount> failures{};
  std::string first_failure;  // what it looked like
  uint64_t connects = 0;      // connections opened, also in warm-up
  uint64_t reconnects = 0;    // of those, to replace one the peer had closed
  uint64_t bytes_received = 0;
  uint64_t in_flight_peak = 0;
  uint64_t sent_at_first_answer = 0;  // requests wholly sent when the first byte of any answer came
  uint64_t events = 0;
  int64_t elapsed_ns = 0;
  int64_t cpu_ns = 0;
  bool processes_alive = true;

  Histogram latency;            // intended time of sending to last byte
  Histogram service;            // actual time of sending to last byte; differs from latency in open loop only
  Histogram first_byte;         // actual time of sending to first byte of the answer
  Histogram event_gap;          // between the arrivals of two events of a stream
  Histogram event_delay;        // from the upstream's sending of an event to its arrival here
  Histogram first_event_delay;  // the same for the first event of a stream only
  Histogram first_event_added;  // time to the first event here, less the time the upstream itself took for it

  uint64_t failures_total() const;
};

// One JSON object, a line.
std::string to_json(const Results& results);

}  // namespace llmgw::bench
