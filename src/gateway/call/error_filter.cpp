#include "gateway/call/error_filter.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "http/event_stream.h"
#include "http/sse.h"
#include "json/tree.h"

namespace llmgw::gateway {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kErrorName = "\"error\"";

// Where `"error"` stands in `text` from `from` on, or npos. Quotes and letters are everywhere in JSON, two r beside
// each other hardly: they are looked for, sixteen places at a time.
size_t find_error_name(std::string_view text, size_t from) {
#if defined(__SSE2__)
  constexpr size_t kBefore = 2;  // the pair, in the name
  constexpr size_t kStep = 16;
  const __m128i r = _mm_set1_epi8('r');
  const auto load = [&](size_t at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at)); };
  for (; text.size() >= from + kBefore + kStep + 1; from += kStep) {
    const size_t at = from + kBefore;
    const __m128i pairs = _mm_and_si128(_mm_cmpeq_epi8(load(at), r), _mm_cmpeq_epi8(load(at + 1), r));
    auto places = static_cast<uint32_t>(_mm_movemask_epi8(pairs));
    for (; places != 0; places &= places - 1) {
      const size_t start = from + static_cast<size_t>(std::countr_zero(places));
      if (text.substr(start).starts_with(kErrorName)) return start;
    }
  }
#endif
  return text.find(kErrorName, from);
}

// Of a member that is there in good answers, too: {"error": null}.
bool is_unset(std::string_view value) {
  const size_t colon = value.find_first_not_of(kBlanks);
  if (colon == std::string_view::npos || value[colon] != ':') return false;
  const size_t at = value.find_first_not_of(kBlanks, colon + 1);
  return at != std::string_view::npos && value.substr(at).starts_with("null");
}

bool is_error_object(json::Value object) {
  if (!object["error"].is_unset() || !object["delta"]["error"].is_unset()) return true;
  return object["type"].equals("error") || object["object"].equals("error") || object["type"].equals("response.failed");
}

bool is_error(std::string_view document, json::Parser& parser, base::Arena& arena) {
  const auto tree = json::parse_tree(parser, document, arena);
  if (!tree) return false;
  return is_error_object(tree->is_array() ? tree->first_element() : *tree);
}

bool is_error_event(const http::SseEvent& event, json::Parser& parser, base::Arena& arena) {
  return event.event == "error" || event.event == "response.failed" || is_error(event.data, parser, arena);
}

void append_clean_events(std::string_view events, const Secrets& secrets, json::Parser& parser, base::Arena& arena,
                         std::string& out) {
  http::SseReader reader;
  while (!events.empty()) {
    std::string_view rest = events;
    const auto event = reader.next(rest);
    const std::string_view text = events.substr(0, events.size() - rest.size());
    // What is no event is the end of an error that is not whole.
    const bool error = !event || !*event || is_error_event(**event, parser, arena);
    out += redact(text, secrets, arena, error ? Redaction::everything : Redaction::credentials);
    events = rest;
  }
}

void append_clean_messages(std::string_view messages, const Secrets& secrets, base::Arena& arena, std::string& out) {
  http::EventStreamReader reader;
  while (!messages.empty()) {
    std::string_view rest = messages;
    const auto next = reader.next(rest);
    if (!next || !*next) break;
    const http::EventStreamMessage& message = **next;
    const std::string_view text = messages.substr(0, messages.size() - rest.size());
    messages = rest;
    if (message.is_event() || !shows_any(text, secrets)) {
      out += text;
      continue;
    }
    // Every header of an exception is a text.
    std::vector<http::EventStreamField> fields;
    for (const http::EventStreamHeader& header : message.headers) {
      fields.push_back({header.name, redact(header.value, secrets, arena)});
    }
    http::append_event_stream_message(out, fields, redact(message.payload, secrets, arena));
  }
}

}  // namespace

bool says_error_name(std::string_view json) {
  return find_error_name(json, 0) != std::string_view::npos;
}

bool is_event_field(std::string_view text) {
  constexpr std::array<std::string_view, 5> kFields = {"data:", "event:", "id:", "retry:", ":"};
  return std::ranges::any_of(kFields, [text](std::string_view field) { return text.starts_with(field); });
}

bool may_be_error(std::string_view beginning, bool streams) {
  constexpr std::array<std::string_view, 3> kWords = {"true", "false", "null"};
  beginning = beginning.substr(0, kErrorSignBytes);
  const size_t start = beginning.find_first_not_of(kBlanks);
  if (start == std::string_view::npos) return false;
  const std::string_view text = beginning.substr(start);
  if (text.front() != '{' && text.front() != '[') {
    const auto begins_like = [text](std::string_view word) { return word.starts_with(text); };
    if (std::ranges::any_of(kWords, begins_like)) return false;
    return !streams || !is_event_field(text);
  }
  for (size_t at = find_error_name(text, 0); at != std::string_view::npos; at = find_error_name(text, at + 1)) {
    if (!is_unset(text.substr(at + kErrorName.size()))) return true;
  }
  return false;
}

Redaction redaction_of(std::string_view document, json::Parser& parser, base::Arena& arena) {
  const size_t start = document.find_first_not_of(kBlanks);
  // A page of some proxy. Other texts may be what was asked for: a transcript, a file.
  const bool page = start != std::string_view::npos && document[start] == '<';
  return page || is_error(document, parser, arena) ? Redaction::everything : Redaction::credentials;
}

std::string_view ErrorFilter::feed(std::string_view bytes, bool whole, const Secrets& secrets, json::Parser& parser,
                                   base::Arena& arena) {
  held_ += bytes;
  if (!whole && held_.size() < kErrorEventBytesMax) return {};
  clean_.clear();
  if (framing_ == chat::Framing::sse) {
    append_clean_events(held_, secrets, parser, arena, clean_);
  } else {
    clean_ += redact(held_, secrets, arena);
  }
  held_.clear();
  return clean_;
}

std::optional<std::string_view> MessageFilter::feed(std::string_view bytes, std::optional<size_t> before_next,
                                                    bool whole, const Secrets& secrets, base::Arena& arena) {
  if (held_.empty()) before_next_ = before_next;
  held_ += bytes;
  if (!whole && held_.size() < kErrorEventBytesMax) return std::string_view();
  const std::string_view held = held_;
  const size_t begun = std::min(before_next_.value_or(held.size()), held.size());
  if (!before_next_ && shows_any(held, secrets)) return std::nullopt;
  clean_ = held.substr(0, begun);
  append_clean_messages(held.substr(begun), secrets, arena, clean_);
  held_.clear();
  return clean_;
}

}  // namespace llmgw::gateway
