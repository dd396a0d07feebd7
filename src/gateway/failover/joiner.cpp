#include "gateway/failover/joiner.h"

#include <algorithm>

namespace llmgw::gateway {

using chat::EventKind;
using chat::PartKind;
using chat::StreamEvent;

namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n\f\v";

void add(std::optional<uint64_t>& to, const std::optional<uint64_t>& more) {
  if (more) to = to.value_or(0) + *more;
}

void add(chat::Usage& to, const chat::Usage& more) {
  add(to.input, more.input);
  add(to.cache_read, more.cache_read);
  add(to.cache_write, more.cache_write);
  add(to.cache_write_1h, more.cache_write_1h);
  add(to.output, more.output);
  add(to.reasoning, more.reasoning);
}

}  // namespace

std::string_view Joiner::beginning() const {
  const size_t last = text_.find_last_not_of(kWhiteSpace);
  return std::string_view(text_).substr(0, last == std::string::npos ? 0 : last + 1);
}

void Joiner::resume(const chat::Usage& used) {
  add(used_, used);
  again_ = std::string_view(text_).substr(beginning().size());
  resumed_ = true;
  mode_ = Mode::pass;
  first_part_ = parts_end_;
}

void Joiner::event(const StreamEvent& event) {
  if (event.choice != 0) unfit_ = true;
  switch (event.kind) {
    case EventKind::start:
      if (!resumed_) next_.event(event);
      break;
    case EventKind::part_start: start_part(event); break;
    case EventKind::delta: delta(event); break;
    case EventKind::signature:
    case EventKind::citations:
      if (mode_ != Mode::swallow) pass(event);
      break;
    case EventKind::part_stop: stop_part(event); break;
    case EventKind::usage: {
      if (event.answer == nullptr) break;
      chat::Answer answer = *event.answer;
      add(answer.usage, used_);
      StreamEvent sum = event;
      sum.answer = &answer;
      next_.event(sum);
      break;
    }
    case EventKind::finish:
      close_text();
      next_.event(event);
      break;
    case EventKind::end:
    case EventKind::error:
    case EventKind::keep_alive: next_.event(event); break;
  }
}

void Joiner::start_part(const StreamEvent& event) {
  mode_ = Mode::pass;
  const PartKind kind = event.head->kind;
  if (resumed_ && kind == PartKind::thinking) {
    mode_ = Mode::swallow;
    return;
  }
  if (kind == PartKind::text && text_open_) {
    mode_ = Mode::join;
    return;
  }
  close_text();
  if (kind == PartKind::text) {
    unfit_ = unfit_ || text_seen_;
    text_seen_ = text_open_ = true;
    text_part_ = first_part_ + event.part;
  } else if (kind == PartKind::thinking) {
    unfit_ = unfit_ || text_seen_;
    thinking_open_ = true;
  } else {
    unfit_ = true;
  }
  pass(event);
}

void Joiner::delta(const StreamEvent& event) {
  if (mode_ == Mode::swallow) return;
  StreamEvent rest = event;
  if (!again_.empty() && text_open_) {
    const auto same = std::ranges::mismatch(rest.text, again_);
    const auto count = static_cast<size_t>(same.in1 - rest.text.begin());
    rest.text.remove_prefix(count);
    again_.remove_prefix(count);
    if (!rest.text.empty()) again_ = {};
    if (rest.text.empty() && rest.logprobs.empty()) return;
  }
  if (text_open_) note_text(rest.text);
  pass(rest);
}

void Joiner::note_text(std::string_view text) {
  unfit_ = unfit_ || text_.size() + text.size() > kJoinedTextBytesMax;
  if (!unfit_) text_ += text;
}

void Joiner::stop_part(const StreamEvent& event) {
  if (mode_ == Mode::swallow) {
    mode_ = Mode::pass;
    return;
  }
  if (mode_ == Mode::join || (text_open_ && first_part_ + event.part == text_part_)) return close_text();
  thinking_open_ = false;
  pass(event);
}

void Joiner::close_text() {
  if (!text_open_) return;
  text_open_ = false;
  mode_ = Mode::pass;
  next_.event({.kind = EventKind::part_stop, .part = text_part_});
}

// As the client counts the parts.
void Joiner::pass(const StreamEvent& event) {
  StreamEvent numbered = event;
  numbered.part = mode_ == Mode::join ? text_part_ : first_part_ + event.part;
  parts_end_ = std::max(parts_end_, numbered.part + 1);
  next_.event(numbered);
}

}  // namespace llmgw::gateway
