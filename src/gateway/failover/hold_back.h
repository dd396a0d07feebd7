// The first events of a stream, kept back until enough content has come to believe in it: while nothing has gone out,
// a stream that fails can be begun anew elsewhere and the client sees nothing of it. Knows the providers' prelude
// events (a role, an id) from content, their error events, and what is no event at all; in every framing that a stream
// has. Pure: time is the caller's, who asks for the end of the window and calls expire(). One stream, one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "chat/dialect.h"
#include "gateway/call/answer_document.h"
#include "http/event_stream.h"
#include "http/sse.h"
#include "json/array_splitter.h"
#include "json/reader.h"

namespace llmgw::gateway {

// A stream whose beginning is longer is passed on: memory is worth more than another try.
inline constexpr size_t kHeldBytesMax = 4 << 20;

// How much of a stream is kept back.
struct HoldWindow {
  uint32_t contents = 0;
  base::Duration time{0};  // 0: no limit
};

// What was kept back of an answer.
struct Beginning {
  std::string bytes;
  bool done = false;
  bool retry = false;                     // another attempt is made in its stead
  bool over = false;                      // the client has its answer, or has left
  std::optional<base::Error> error = {};  // what ended it before its end
};

class HoldBack final : private json::ElementSink {
 public:
  enum class State : uint8_t {
    holding,
    released,  // enough has come, or too much to hold
    failed,    // the answer said so, or is none
    cut,       // the transfer ended in order, and the model's stream did not: all there is of it is here
  };
  struct Answer {
    AskedFor asked;
    chat::Framing framing;
    DocumentType type = DocumentType::json;  // of a document
    bool to_close = false;                   // the end of the connection ends it
  };
  // Releases with the content event number `contents`. `parser` is used while a call of feed() runs. A document
  // (Framing::json) is held to its end.
  HoldBack(uint32_t contents, const Answer& answer, json::Parser& parser)
      : contents_left_(contents), answer_(answer), parser_(parser) {}

  // Takes the next bytes; `done`: the last ones. A stream that is whole with them is looked at once more if its last
  // bytes do not say that it is over.
  State feed(std::string_view bytes, bool done);
  // Whether some content has come: from the first on, a window by time runs.
  bool any_content() const { return any_content_; }
  // All bytes so far.
  std::string& bytes() { return held_; }

 private:
  void element(std::string_view json) override { judge({}, json); }
  void feed_sse(std::string_view bytes);
  void feed_event_stream(std::string_view bytes);
  void judge(std::string_view event, std::string_view data);
  bool is_error(std::string_view event, std::string_view data);
  bool is_whole();
  bool are_whole_frames();

  uint32_t contents_left_;
  const Answer answer_;
  json::Parser& parser_;
  State state_ = State::holding;
  bool any_content_ = false;
  std::string held_;
  http::SseReader sse_;
  http::EventStreamReader frames_;
  std::string unwrapped_;  // the event inside a chunk of InvokeModel's
  json::ArraySplitter array_;
};

}  // namespace llmgw::gateway
