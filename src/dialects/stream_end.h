// Knows whether server-sent events have said that they are over. Where the end of the connection is the only frame a
// stream has, this is all that tells a whole answer from a cut one. A few bytes of state, no allocation; one stream,
// one thread.
//
// What ends a stream (facts of 2026-08): OpenAI chat and completions "data: [DONE]"; Responses the events
// response.completed and .incomplete; Anthropic the event message_stop; Cohere message-end. In all of them an error
// ends it too: it is seen here where the event is named so, in Responses response.failed. Gemini's streams have no such
// event: there the answer's finishReason tells (accounting/text_scanner.h).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace llmgw::dialects {

enum class StreamMark : uint8_t { none, end, error };

class StreamEnd {
 public:
  // Any cuts. Looks at nothing any more once a mark has been seen.
  void feed(std::string_view bytes);
  StreamMark mark() const { return mark_; }

 private:
  // The longest beginning of a line that is looked for, {"type":"response.incomplete", and room for another spelling.
  static constexpr size_t kLineBytes = 64;

  StreamMark mark_ = StreamMark::none;
  std::array<char, kLineBytes> line_;  // the start of a line that comes in several pieces
  size_t size_ = 0;
};

}  // namespace llmgw::dialects
