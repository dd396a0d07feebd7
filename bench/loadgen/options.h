// What a run of the load generator does. Read from the command line once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llmgw::bench {

// A part of a run ends at the time or at the number of requests, whichever comes first; then what is in flight is
// awaited. 0 is no limit; both 0: the part is left out.
struct PhaseLimit {
  int64_t duration_ns = 0;
  uint64_t requests = 0;
  bool empty() const { return duration_ns == 0 && requests == 0; }
};

struct LoadOptions {
  uint16_t port = 0;  // on 127.0.0.1
  std::string method = "POST";
  std::string path = "/v1/chat/completions";
  std::vector<std::string> headers;  // "Name: value", beside Host, Content-Type and Content-Length
  std::string model = "canned";
  bool stream = false;
  size_t body_bytes = 1'024;

  uint32_t connections = 1;
  double rate = 0;      // requests a second, sent whether or not answers come; 0: closed loop
  int64_t ramp_ns = 0;  // closed loop: connections begin at random times within this span
  PhaseLimit warmup;
  PhaseLimit measured;

  uint32_t expect_status = 200;
  bool expect_canned = true;          // compare answers with what bench-canned sends, byte by byte
  size_t expect_bytes = 1'024;        // of a JSON answer
  uint32_t expect_chunks = 100;       // events of a stream before [DONE]
  int64_t stall_ns = 30'000'000'000;  // an answer that makes no progress for so long is an error

  std::vector<int> cpu_of;  // processes whose CPU time during the measured phase is reported
  int cpu = -1;             // pin to this one; -1: wherever the caller put us
};

// Empty, with the reason on stderr, if the arguments make no sense.
std::optional<LoadOptions> parse_load_options(int count, char** values);

}  // namespace llmgw::bench
