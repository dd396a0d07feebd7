// What one listener of the canned upstream answers. Set at start, and for one request by the header "X-Canned" or the
// query string, in the same words: "chunks=100,interval_us=2000".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace llmgw::bench {

struct AnswerOptions {
  uint32_t chunks = 100;            // events of a stream before [DONE]
  int64_t interval_ns = 2'000'000;  // between events of a stream
  int64_t delay_ns = 0;             // from the whole request read to the first byte of the answer
  size_t bytes = 1'024;             // of a JSON answer's body
  uint32_t status = 200;            // of a JSON answer
  uint32_t cut_after = 0;           // close a stream without an ending after so many events; 0: never
};

// Applies "name=value" pairs separated by ',' or '&'. Names: chunks, interval_us, interval_ms, delay_us, delay_ms,
// bytes, status, cut_after. False at the first unknown name or bad value.
bool apply_options(std::string_view text, AnswerOptions& options);

struct ListenerOptions {
  uint16_t port = 0;  // 0: the kernel picks
  bool tls = false;
  AnswerOptions answer;
};

struct CannedOptions {
  std::vector<ListenerOptions> listeners;
  std::string certificate_file;
  std::string key_file;
  int cpu = -1;  // pin to this one; -1: wherever the caller put us
};

}  // namespace llmgw::bench
