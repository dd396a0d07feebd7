#include "chat/collector.h"

#include "json/array.h"

namespace llmgw::chat {

void Collector::event(const StreamEvent& event) {
  if (error_ || ended_) return;
  switch (event.kind) {
    case EventKind::start: start(*event.answer); break;
    case EventKind::part_start: start_part(event); break;
    case EventKind::delta:
    case EventKind::signature:
    case EventKind::citations: more(event); break;
    case EventKind::part_stop: stop_part(event); break;
    case EventKind::finish: finish(event); break;
    case EventKind::usage: answer_.usage = event.answer->usage; break;
    case EventKind::end: ended_ = true; break;
    case EventKind::error: fail(*event.error); break;
    case EventKind::keep_alive: break;
  }
}

bool Collector::charge(size_t bytes) {
  bytes_ += bytes;
  if (bytes_ <= kAnswerBytesMax) return true;
  fail({.kind = ErrorKind::upstream_failed, .message = "the provider's answer is too large"});
  return false;
}

void Collector::fail(const ClientError& error) {
  error_ = error;
  error_->message = arena_.copy(error.message);
  error_->param = arena_.copy(error.param);
  error_->code = arena_.copy(error.code);
}

void Collector::start(const Answer& answer) {
  answer_.id = arena_.copy(answer.id);
  answer_.model = arena_.copy(answer.model);
  answer_.created = answer.created;
  answer_.usage = answer.usage;
  answer_.service_tier = arena_.copy(answer.service_tier);
  answer_.system_fingerprint = arena_.copy(answer.system_fingerprint);
}

Choice& Collector::choice_of(uint32_t index) {
  for (Choice& choice : answer_.choices) {
    if (choice.index == index) return choice;
  }
  return answer_.choices.push(arena_, {.index = index});
}

Collector::Building& Collector::building_of(uint32_t index) {
  for (Building& building : building_) {
    if (building.choice == index) return building;
  }
  building_.push_back({.choice = index});
  return building_.back();
}

Part Collector::copied(const Part& part) {
  Part copy = part;
  copy.text = arena_.copy(part.text);
  copy.id = arena_.copy(part.id);
  copy.name = arena_.copy(part.name);
  copy.citations = {};
  copy.signature = nullptr;
  copy.content = {};
  copy.media = nullptr;
  if (part.media != nullptr) {
    copy.media = arena_.make<Media>(Media{.source = part.media->source,
                                          .data = arena_.copy(part.media->data),
                                          .media_type = arena_.copy(part.media->media_type),
                                          .detail = arena_.copy(part.media->detail),
                                          .context = arena_.copy(part.media->context),
                                          .metadata = arena_.copy(part.media->metadata),
                                          .citations = part.media->citations});
  }
  return copy;
}

void Collector::start_part(const StreamEvent& event) {
  if (!charge(event.head->text.size() + (event.head->media != nullptr ? event.head->media->data.size() : 0))) return;
  Building& building = building_of(event.choice);
  building.open = true;
  building.part = copied(*event.head);
  building.text.clear();
  building.citations.clear();
  if (building.part.kind != PartKind::opaque) building.part.text = {};
}

void Collector::more(const StreamEvent& event) {
  if (!charge(event.text.size() + event.logprobs.size())) return;
  Building& building = building_of(event.choice);
  if (!building.open) return;
  if (event.kind == EventKind::delta) {
    building.text += event.text;
    json::append_elements(building.logprobs, event.logprobs);
  } else if (event.kind == EventKind::citations) {
    json::append_elements(building.citations, event.text);
    if (event.head != nullptr) building.part.origin = event.head->origin;
  } else if (event.head != nullptr && event.head->has_signature()) {
    const Signature& said = *event.head->signature;
    if (!charge(said.data.size())) return;
    building.part.signature = arena_.make<Signature>(Signature{.minter = said.minter,
                                                               .place = said.place,
                                                               .model = arena_.copy(said.model),
                                                               .id = arena_.copy(said.id),
                                                               .data = arena_.copy(said.data)});
  }
}

void Collector::stop_part(const StreamEvent& event) {
  Building& building = building_of(event.choice);
  if (!building.open) return;
  building.open = false;
  if (building.part.kind != PartKind::opaque || !building.text.empty()) {
    building.part.text = arena_.copy(building.text);
  }
  building.part.citations = arena_.copy(building.citations);
  choice_of(event.choice).parts.push(arena_, building.part);
}

void Collector::finish(const StreamEvent& event) {
  const Choice& said = event.answer->choices.front();
  Choice& choice = choice_of(event.choice);
  choice.finish = said.finish;
  choice.context_window = said.context_window;
  choice.at_sequence = said.at_sequence;
  choice.stop_sequence = arena_.copy(said.stop_sequence);
  choice.native_finish = arena_.copy(said.native_finish);
  choice.explanation = arena_.copy(said.explanation);
  choice.logprobs = arena_.copy(building_of(event.choice).logprobs);
}

}  // namespace llmgw::chat
