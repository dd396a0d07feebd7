#include "gateway/responses/background_events.h"

#include <array>

#include "base/arena.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::gateway {

namespace state = dialects::openai_responses;

namespace {

constexpr std::string_view kCreated = "response.created";
constexpr std::string_view kFailed = "response.failed";
// No event says "cancelled"; the Response in it does.
constexpr std::string_view kIncomplete = "response.incomplete";
constexpr std::array<std::string_view, 3> kLast{"response.completed", kIncomplete, kFailed};

std::string_view last_type(const json::Value& type) {
  for (const std::string_view last : kLast) {
    if (type.equals(last)) return last;
  }
  return {};
}

void append_response_event(std::string& out, std::string_view type, uint64_t number, std::string_view response) {
  std::string event;
  json::Writer writer(event);
  writer.begin_object().member("type", type).member("sequence_number", number);
  writer.raw_member("response", response).end_object();
  http::append_event(out, type, event);
}

constexpr std::string_view kEventEnd = "\n\n";

}  // namespace

void BackgroundEvents::append(std::string_view type, std::string_view response, std::string& out) {
  append_response_event(out, type, next_++, response);
}

void BackgroundEvents::open(std::string& out) {
  append(kCreated, pending_, out);
}

void BackgroundEvents::feed(std::string_view bytes, std::string& out) {
  while (!bytes.empty() && !damaged_) {
    const auto next = sse_.next(bytes);
    damaged_ = !next.has_value();
    if (damaged_ || !*next) return;
    take(**next, out);
  }
}

void BackgroundEvents::take(const http::SseEvent& event, std::string& out) {
  base::Arena arena;
  const auto root = json::parse_tree(parser_, event.data, arena);
  if (!root || !root->is_object() || !final_type_.empty()) return;
  const json::Value type = (*root)["type"];
  const std::string_view response = (*root)["response"].raw();
  if (type.equals(kCreated) && next_ > 0) return;
  if (final_type_ = last_type(type); !final_type_.empty()) {
    final_ = state::finished_response(arena.copy(response), response_, parser_);
    return;
  }
  std::string renumbered;
  json::Writer writer(renumbered);
  writer.begin_object().member("type", type.string(arena)).member("sequence_number", next_++);
  for (const json::Member member : root->members()) {
    if (member.is("type") || member.is("sequence_number") || member.is("response")) continue;
    writer.raw_member(member.key(arena), member.value.raw());
  }
  const std::string name(type.string(arena));
  if (!response.empty()) {
    // The tree ends with the next use of its parser.
    writer.raw_member("response", state::finished_response(arena.copy(response), response_, parser_));
  }
  writer.end_object();
  http::append_event(out, name, renumbered);
}

void BackgroundEvents::close(std::string_view error, bool cancelled, std::string& out) {
  if (final_.empty() && cancelled) {
    final_ = state::with_status(pending_, "cancelled", parser_);
    final_type_ = kIncomplete;
  } else if (final_.empty()) {
    final_ = state::failed_response(pending_, error, parser_);
    final_type_ = kFailed;
  }
  append(final_type_, final_, out);
}

std::string_view events_from(std::string_view events, uint64_t first, uint64_t wanted) {
  for (; first < wanted; ++first) {
    const size_t end = events.find(kEventEnd);
    if (end == std::string_view::npos) return {};
    events.remove_prefix(end + kEventEnd.size());
  }
  return events;
}

uint64_t count_events(std::string_view events) {
  uint64_t count = 0;
  for (size_t at = events.find(kEventEnd); at != std::string_view::npos; at = events.find(kEventEnd, at + 1)) ++count;
  return count;
}

void append_end(std::string& events, uint64_t number, bool failed, std::string_view response) {
  append_response_event(events, failed ? kFailed : kIncomplete, number, response);
}

}  // namespace llmgw::gateway
