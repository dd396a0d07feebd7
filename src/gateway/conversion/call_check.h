// Clients of most APIs execute what they are given as a call: they must not be given arguments that nobody wrote. A
// call whose arguments are no JSON object in the end, since the model failed to make it, is given to such a client with
// what the model wrote as its one member (chat/arguments.h), which no tool takes for its own: the client tells the
// model, which may try again. Where that cannot be, because the answer was cut in the middle of the call or pieces of
// it are with the client already, the call is noted here, and where its choice would end as if all were well it ends as
// a failed call instead. Pure; one stream, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "chat/stream.h"
#include "json/reader.h"

namespace llmgw::gateway {

class CallCheck final : public chat::EventSink {
 public:
  // Arguments that wait for their end; with more they are no longer looked at.
  static constexpr size_t kHeldBytesMax = size_t{16} << 20;

  // How arguments go on to the client.
  enum class Passing : uint8_t {
    text,    // as they come, whatever they are: its API has them as text, and it looks itself
    pieces,  // as they come, once they begin as an object
    whole,   // each call's in one piece
  };
  // `parser`: not the reader's, which is in the middle of an event. `format_tool` is no call for the client, but its
  // answer; it must outlive the stream.
  void start(chat::EventSink& next, json::Parser& parser, Passing passing, std::string_view format_tool);
  void event(const chat::StreamEvent& event) override;
  // Whether a call came whose arguments are no JSON object, and were not made one.
  bool any_broken() const { return !broken_.empty(); }
  // Whether arguments were made an object.
  bool any_wrapped() const { return wrapped_; }

 private:
  struct Call {
    uint32_t choice = 0, part = 0;
    std::string name = {};
    std::string arguments = {};
    bool passes = false;   // its pieces go on; else none has
    bool stopped = false;  // it is broken, and waits for the reason that its choice ends with
  };
  struct Broken {
    uint32_t choice = 0;
    std::string message = {};
    bool finished = false;  // its choice has been given an end
  };

  void begin(const chat::StreamEvent& event);
  void more(Call& call, const chat::StreamEvent& event);
  void end_call(size_t index);
  void end_broken(size_t index, bool clean);
  void settle(uint32_t choice, bool clean);
  void finish(const chat::StreamEvent& event);
  void finish_the_rest();
  void give_up();
  void pass(const Call& call, std::string_view arguments);
  void close(size_t index);
  void note_broken(const Call& call);
  Broken* broken_of(uint32_t choice);

  chat::EventSink* next_ = nullptr;
  json::Parser* parser_ = nullptr;
  Passing passing_ = Passing::text;
  std::string_view format_tool_;
  base::Arena arena_;  // of the call at hand
  std::vector<Call> open_;
  std::vector<Broken> broken_;  // one a choice
  size_t held_bytes_ = 0;
  bool wrapped_ = false;
};

}  // namespace llmgw::gateway
