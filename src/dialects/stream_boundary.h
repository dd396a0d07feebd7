// Knows whether the bytes of a stream seen so far end between two events, where an error event may still be put. A few
// bytes of state, no allocation; one stream, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
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

  // JSON array: what has come cannot be one: a bracket closes another kind, a comma or colon has nothing before it, an
  // object begins where a name must stand, a control byte stands in a string. That is what cuts and mixed writes leave;
  // wrong numbers and words are not seen. Stays set, and nothing behind it is looked at. What begins as something else
  // is never judged.
  bool malformed() const { return malformed_; }
  // How many of the bytes fed last stand before the element at hand or, in a malformed array, before the one that makes
  // it so. Nothing: that began with those before.
  std::optional<size_t> bytes_before() const { return bytes_before_; }
  // JSON array: its last bracket has come, or what came is no array.
  bool complete() const { return foreign_ || (started_ && depth_ == 0); }

 private:
  void feed_sse(std::string_view bytes);
  void feed_array(std::string_view bytes);

  chat::Framing framing_;
  bool started_ = false;
  // SSE
  uint8_t line_ends_ = 2;  // ends of line in a row at the end; "\r\n" counts once
  bool after_cr_ = false;
  // JSON array
  bool may_stand(char c) const;
  static constexpr uint32_t kDepthMax = 64;  // of what is told apart

  bool foreign_ = false;  // it is none
  bool malformed_ = false;
  std::optional<size_t> bytes_before_;
  char last_ = 0;         // outside strings, but for white space; a quote: of a string's end; 0: nothing yet
  uint64_t objects_ = 0;  // which of the open brackets are braces, the innermost last
  uint32_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool element_done_ = false;
};

}  // namespace llmgw::dialects
