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

void CallCheck::start(chat::EventSink& next, json::Parser& parser, Passing passing, std::string_view format_tool) {
  next_ = &next;
  parser_ = &parser;
  passing_ = passing;
  format_tool_ = format_tool;
  open_.clear();
  broken_.clear();
  held_bytes_ = 0;
  wrapped_ = false;
}

void CallCheck::event(const StreamEvent& event) {
  if (passing_ == Passing::text) return next_->event(event);
  const auto call = std::ranges::find_if(
      open_, [&](const Call& one) { return one.choice == event.choice && one.part == event.part; });
  const bool known = call != open_.end();
  switch (event.kind) {
    case EventKind::part_start:
      if (!known) begin(event);
      break;
    case EventKind::delta:
      if (known) return more(*call, event);
      break;
    case EventKind::part_stop:
      if (known) return end_call(static_cast<size_t>(call - open_.begin()));
      break;
    case EventKind::finish: return finish(event);
    case EventKind::end: finish_the_rest(); break;
    default: break;
  }
  next_->event(event);
}

void CallCheck::begin(const StreamEvent& event) {
  if (event.head->kind != chat::PartKind::tool_call || event.head->custom) return;
  const bool answers = !format_tool_.empty() && event.head->name == format_tool_;
  open_.push_back(
      {.choice = event.choice, .part = event.part, .name = std::string(event.head->name), .passes = answers});
}

void CallCheck::more(Call& call, const StreamEvent& event) {
  if (call.stopped) return;
  held_bytes_ += event.text.size();
  call.arguments += event.text;
  if (call.passes) {
    next_->event(event);
  } else if (!event.logprobs.empty()) {
    StreamEvent bare = event;
    bare.text = {};
    next_->event(bare);
  }
  if (held_bytes_ > kHeldBytesMax) return give_up();
  if (call.passes || passing_ != Passing::pieces) return;
  const size_t first = call.arguments.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || call.arguments[first] != '{') return;
  call.passes = true;
  pass(call, call.arguments);
}

void CallCheck::pass(const Call& call, std::string_view arguments) {
  if (arguments.empty()) return;
  next_->event({.kind = EventKind::delta, .choice = call.choice, .part = call.part, .text = arguments});
}

// The call is over, for the client, too.
void CallCheck::close(size_t index) {
  const StreamEvent stop{.kind = EventKind::part_stop, .choice = open_[index].choice, .part = open_[index].part};
  held_bytes_ -= open_[index].arguments.size();
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
  next_->event(stop);
}

// From now on all goes as it comes.
void CallCheck::give_up() {
  passing_ = Passing::text;
  for (const Call& call : open_) {
    if (!call.passes) pass(call, call.arguments);
    if (call.stopped) next_->event({.kind = EventKind::part_stop, .choice = call.choice, .part = call.part});
  }
  open_.clear();
}

void CallCheck::end_call(size_t index) {
  Call& call = open_[index];
  if (call.stopped) return;
  const chat::Part part{.kind = chat::PartKind::tool_call, .text = call.arguments};
  const auto object = chat::executable_arguments(part, *parser_, arena_);
  if (!object && call.passes) note_broken(call);
  if (object && !call.passes && !call.arguments.empty()) pass(call, *object);
  arena_.reset();
  if (object || call.passes) return close(index);
  call.stopped = true;
  // What comes as a stream cannot wait for the end of it.
  if (passing_ == Passing::pieces) end_broken(index, true);
}

// `clean`: the client would execute it. What was cut is left to the writers, who leave it out.
void CallCheck::end_broken(size_t index, bool clean) {
  const Call& call = open_[index];
  if (clean) {
    pass(call, chat::invalid_arguments(call.arguments, arena_));
    arena_.reset();
    wrapped_ = true;
  } else {
    pass(call, call.arguments);
    note_broken(call);
  }
  close(index);
}

void CallCheck::settle(uint32_t choice, bool clean) {
  for (size_t i = 0; i < open_.size();) {
    const size_t before = open_.size();
    if (open_[i].choice == choice) end_call(i);
    if (i < open_.size() && open_.size() == before && open_[i].choice == choice) end_broken(i, clean);
    if (open_.size() == before) ++i;
  }
}

void CallCheck::note_broken(const Call& call) {
  if (broken_of(call.choice) != nullptr) return;
  broken_.push_back(
      {.choice = call.choice,
       .message = "The model called the tool '" + call.name + "' with arguments that are no JSON object."});
}

CallCheck::Broken* CallCheck::broken_of(uint32_t choice) {
  const auto found = std::ranges::find(broken_, choice, &Broken::choice);
  return found == broken_.end() ? nullptr : &*found;
}

void CallCheck::finish(const StreamEvent& event) {
  const bool says_why = event.answer != nullptr && !event.answer->choices.empty();
  settle(event.choice, !says_why || looks_clean(event.answer->choices.front().finish));
  Broken* const broken = broken_of(event.choice);
  if (broken == nullptr || !says_why) return next_->event(event);
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
  while (!open_.empty()) settle(open_.front().choice, true);
  for (const Broken& broken : broken_) {
    if (broken.finished) continue;
    chat::Choice choice{.index = broken.choice, .finish = Finish::malformed_tool, .explanation = broken.message};
    chat::Answer answer;
    answer.choices = chat::List<chat::Choice>::of(&choice, 1);
    next_->event({.kind = EventKind::finish, .choice = broken.choice, .answer = &answer});
  }
}

}  // namespace llmgw::gateway
