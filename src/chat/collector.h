// A stream's events put together into the answer they mean: for clients that want a document from a provider that
// streams, for the store of the Responses API, and for tests. The result equals what the provider would have answered
// unstreamed. Everything is copied into the arena. One thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/arena.h"
#include "chat/stream.h"

namespace llmgw::chat {

class Collector final : public EventSink {
 public:
  // An answer larger than this is not one: 64 MiB holds an hour of audio in base64 or four 4K images.
  static constexpr size_t kAnswerBytesMax = size_t{64} << 20;

  explicit Collector(base::Arena& arena) : arena_(arena) {}

  // Takes legal sequences (those of a Sequencer).
  void event(const StreamEvent& event) override;

  bool ended() const { return ended_; }
  // The stream's error, or that there is too much of it. Texts are in the arena.
  const std::optional<ClientError>& error() const { return error_; }
  // Whole after the end; before it, the parts that are complete so far.
  const Answer& answer() const { return answer_; }

 private:
  struct Building {  // one open part a choice
    uint32_t choice = 0;
    bool open = false;
    Part part = {};
    std::string text = {};
    std::string citations = {};
    std::string logprobs = {};
  };

  Choice& choice_of(uint32_t index);
  Building& building_of(uint32_t index);
  void start(const Answer& answer);
  void start_part(const StreamEvent& event);
  void more(const StreamEvent& event);
  void stop_part(const StreamEvent& event);
  void finish(const StreamEvent& event);
  void fail(const ClientError& error);
  bool charge(size_t bytes);
  Part copied(const Part& part);

  base::Arena& arena_;
  Answer answer_;
  std::vector<Building> building_;
  std::optional<ClientError> error_;
  size_t bytes_ = 0;
  bool ended_ = false;
};

}  // namespace llmgw::chat
