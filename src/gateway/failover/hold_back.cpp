#include "gateway/failover/hold_back.h"

#include <algorithm>
#include <array>

#include "gateway/call/event_stream_tap.h"
#include "gateway/failover/first_content.h"

namespace llmgw::gateway {
namespace {

using chat::Framing;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// What an event of an error begins with, whatever follows: OpenAI's and Google's object, Anthropic's and the Responses
// API's type.
bool is_error(std::string_view event, std::string_view data) {
  if (event == "error" || event == "response.failed") return true;
  constexpr size_t kBeginning = 48;
  const std::string_view beginning = data.substr(0, kBeginning);
  constexpr std::array<std::string_view, 4> kSigns{"{\"error\"", "{ \"error\"", "\"type\":\"error\"",
                                                   "\"type\": \"error\""};
  return std::ranges::any_of(kSigns, [&](std::string_view sign) { return contains(beginning, sign); }) ||
         contains(beginning, "\"response.failed\"");
}

}  // namespace

bool HoldBack::is_json(std::string_view data) {
  const auto document = parser_.parse(data);
  if (!document) return false;
  json::Reader reader(*document);
  reader.skip();
  return reader.finish().has_value();
}

void HoldBack::judge(std::string_view event, std::string_view data) {
  if (state_ != State::holding) return;
  if (data == "[DONE]") {
    state_ = State::released;
  } else if (data.empty()) {
    return;
  } else if (is_error(event, data) || !is_json(data)) {
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

// A whole document that says that it is none, or is no JSON.
void HoldBack::judge_document() {
  const size_t start = held_.find_first_not_of(" \t\r\n");
  if (start == std::string::npos) return;
  const std::string_view document = std::string_view(held_).substr(start);
  const bool object = document.front() == '{' || document.front() == '[';
  if (object && (is_error({}, document) || !is_json(document))) state_ = State::failed;
}

HoldBack::State HoldBack::feed(std::string_view bytes, bool done) {
  held_.append(bytes);
  switch (framing_) {
    case Framing::sse: feed_sse(bytes); break;
    case Framing::event_stream: feed_event_stream(bytes); break;
    case Framing::json_array:
      if (!array_.feed(bytes, *this) && state_ == State::holding) state_ = State::failed;
      break;
    case Framing::json:
      if (done) judge_document();
      break;
  }
  if (state_ == State::holding && (done || held_.size() >= kHeldBytesMax)) state_ = State::released;
  return state_;
}

}  // namespace llmgw::gateway
