// Makes any sequence of stream events a legal one (see chat/stream.h): one start, parts one after the other within a
// choice, deltas only for the open part, finish and usage once and last, one end or one error. Providers interleave
// parallel tool calls, repeat starts, send usage after the stop, or none of it; writers behind this never see that.
// What belongs to a part that cannot be open yet waits in memory, bounded. One stream, one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/arena.h"
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
  // Ends the stream with an error of the gateway's own, unless it is over.
  void fail(const ClientError& error);

  bool over() const { return over_; }                // end or error went out: nothing follows
  bool failed() const { return failed_; }            // the last event was an error
  bool any_content() const { return any_content_; }  // a part has started
  const Usage& usage() const { return usage_; }

 private:
  struct Waiting {  // a part that began while another one of its choice was open
    uint32_t choice = 0;
    uint32_t number = 0;
    Part head = {};
    std::string text = {};
    std::string logprobs = {};
    std::string citations = {};
    Dialect citations_origin = Dialect::openai_chat;
    bool has_signature = false;
    Signature signature = {};
    bool has_media = false;
    Media media = {};
    bool stopped = false;
  };
  struct ChoiceState {
    uint32_t index = 0;
    bool open = false;
    uint32_t number = 0;   // of the open part
    uint32_t highest = 0;  // number seen so far, plus one
    bool any_tool_call = false;
    std::string half = {};  // of a character outside the basic plane, whose other half the next delta brings
    Choice finish = {};
  };

  ChoiceState* choice_of(const StreamEvent& event);
  Waiting* waiting_part(uint32_t choice, uint32_t number);
  void start(const StreamEvent* event);
  void start_part(const StreamEvent& event);
  void more(const StreamEvent& event);
  void keep_waiting(Waiting& part, const StreamEvent& event);
  void pass_whole_characters(ChoiceState& choice, const StreamEvent& event);
  void stop_part(ChoiceState& choice);
  void release(Waiting& part);
  void note_finish(const StreamEvent& event);
  // The provider has given every choice its reason to stop.
  bool finish_said() const;
  void finish();
  void fail_with(std::string_view message);
  bool charge(size_t bytes);
  bool keep_media(Waiting& part);

  EventSink& next_;
  base::Arena arena_;  // what has to be kept of views
  Usage usage_;
  std::vector<ChoiceState> choices_;
  std::vector<Waiting> waiting_;
  size_t kept_bytes_ = 0;
  size_t parts_ = 0;
  bool started_ = false;
  bool over_ = false;
  bool failed_ = false;
  bool any_content_ = false;
};

// Later counts replace earlier ones, absent ones leave them.
void merge_usage(Usage& usage, const Usage& later);

}  // namespace llmgw::chat
