// A streamed answer as neutral events. A reader of some dialect makes them, a writer of another one turns them into its
// own; in between a Sequencer (chat/sequencer.h) makes any sequence legal, so writers need not defend themselves.
//
// Legal: start, then for each choice any number of parts, one after the other: part_start, deltas (and at most one
// signature, at most one citations for each citation), part_stop; then, once everything is over: finish for each
// choice, usage, end. Or, anywhere, error, which is the last. keep_alive anywhere before the last. One thread. Views
// live until the call returns.
#pragma once

#include <cstdint>
#include <string_view>

#include "chat/answer.h"
#include "chat/error.h"
#include "chat/message.h"

namespace llmgw::chat {

enum class EventKind : uint8_t {
  start,       // answer: id, model, created, usage so far
  part_start,  // head: kind, id, name, redacted, origin (opaque: also text); `text` is not part of it but for opaque
  delta,       // text: more of the part's text or arguments; logprobs
  signature,   // head->signature: of the open part, whole
  citations,   // text: JSON array of further citations in the dialect head->origin
  part_stop,
  usage,   // answer->usage: cumulative; later counts replace earlier ones, absent ones leave them
  finish,  // answer->choices[0]: index, finish, stop_sequence, native_finish, explanation
  end,     // the provider said that it is over
  error,   // error: the stream is broken; what came is not the whole
  keep_alive,
};

struct StreamEvent {
  EventKind kind = EventKind::keep_alive;
  uint32_t choice = 0;
  uint32_t part = 0;  // reader's number of the part within the choice; any number, the same in all events of the part
  std::string_view text = {};
  std::string_view logprobs = {};  // delta: JSON array of OpenAI's token logprobs for this text
  const Part* head = nullptr;      // part_start, signature, citations
  const Answer* answer = nullptr;  // start, usage, finish
  const ClientError* error = nullptr;
};

class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void event(const StreamEvent& event) = 0;
};

// One event on the wire, without its framing (SSE, JSON array, AWS frame).
struct WireEvent {
  std::string_view name;  // SSE's event field, AWS's :event-type or :exception-type; empty if the dialect names none
  std::string_view data;
  bool exception = false;  // AWS: an exception frame
};

class WireSink {
 public:
  virtual ~WireSink() = default;
  virtual void event(const WireEvent& event) = 0;
};

// Emits the events of a whole answer: for clients that want a stream from a provider that gave a document. Texts are
// one delta each.
void explode(const Answer& answer, EventSink& sink);

}  // namespace llmgw::chat
