// Knows whether an event stream has said that it is over. Where the end of the connection is the only frame a stream
// has, this is all that tells a whole answer from a cut one. A few bytes of state, no allocation; one stream, one
// thread.
//
// What ends a stream (facts of 2026-08): OpenAI chat and completions "data: [DONE]"; Responses the events
// response.completed, .incomplete and .failed; Anthropic the event message_stop; Gemini a chunk with a finishReason, or
// a blocked prompt. In all of them an error ends it too.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "chat/dialect.h"

namespace llmgw::dialects {

class StreamEnd {
 public:
  explicit StreamEnd(chat::Dialect dialect) : dialect_(dialect) {}

  void feed(std::string_view bytes);
  bool seen() const { return seen_; }

 private:
  // The longest prefix that is looked for, "event: response.incomplete", and room for another spelling of it.
  static constexpr size_t kLineBytes = 40;

  void feed_lines(std::string_view bytes);
  void feed_text(std::string_view bytes);
  bool line_ends_stream(std::string_view line) const;

  chat::Dialect dialect_;
  bool seen_ = false;
  std::array<char, kLineBytes> line_;  // the start of the line at hand, or the tail of the text
  size_t size_ = 0;
};

}  // namespace llmgw::dialects
