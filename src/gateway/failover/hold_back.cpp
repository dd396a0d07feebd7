#include "gateway/failover/hold_back.h"

#include "gateway/call/event_stream_tap.h"
#include "gateway/call/stream_ending.h"
#include "gateway/conversion/conversion.h"
#include "gateway/failover/first_content.h"

namespace llmgw::gateway {

using chat::Framing;

// By its name, or by what it says.
bool HoldBack::is_error(std::string_view event, std::string_view data) {
  if (event == "error" || event == "response.failed") return true;
  return mentions_error(data) && error_in_event(answer_.asked.dialect, {.name = event, .data = data}, parser_);
}

void HoldBack::judge(std::string_view event, std::string_view data) {
  if (state_ != State::holding) return;
  if (data == "[DONE]") {
    state_ = is_whole() ? State::released : State::cut;
  } else if (data.empty()) {
    return;
  } else if (is_error(event, data) || !is_json(data, parser_)) {
    state_ = State::failed;
  } else if (!is_prelude(event, data)) {
    any_content_ = true;
    if (--contents_left_ == 0) state_ = State::released;
  }
}

void HoldBack::feed_sse(std::string_view bytes) {
  while (state_ == State::holding) {
    auto next = sse_.next(bytes);
    if (!next) state_ = State::failed;
    if (!next || !*next) return;
    judge((*next)->event, (*next)->data);
  }
}

void HoldBack::feed_event_stream(std::string_view bytes) {
  while (state_ == State::holding) {
    auto next = frames_.next(bytes);
    if (!next) state_ = State::failed;
    if (!next || !*next) return;
    const http::EventStreamMessage& message = **next;
    const std::string_view type = message.text(":event-type");
    if (type == "chunk" && unwrap_chunk(message.payload, unwrapped_)) {
      judge(name_inside(unwrapped_).value_or(""), unwrapped_);
      unwrapped_.clear();
    } else if (message.is_event()) {
      judge(type, message.payload);
    } else {
      state_ = State::failed;
    }
  }
}

// Of a model's stream, all of which is here.
bool HoldBack::is_whole() {
  const auto& [asked, framing, type, to_close] = answer_;
  if (!generates(asked.operation)) return true;
  if (framing == Framing::event_stream) return are_whole_frames();
  // Enough of it has come to believe in it: then its end alone is of interest.
  if (framing == Framing::sse && state_ == State::released && ends_with_its_end(held_)) return true;
  return is_whole_stream(held_, asked.dialect, framing, to_close, parser_);
}

bool HoldBack::are_whole_frames() {
  using Payload = EventStreamTap::Payload;
  const bool claude =
      answer_.asked.operation == Operation::invoke_stream || answer_.asked.dialect == chat::Dialect::anthropic;
  EventStreamTap tap(claude ? Payload::wrapped : Payload::plain);
  tap.feed(held_, {});
  return !tap.malformed() && tap.at_boundary() && !failure_of(tap, parser_) && (!answer_.to_close || tap.ended());
}

HoldBack::State HoldBack::feed(std::string_view bytes, bool done) {
  held_.append(bytes);
  switch (answer_.framing) {
    case Framing::sse: feed_sse(bytes); break;
    case Framing::event_stream: feed_event_stream(bytes); break;
    case Framing::json_array:
      if (!array_.feed(bytes, *this) && state_ == State::holding) state_ = State::failed;
      break;
    case Framing::json:
      if (done && !may_be_answer(held_, answer_.type, answer_.asked, parser_)) state_ = State::failed;
      break;
  }
  if (done && answer_.framing != Framing::json && state_ != State::failed && !is_whole()) state_ = State::cut;
  if (state_ == State::holding && (done || held_.size() >= kHeldBytesMax)) state_ = State::released;
  return state_;
}

}  // namespace llmgw::gateway
