// Where a tool's call stands for an answer in JSON (chat::kFormatToolName), the call is the whole answer: models like
// to say something before it, and a client that wants JSON cannot read that. So text waits until it is known whether
// such a call comes. One thread.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "chat/request.h"
#include "chat/stream.h"

namespace llmgw::gateway {

// Events pass in their order, but texts: those of a choice are left out once the call's part begins, and come before
// whatever else ends the wait. Passes all as it comes if no call was asked for.
class ToolAnswer final : public chat::EventSink {
 public:
  // What waits; with more the text is the answer.
  static constexpr size_t kHeldBytesMax = 64 << 10;

  // `asked`: the model was told to answer by the call.
  void start(chat::EventSink& next, bool asked);
  void event(const chat::StreamEvent& event) override;
  // Nothing more comes: what waits goes on.
  void flush();

 private:
  struct Held {
    chat::EventKind kind;
    uint32_t choice, part;
    std::string text, logprobs;
    chat::Dialect origin;
  };
  struct Place {
    uint32_t choice, part;
    bool operator==(const Place&) const = default;
  };

  void begin(const chat::StreamEvent& event);
  void hold(const chat::StreamEvent& event);
  void release(uint32_t choice);
  bool answered(uint32_t choice) const { return std::ranges::find(answered_, choice) != answered_.end(); }

  chat::EventSink* next_ = nullptr;
  bool waits_ = false;
  size_t held_bytes_ = 0;
  std::vector<Held> held_;
  std::vector<Place> texts_;        // parts that are open and wait, or are left out
  std::vector<uint32_t> answered_;  // choices whose call has begun
};

}  // namespace llmgw::gateway
