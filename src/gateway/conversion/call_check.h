// Clients of most APIs execute what they are given as a call: they must not be given arguments that nobody wrote. A
// call whose arguments are no JSON object in the end (the model failed to make it, or the answer was cut in the middle
// of them) is noted here, and where its choice would end as if all were well it ends as a failed call instead. What is
// said of the call itself is the writers' matter (chat/arguments.h). Pure; one stream, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/arena.h"
#include "chat/stream.h"
#include "json/reader.h"

namespace llmgw::gateway {

class CallCheck final : public chat::EventSink {
 public:
  // Arguments that wait for their end; with more they are no longer looked at.
  static constexpr size_t kHeldBytesMax = size_t{16} << 20;

  // `parser`: not the reader's, which is in the middle of an event. Null: the client's API has arguments as text, and
  // its clients look themselves; all passes as it comes.
  void start(chat::EventSink& next, json::Parser* parser);
  void event(const chat::StreamEvent& event) override;
  // Whether a call came whose arguments are no JSON object.
  bool any_broken() const { return !broken_.empty(); }

 private:
  struct Call {
    uint32_t choice = 0, part = 0;
    std::string name = {};
    std::string arguments = {};
  };
  struct Broken {
    uint32_t choice = 0;
    std::string message = {};
    bool finished = false;  // its choice has been given an end
  };

  void begin(const chat::StreamEvent& event);
  void end_call(size_t index);
  void finish(const chat::StreamEvent& event);
  void finish_the_rest();
  Broken* broken_of(uint32_t choice);

  chat::EventSink* next_ = nullptr;
  json::Parser* parser_ = nullptr;
  base::Arena arena_;  // of the call at hand
  std::vector<Call> open_;
  std::vector<Broken> broken_;  // one a choice
  size_t held_bytes_ = 0;
};

}  // namespace llmgw::gateway
