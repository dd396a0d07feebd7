#include "gateway/conversion/tool_answer.h"

namespace llmgw::gateway {

using chat::EventKind;
using chat::PartKind;
using chat::StreamEvent;

void ToolAnswer::start(chat::EventSink& next, bool asked) {
  next_ = &next;
  waits_ = asked;
  held_bytes_ = 0;
  held_.clear();
  texts_.clear();
  answered_.clear();
}

void ToolAnswer::event(const StreamEvent& event) {
  if (event.kind == EventKind::part_start) return begin(event);
  const auto text = std::ranges::find(texts_, Place{event.choice, event.part});
  if (text != texts_.end()) {
    const bool out = answered(event.choice);
    // A signature says whose text it is, and cannot wait.
    if (event.kind == EventKind::signature && !out) {
      flush();
      return next_->event(event);
    }
    if (event.kind == EventKind::part_stop) texts_.erase(text);
    return out ? void() : hold(event);
  }
  if (event.kind == EventKind::finish) release(event.choice);
  if (event.kind == EventKind::end || event.kind == EventKind::error) flush();
  next_->event(event);
}

void ToolAnswer::begin(const StreamEvent& event) {
  const bool is_text = event.head->kind == PartKind::text;
  if (is_text && event.head->name == chat::kFormatToolName) {
    std::erase_if(held_, [&](const Held& held) { return held.choice == event.choice; });
    if (waits_) answered_.push_back(event.choice);
    chat::Part head = *event.head;
    head.name = {};
    StreamEvent plain = event;
    plain.head = &head;
    return next_->event(plain);
  }
  if (is_text && (waits_ || answered(event.choice))) {
    texts_.push_back({event.choice, event.part});
    return answered(event.choice) ? void() : hold(event);
  }
  // The client's own tool instead.
  if (event.head->kind == PartKind::tool_call) flush();
  next_->event(event);
}

void ToolAnswer::hold(const StreamEvent& event) {
  held_.push_back({.kind = event.kind,
                   .choice = event.choice,
                   .part = event.part,
                   .text = std::string(event.text),
                   .logprobs = std::string(event.logprobs),
                   .origin = event.head != nullptr ? event.head->origin : chat::Dialect::openai_chat});
  held_bytes_ += event.text.size() + event.logprobs.size();
  if (held_bytes_ > kHeldBytesMax) flush();
}

void ToolAnswer::flush() {
  waits_ = false;
  while (!held_.empty()) release(held_.front().choice);
  std::erase_if(texts_, [&](const Place& place) { return !answered(place.choice); });
}

void ToolAnswer::release(uint32_t choice) {
  std::erase_if(texts_, [&](const Place& place) { return place.choice == choice && !answered(choice); });
  for (const Held& held : held_) {
    if (held.choice != choice) continue;
    const chat::Part head{.origin = held.origin};
    next_->event({.kind = held.kind,
                  .choice = held.choice,
                  .part = held.part,
                  .text = held.text,
                  .logprobs = held.logprobs,
                  .head = &head});
  }
  std::erase_if(held_, [&](const Held& held) { return held.choice == choice; });
}

}  // namespace llmgw::gateway
