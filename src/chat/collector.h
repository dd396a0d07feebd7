// A stream's events put together into the answer they mean: for clients that want a document from a provider that
// streams, for the store of the Responses API, and for tests. The result equals what the provider would have answered
// unstreamed. Copies everything into the arena. One thread.
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
  // The stream's error, or too much text. Texts are in the arena.
  const std::optional<ClientError>& error() const { return error_; }
  // After end.
  const Answer& answer() const { return answer_; }

 private:
  struct Building {
    uint32_t choice;
    Part part;
    std::string text;
    std::string citations;
  };
  struct Logprobs {
    uint32_t choice;
    std::string text;
  };

  Choice& choice(uint32_t index);
  void close_part(uint32_t choice);

  base::Arena& arena_;
  Answer answer_;
  std::vector<Building> open_;
  std::vector<Logprobs> logprobs_;
  std::optional<ClientError> error_;
  size_t bytes_ = 0;
  bool ended_ = false;
};

}  // namespace llmgw::chat
