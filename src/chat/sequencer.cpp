#include "chat/sequencer.h"

#include <algorithm>
#include <utility>

#include "json/array.h"

namespace llmgw::chat {
namespace {

constexpr size_t kHalfBytes = 3;  // of a surrogate in WTF-8 (json/text.h)

bool ends_in_half(std::string_view text) {
  if (text.size() < kHalfBytes) return false;
  const auto byte = [&](size_t from_end) { return static_cast<unsigned char>(text[text.size() - from_end]); };
  return byte(3) == 0xED && (byte(2) & 0xF0U) == 0xA0;
}

}  // namespace

void merge_usage(Usage& usage, const Usage& later) {
  const auto take = [](auto& to, const auto& from) {
    if (from) to = from;
  };
  take(usage.input, later.input);
  take(usage.cache_read, later.cache_read);
  take(usage.cache_write, later.cache_write);
  take(usage.cache_write_1h, later.cache_write_1h);
  take(usage.output, later.output);
  take(usage.reasoning, later.reasoning);
}

void Sequencer::event(const StreamEvent& event) {
  if (over_) return;
  switch (event.kind) {
    case EventKind::keep_alive: next_.event(event); break;
    case EventKind::start:
      if (event.answer != nullptr) merge_usage(usage_, event.answer->usage);
      if (!started_) start(&event);
      break;
    case EventKind::part_start: start_part(event); break;
    case EventKind::delta:
    case EventKind::signature:
    case EventKind::citations: more(event); break;
    case EventKind::part_stop: {
      ChoiceState* const choice = choice_of(event);
      if (choice == nullptr) break;
      if (choice->open && choice->number == event.part) {
        stop_part(*choice);
      } else if (Waiting* const part = waiting_part(event.choice, event.part)) {
        part->stopped = true;
      }
      break;
    }
    case EventKind::usage:
      if (event.answer != nullptr) merge_usage(usage_, event.answer->usage);
      break;
    case EventKind::finish: note_finish(event); break;
    case EventKind::end: finish(); break;
    case EventKind::error:
      if (event.error != nullptr) fail(*event.error);
      break;
  }
}

void Sequencer::transport_ended() {
  if (!over_) fail_with("the provider's answer ended before it was complete");
}

void Sequencer::fail(const ClientError& error) {
  if (over_) return;
  over_ = failed_ = true;
  next_.event({.kind = EventKind::error, .error = &error});
}

void Sequencer::fail_with(std::string_view message) {
  fail({.kind = ErrorKind::upstream_failed, .message = message});
}

bool Sequencer::charge(size_t bytes) {
  kept_bytes_ += bytes;
  if (kept_bytes_ <= kWaitingBytesMax) return true;
  fail_with("the provider's answer has too much in parallel");
  return false;
}

void Sequencer::start(const StreamEvent* event) {
  started_ = true;
  Answer answer;
  if (event != nullptr && event->answer != nullptr) answer = *event->answer;
  answer.choices = {};
  answer.usage = usage_;
  next_.event({.kind = EventKind::start, .answer = &answer});
}

Sequencer::ChoiceState* Sequencer::choice_of(const StreamEvent& event) {
  for (ChoiceState& choice : choices_) {
    if (choice.index == event.choice) return &choice;
  }
  if (choices_.size() == kChoicesMax) {
    fail_with("the provider's answer has too many choices");
    return nullptr;
  }
  choices_.push_back({.index = event.choice});
  choices_.back().finish.index = event.choice;
  return &choices_.back();
}

Sequencer::Waiting* Sequencer::waiting_part(uint32_t choice, uint32_t number) {
  for (Waiting& part : waiting_) {
    if (part.choice == choice && part.number == number) return &part;
  }
  return nullptr;
}

void Sequencer::start_part(const StreamEvent& event) {
  if (event.head == nullptr) return;
  if (!started_) start(nullptr);
  ChoiceState* const choice = choice_of(event);
  if (choice == nullptr) return;
  if ((choice->open && choice->number == event.part) || waiting_part(event.choice, event.part) != nullptr) return;
  if (++parts_ > kPartsMax) return fail_with("the provider's answer has too many parts");
  any_content_ = true;
  choice->highest = std::max(choice->highest, event.part + 1);
  if (event.head->kind == PartKind::tool_call) choice->any_tool_call = true;
  if (!choice->open) {
    choice->open = true;
    choice->number = event.part;
    next_.event(event);
    return;
  }
  Waiting part{.choice = event.choice, .number = event.part, .head = *event.head};
  for (std::string_view* text : {&part.head.text, &part.head.id, &part.head.name}) {
    if (!charge(text->size())) return;
    *text = arena_.copy(*text);
  }
  if (part.head.media != nullptr && !keep_media(part)) return;
  part.head.signature = nullptr;
  part.head.media = nullptr;
  part.head.citations = {};
  part.head.content = {};
  waiting_.push_back(std::move(part));
}

bool Sequencer::keep_media(Waiting& part) {
  part.media = *part.head.media;
  for (std::string_view* text :
       {&part.media.data, &part.media.media_type, &part.media.detail, &part.media.context, &part.media.metadata}) {
    if (!charge(text->size())) return false;
    *text = arena_.copy(*text);
  }
  part.has_media = true;
  return true;
}

void Sequencer::more(const StreamEvent& event) {
  if (event.kind == EventKind::delta && event.text.empty() && event.logprobs.empty()) return;
  ChoiceState* choice = choice_of(event);
  if (choice == nullptr) return;
  if (event.kind == EventKind::delta && event.part >= choice->highest) {
    // Text without a part it belongs to: it is one of its own.
    const Part head{.kind = PartKind::text};
    start_part({.kind = EventKind::part_start, .choice = event.choice, .part = event.part, .head = &head});
    if (over_) return;
    choice = choice_of(event);
  }
  if (choice->open && choice->number == event.part) {
    if (event.kind == EventKind::delta) return pass_whole_characters(*choice, event);
    return next_.event(event);
  }
  if (Waiting* const part = waiting_part(event.choice, event.part); part != nullptr && !part->stopped) {
    keep_waiting(*part, event);
  }
}

// Providers cut between the halves of a surrogate pair; clients that print what they get must not see halves.
void Sequencer::pass_whole_characters(ChoiceState& choice, const StreamEvent& event) {
  if (choice.half.empty() && !ends_in_half(event.text)) return next_.event(event);
  std::string text = std::move(choice.half);
  text += event.text;
  choice.half.clear();
  if (ends_in_half(text)) {
    choice.half = text.substr(text.size() - kHalfBytes);
    text.resize(text.size() - kHalfBytes);
  }
  if (text.empty() && event.logprobs.empty()) return;
  StreamEvent whole = event;
  whole.text = text;
  next_.event(whole);
}

void Sequencer::keep_waiting(Waiting& part, const StreamEvent& event) {
  if (!charge(event.text.size() + event.logprobs.size())) return;
  switch (event.kind) {
    case EventKind::delta:
      part.text += event.text;
      json::append_elements(part.logprobs, event.logprobs);
      break;
    case EventKind::citations:
      json::append_elements(part.citations, event.text);
      if (event.head != nullptr) part.citations_origin = event.head->origin;
      break;
    default:
      if (event.head == nullptr || !event.head->has_signature()) return;
      part.signature = *event.head->signature;
      for (std::string_view* text : {&part.signature.model, &part.signature.id, &part.signature.data}) {
        if (!charge(text->size())) return;
        *text = arena_.copy(*text);
      }
      part.has_signature = true;
  }
}

void Sequencer::stop_part(ChoiceState& choice) {
  const uint32_t index = choice.index;
  choice.open = false;
  if (!choice.half.empty()) {
    next_.event({.kind = EventKind::delta, .choice = index, .part = choice.number, .text = choice.half});
    choice.half.clear();
  }
  next_.event({.kind = EventKind::part_stop, .choice = index, .part = choice.number});
  // The next one that waited takes its place; what is complete already passes through.
  for (size_t i = 0; i < waiting_.size();) {
    if (waiting_[i].choice != index) {
      ++i;
      continue;
    }
    Waiting part = std::move(waiting_[i]);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    release(part);
    if (!part.stopped) {
      choice.open = true;
      choice.number = part.number;
      return;
    }
    next_.event({.kind = EventKind::part_stop, .choice = index, .part = part.number});
  }
}

void Sequencer::release(Waiting& part) {
  if (part.has_media) part.head.media = &part.media;
  StreamEvent event{.kind = EventKind::part_start, .choice = part.choice, .part = part.number, .head = &part.head};
  next_.event(event);
  event.head = nullptr;
  if (!part.text.empty() || !part.logprobs.empty()) {
    event.kind = EventKind::delta;
    event.text = part.text;
    event.logprobs = part.logprobs;
    next_.event(event);
  }
  event.logprobs = {};
  part.head.signature = &part.signature;
  part.head.origin = part.citations.empty() ? part.head.origin : part.citations_origin;
  event.head = &part.head;
  if (!part.citations.empty()) {
    event.kind = EventKind::citations;
    event.text = part.citations;
    next_.event(event);
  }
  event.text = {};
  if (part.has_signature) {
    event.kind = EventKind::signature;
    next_.event(event);
  }
}

void Sequencer::note_finish(const StreamEvent& event) {
  if (event.answer == nullptr || event.answer->choices.empty()) return;
  ChoiceState* const choice = choice_of(event);
  if (choice == nullptr) return;
  const Choice& said = event.answer->choices.front();
  // A stop that comes after a better reason does not replace it.
  if (said.finish != Finish::unknown || choice->finish.finish == Finish::unknown) choice->finish.finish = said.finish;
  choice->finish.context_window |= said.context_window;
  choice->finish.at_sequence |= said.at_sequence;
  const auto keep = [this](std::string_view& to, std::string_view from) {
    if (!from.empty() && to != from && charge(from.size())) to = arena_.copy(from);
  };
  keep(choice->finish.stop_sequence, said.stop_sequence);
  keep(choice->finish.native_finish, said.native_finish);
  keep(choice->finish.explanation, said.explanation);
}

bool Sequencer::finish_said() const {
  return !choices_.empty() && std::ranges::all_of(choices_, [](const ChoiceState& choice) {
    return choice.finish.finish != Finish::unknown;
  });
}

void Sequencer::finish() {
  if (!started_) start(nullptr);
  const auto said = [](const ChoiceState& choice) { return choice.finish.finish != Finish::unknown; };
  // Some providers never say why they end; but one that said it of one choice has left the others unfinished.
  if (std::ranges::any_of(choices_, said) && !finish_said()) return transport_ended();
  // Clients are promised a first choice.
  if (std::ranges::none_of(choices_, [](const ChoiceState& choice) { return choice.index == 0; })) {
    choices_.insert(choices_.begin(), ChoiceState{});
  }
  for (ChoiceState& choice : choices_) {
    while (choice.open) stop_part(choice);
  }
  for (ChoiceState& choice : choices_) {
    Choice last = choice.finish;
    // Gemini and many others say "stop" also where they call tools.
    if (choice.any_tool_call && (last.finish == Finish::stop || last.finish == Finish::unknown)) {
      last.finish = Finish::tool;
    }
    Answer answer;
    answer.choices = List<Choice>::of(&last, 1);
    next_.event({.kind = EventKind::finish, .choice = choice.index, .answer = &answer});
  }
  Answer answer;
  answer.usage = usage_;
  next_.event({.kind = EventKind::usage, .answer = &answer});
  over_ = true;
  next_.event({.kind = EventKind::end});
}

}  // namespace llmgw::chat
