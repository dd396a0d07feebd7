// An answer that several instances make together: where one breaks off in the middle of its text, another goes on from
// what the client has, and the client sees one stream. Stands between a Sequencer and the client's writer; the
// Sequencer is another one for every instance. It remembers the text, says whether it can be gone on from, and makes
// the events of the next instance follow: no second start, no second part for the same text, no thoughts thought again,
// white space that was left out of the beginning not twice. Pure; one stream, one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "chat/stream.h"

namespace llmgw::gateway {

// Longer texts are no longer remembered, and end with an error when they break: some hundred pages.
inline constexpr size_t kJoinedTextBytesMax = size_t{1} << 20;

class Joiner final : public chat::EventSink {
 public:
  explicit Joiner(chat::EventSink& next) : next_(next) {}

  void event(const chat::StreamEvent& event) override;

  // One text, open or not yet begun, is all that the client has; finished thoughts before it may be.
  bool can_continue() const { return !unfit_ && !thinking_open_ && (text_open_ || !text_seen_); }
  // The text so far, without the white space at its end, which no model is asked to go on from.
  std::string_view beginning() const;
  // What follows is the next instance's. `used` by those before is added to what it says it used.
  void resume(const chat::Usage& used);

 private:
  enum class Mode : uint8_t { pass, join, swallow };

  void start_part(const chat::StreamEvent& event);
  void delta(const chat::StreamEvent& event);
  void stop_part(const chat::StreamEvent& event);
  void pass(const chat::StreamEvent& event);
  void close_text();
  void note_text(std::string_view text);

  chat::EventSink& next_;
  std::string text_;
  std::string_view again_;  // white space at the end of text_ that the next instance may send again
  chat::Usage used_;
  Mode mode_ = Mode::pass;
  uint32_t text_part_ = 0;   // its number
  uint32_t first_part_ = 0;  // of this instance's parts, as they are numbered for the client
  uint32_t parts_end_ = 0;   // highest number in use, plus one
  bool resumed_ = false;
  bool text_seen_ = false;
  bool text_open_ = false;
  bool thinking_open_ = false;
  bool unfit_ = false;
};

}  // namespace llmgw::gateway
