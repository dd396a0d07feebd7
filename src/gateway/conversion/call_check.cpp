#include "gateway/conversion/call_check.h"

#include <algorithm>
#include <utility>

#include "chat/arguments.h"

namespace llmgw::gateway {

using chat::EventKind;
using chat::Finish;
using chat::StreamEvent;

namespace {

// An end after which a client would execute the call.
bool looks_clean(Finish finish) {
  return finish == Finish::tool || finish == Finish::stop || finish == Finish::unknown;
}

}  // namespace

void CallCheck::start(chat::EventSink& next, json::Parser* parser) {
  next_ = &next;
  parser_ = parser;
  open_.clear();
  broken_.clear();
  held_bytes_ = 0;
}

void CallCheck::event(const StreamEvent& event) {
  if (parser_ == nullptr) return next_->event(event);
  const auto call = std::ranges::find_if(
      open_, [&](const Call& one) { return one.choice == event.choice && one.part == event.part; });
  switch (event.kind) {
    case EventKind::part_start:
      if (call == open_.end()) begin(event);
      break;
    case EventKind::delta:
      if (call == open_.end()) break;
      held_bytes_ += event.text.size();
      if (held_bytes_ > kHeldBytesMax) {
        parser_ = nullptr;
        open_.clear();
        break;
      }
      call->arguments += event.text;
      break;
    case EventKind::part_stop:
      if (call != open_.end()) end_call(static_cast<size_t>(call - open_.begin()));
      break;
    case EventKind::finish: return finish(event);
    case EventKind::end: finish_the_rest(); break;
    default: break;
  }
  next_->event(event);
}

void CallCheck::begin(const StreamEvent& event) {
  if (event.head->kind != chat::PartKind::tool_call || event.head->custom) return;
  open_.push_back({.choice = event.choice, .part = event.part, .name = std::string(event.head->name)});
}

void CallCheck::end_call(size_t index) {
  const Call call = std::move(open_[index]);
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
  held_bytes_ -= call.arguments.size();
  const chat::Part part{.kind = chat::PartKind::tool_call, .text = call.arguments};
  const bool whole = chat::executable_arguments(part, *parser_, arena_).has_value();
  arena_.reset();
  if (whole || broken_of(call.choice) != nullptr) return;
  broken_.push_back(
      {.choice = call.choice,
       .message = "The model called the tool '" + call.name + "' with arguments that are no JSON object."});
}

CallCheck::Broken* CallCheck::broken_of(uint32_t choice) {
  const auto found = std::ranges::find(broken_, choice, &Broken::choice);
  return found == broken_.end() ? nullptr : &*found;
}

void CallCheck::finish(const StreamEvent& event) {
  for (size_t i = open_.size(); i > 0; --i) {
    if (open_[i - 1].choice == event.choice) end_call(i - 1);
  }
  Broken* const broken = broken_of(event.choice);
  if (broken == nullptr || event.answer == nullptr || event.answer->choices.empty()) return next_->event(event);
  broken->finished = true;
  chat::Choice choice = event.answer->choices.front();
  if (!looks_clean(choice.finish)) return next_->event(event);
  choice.finish = Finish::malformed_tool;
  choice.explanation = broken->message;
  chat::Answer answer = *event.answer;
  answer.choices = chat::List<chat::Choice>::of(&choice, 1);
  StreamEvent failed = event;
  failed.answer = &answer;
  next_->event(failed);
}

// Some providers never say why they end.
void CallCheck::finish_the_rest() {
  while (!open_.empty()) end_call(open_.size() - 1);
  for (const Broken& broken : broken_) {
    if (broken.finished) continue;
    chat::Choice choice{.index = broken.choice, .finish = Finish::malformed_tool, .explanation = broken.message};
    chat::Answer answer;
    answer.choices = chat::List<chat::Choice>::of(&choice, 1);
    next_->event({.kind = EventKind::finish, .choice = broken.choice, .answer = &answer});
  }
}

}  // namespace llmgw::gateway
