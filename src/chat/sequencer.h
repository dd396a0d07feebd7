// Makes any sequence of stream events a legal one (see chat/stream.h): one start, parts one after the other within a
// choice, deltas only for the open part, finish and usage once and last, one end or one error. Providers interleave
// parallel tool calls, repeat starts, send usage after the stop, or none of it; writers behind this never see that.
// What belongs to a part that cannot be open yet waits in memory, bounded. One stream, one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chat/stream.h"

namespace llmgw::chat {

class Sequencer final : public EventSink {
 public:
  // Text of parts that wait for their turn: parallel tool calls are a few KiB each.
  static constexpr size_t kWaitingBytesMax = size_t{16} << 20;
  static constexpr size_t kChoicesMax = 128;  // OpenAI's bound on n
  static constexpr size_t kPartsMax = 4096;   // in all; more is not an answer

  explicit Sequencer(EventSink& next) : next_(next) {}

  void event(const StreamEvent& event) override;
  // The transport ended. Without an end or error before, that is an error: the answer was cut.
  void transport_ended();

  bool over() const { return over_; }                // end or error went out: nothing follows
  bool failed() const { return failed_; }            // the last event was an error
  bool any_content() const { return any_content_; }  // a part has started
  const Usage& usage() const { return answer_.usage; }

 private:
  struct Waiting {  // a part that began while another one of its choice was open
    uint32_t choice = 0;
    uint32_t part = 0;
    Part head;
    std::string strings;  // what head's views point to is copied here
    std::string text;
    std::string logprobs;
    std::string signature;
    std::string signature_id;
    std::string citations;
    bool stopped = false;
  };
  struct ChoiceState {
    uint32_t index = 0;
    bool open = false;
    uint32_t part = 0;
    PartKind kind = PartKind::text;
    bool finished = false;
    Finish finish = Finish::unknown;
    bool context_window = false;
    std::string stop_sequence;
    std::string native_finish;
    std::string explanation;
    bool any_tool_call = false;
  };

  // Implementation detail of sequencer.cpp; see there.
  ChoiceState* state(uint32_t choice);
  void start(const StreamEvent* event);
  void fail(std::string_view message);
  void end();

  EventSink& next_;
  Answer answer_;
  std::vector<ChoiceState> choices_;
  std::vector<Waiting> waiting_;
  size_t waiting_bytes_ = 0;
  size_t parts_ = 0;
  bool started_ = false;
  bool over_ = false;
  bool failed_ = false;
  bool any_content_ = false;
};

}  // namespace llmgw::chat
