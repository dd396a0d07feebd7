#include "chat/stream.h"

namespace llmgw::chat {
namespace {

void sign(const Part& part, StreamEvent event, EventSink& sink) {
  if (!part.has_signature()) return;
  event.kind = EventKind::signature;
  event.head = &part;
  sink.event(event);
}

void explode_part(const Part& part, uint32_t choice, uint32_t number, std::string_view logprobs, EventSink& sink) {
  Part head = part;
  const bool opaque = part.kind == PartKind::opaque;
  if (!opaque) head.text = {};
  head.signature = nullptr;
  head.citations = {};
  StreamEvent event{.kind = EventKind::part_start, .choice = choice, .part = number, .head = &head};
  sink.event(event);
  // Dialects without a place for it on such a part write it as a part of its own, in front.
  const bool signed_first = part.kind != PartKind::thinking;
  if (signed_first) sign(part, event, sink);
  if (!opaque && (!part.text.empty() || !logprobs.empty())) {
    event.kind = EventKind::delta;
    event.head = nullptr;
    event.text = part.text;
    event.logprobs = logprobs;
    sink.event(event);
    event.logprobs = {};
  }
  if (!part.citations.empty()) {
    event.kind = EventKind::citations;
    event.head = &part;
    event.text = part.citations;
    sink.event(event);
  }
  event.text = {};
  if (!signed_first) sign(part, event, sink);
  event.kind = EventKind::part_stop;
  event.head = nullptr;
  sink.event(event);
}

}  // namespace

void explode(const Answer& answer, EventSink& sink) {
  sink.event({.kind = EventKind::start, .answer = &answer});
  for (const Choice& choice : answer.choices) {
    uint32_t number = 0;
    bool logprobs_sent = false;
    for (const Part& part : choice.parts) {
      // Logprobs belong to the choice's text: they go with its first part.
      const bool carries = !logprobs_sent && part.kind == PartKind::text;
      explode_part(part, choice.index, number++, carries ? choice.logprobs : std::string_view{}, sink);
      logprobs_sent |= carries;
    }
    Answer one = answer;
    one.choices = {};
    one.usage = {};
    Choice last = choice;
    // A List of one, without an arena: the sink only reads it.
    one.choices = List<Choice>::of(&last, 1);
    sink.event({.kind = EventKind::finish, .choice = choice.index, .answer = &one});
  }
  sink.event({.kind = EventKind::usage, .answer = &answer});
  sink.event({.kind = EventKind::end});
}

}  // namespace llmgw::chat
