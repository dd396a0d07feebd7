// Knows whether the bytes of a stream seen so far end between two events, where an error event may still be put. A few
// bytes of state, no allocation; one stream, one thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "chat/dialect.h"

namespace llmgw::dialects {

class StreamBoundary {
 public:
  explicit StreamBoundary(chat::Framing framing) : framing_(framing) {}

  void feed(std::string_view bytes);

  // SSE: nothing yet, or a blank line was the last. JSON array: an element is complete and no comma follows it. Other
  // framings have no place for an error event.
  bool at_boundary() const;

 private:
  void feed_sse(std::string_view bytes);
  void feed_array(std::string_view bytes);

  chat::Framing framing_;
  bool started_ = false;
  // SSE
  uint8_t line_ends_ = 2;  // ends of line in a row at the end; "\r\n" counts once
  bool after_cr_ = false;
  // JSON array
  uint32_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool element_done_ = false;
};

}  // namespace llmgw::dialects
