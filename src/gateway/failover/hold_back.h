// The first events of a stream, kept back until enough content has come to believe in it: while nothing has gone out,
// a stream that fails can be begun anew elsewhere and the client sees nothing of it. Knows the providers' prelude
// events (a role, an id) from content, and their error events. Server-sent events only. Pure; one stream, one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/sse.h"

namespace llmgw::gateway {

// A stream whose beginning is longer is passed on: memory is worth more than another try.
inline constexpr size_t kHeldBytesMax = 4 << 20;

class HoldBack {
 public:
  enum class State : uint8_t {
    holding,
    released,  // enough has come, or too much to hold
    failed,    // the stream said so, or is no stream of events
  };
  // Releases with the content event number `contents`.
  explicit HoldBack(uint32_t contents) : contents_left_(contents) {}

  // Takes the next bytes; `done`: the last ones.
  State feed(std::string_view bytes, bool done);
  // All bytes so far.
  std::string& bytes() { return held_; }

 private:
  State judge(std::string_view event, std::string_view data);

  uint32_t contents_left_;
  std::string held_;
  http::SseReader reader_;
};

}  // namespace llmgw::gateway
