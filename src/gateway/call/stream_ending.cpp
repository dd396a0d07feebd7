#include "gateway/call/stream_ending.h"

#include <algorithm>
#include <cstring>

#include "accounting/usage_scanner.h"
#include "base/arena.h"
#include "dialects/openai/error_reader.h"
#include "gateway/call/error_filter.h"
#include "gateway/call/event_stream_tap.h"
#include "http/sse.h"
#include "json/array_splitter.h"
#include "json/tree.h"

namespace llmgw::gateway {
namespace {

using chat::ErrorKind;
using chat::Framing;

constexpr std::string_view kBlanks = " \t\r\n";

// Of an event that comes in several pieces, until it is doubtful: an error has its name before that.
constexpr size_t kOpenBytesMax = 4 << 10;

// Members that are there in good answers, too, are null, empty or of another type there.
bool says_error(json::Value object) {
  using dialects::openai::is_error_value;
  return dialects::openai::error_in(object).present() || is_error_value(object["delta"]["error"]) ||
         is_error_value(object["choices"].first_element()["error"]) || object["type"].equals("response.failed");
}

bool says_error(std::string_view document, json::Parser& parser, base::Arena& arena) {
  const auto tree = json::parse_tree(parser, document, arena);
  if (!tree) return false;
  return says_error(tree->is_array() ? tree->first_element() : *tree);
}

struct KindSink final : chat::EventSink {
  void event(const chat::StreamEvent& event) override {
    if (event.kind == chat::EventKind::error && !kind) kind = event.error->kind;
  }
  std::optional<ErrorKind> kind;
};

// Where the event begins that `bytes` end in the middle of; npos: in an earlier piece.
size_t behind_last_blank_line(std::string_view bytes) {
  const auto last_end = [&](size_t size) {
    const void* const found = ::memrchr(bytes.data(), '\n', size);
    return found == nullptr ? std::string_view::npos
                            : static_cast<size_t>(static_cast<const char*>(found) - bytes.data());
  };
  size_t end = last_end(bytes.size());
  while (end != std::string_view::npos) {
    const size_t before = last_end(end);
    if (before == std::string_view::npos) break;
    const std::string_view line = bytes.substr(before + 1, end - before - 1);
    if (line.empty() || line == "\r") return end + 1;
    end = before;
  }
  return std::string_view::npos;
}

}  // namespace

const dialects::Codec& codec_of(chat::Dialect dialect) {
  const dialects::Codec* const codec = dialects::find_codec(dialect);
  return codec != nullptr ? *codec : *dialects::find_codec(chat::Dialect::openai_chat);
}

std::optional<ErrorKind> error_in_event(chat::Dialect dialect, const chat::WireEvent& event, json::Parser& parser) {
  base::Arena arena;
  const bool named = event.exception || event.name == "error" || event.name == "response.failed";
  if (!named && !says_error(event.data, parser, arena)) return std::nullopt;
  const dialects::ReadContext context{.parser = parser, .arena = arena};
  KindSink sink;
  codec_of(dialect).make_stream_reader(context)->read(event, sink);
  return sink.kind.value_or(ErrorKind::upstream_failed);
}

std::optional<ErrorKind> error_in_document(chat::Dialect dialect, std::string_view document, json::Parser& parser) {
  const size_t start = document.find_first_not_of(kBlanks);
  if (start == std::string_view::npos) return std::nullopt;
  if (document[start] == '<') return ErrorKind::upstream_failed;
  base::Arena arena;
  if (!says_error(document, parser, arena)) return std::nullopt;
  const dialects::ReadContext context{.parser = parser, .arena = arena};
  return codec_of(dialect).read_error(0, document, {}, context).kind;
}

std::optional<ErrorKind> failure_of(const EventStreamTap& tap, json::Parser& parser) {
  using chat::Dialect;
  if (tap.exception()) {
    return error_in_event(Dialect::bedrock, {.name = tap.exception_type(), .data = "{}", .exception = true}, parser);
  }
  if (const std::string_view said = tap.said_error(); !said.empty()) {
    return error_in_event(Dialect::anthropic, {.name = "error", .data = said}, parser);
  }
  if (tap.end_known() && !tap.stopped()) return ErrorKind::upstream_failed;
  return std::nullopt;
}

bool is_plain_json(const http::ResponseHead& head) {
  return head.status == 200 && head.framing != http::Framing::none &&
         head.headers.value(http::HeaderId::content_encoding).empty() &&
         head.headers.value(http::HeaderId::content_type).find("json") != std::string_view::npos;
}

bool only_close_ends(const http::ResponseHead& head) {
  return head.framing == http::Framing::until_close && head.version != http::Version::http_2;
}

bool is_whole_document(std::string_view document) {
  accounting::UsageScanner scanner(chat::Dialect::openai_chat, Framing::json);
  scanner.feed(document);
  return scanner.whole();
}

std::optional<size_t> bytes_before_malformed(std::string_view events, bool between, chat::Dialect dialect) {
  const auto malformed = [dialect](std::string_view event) {
    accounting::UsageScanner scanner(dialect, Framing::sse);
    scanner.feed(event);
    return scanner.malformed();
  };
  dialects::StreamBoundary boundary(Framing::sse);
  bool begun = !between;
  size_t start = 0;
  for (size_t at = 0; at < events.size(); ++at) {
    boundary.feed(events.substr(at, 1));
    if (events[at] != '\n' || !boundary.at_boundary()) continue;
    if (!begun && malformed(events.substr(start, at + 1 - start))) return start;
    begun = false;
    start = at + 1;
  }
  if (!begun && malformed(events.substr(start))) return start;
  return std::nullopt;
}

bool is_whole_stream(std::string_view stream, chat::Dialect dialect, Framing framing, bool to_close,
                     json::Parser& parser) {
  accounting::TextScanner text(dialect);
  text.feed(stream);
  StreamEnding ending(dialect, framing, /*ends_known=*/true, parser);
  ending.feed(stream, true, &text);
  return !ending.failure() && !ending.cut() && (!to_close || ending.said_end());
}

bool ends_with_its_end(std::string_view stream) {
  // The longest ends known, Responses' own but for what it repeats of the answer, are shorter.
  constexpr size_t kTailBytes = 256;
  if (stream.size() > kTailBytes) {
    stream.remove_prefix(stream.size() - kTailBytes);
    stream.remove_prefix(std::min(stream.find('\n'), stream.size()));
  }
  dialects::StreamEnd end;
  end.feed(stream);
  return end.mark() == dialects::StreamMark::end;
}

StreamEnding::StreamEnding(chat::Dialect dialect, Framing framing, bool ends_known, json::Parser& parser)
    : dialect_(dialect), framing_(framing), ends_known_(ends_known), parser_(parser), boundary_(framing) {}

void StreamEnding::feed(std::string_view bytes, bool done, const accounting::TextScanner* text) {
  // What comes behind the end is for nobody.
  const bool over = end_.mark() == dialects::StreamMark::end && at_boundary();
  boundary_.feed(bytes);
  unreadable_ = text == nullptr;
  if (text == nullptr || over) return;
  if (framing_ == Framing::sse && !is_google()) end_.feed(bytes);
  finished_ = text->finished();
  spoke_ = text->bytes() != 0;
  any_event_ = any_event_ || bytes.find('{') != std::string_view::npos;
  const bool whole = done || at_boundary();
  if (doubtful_ || text->says_error() || end_.mark() == dialects::StreamMark::error) [[unlikely]] {
    return examine(bytes, whole);
  }
  keep(bytes, whole);
}

void StreamEnding::keep(std::string_view bytes, bool whole) {
  if (whole) return open_.clear();
  if (framing_ == Framing::sse) {
    if (const size_t start = behind_last_blank_line(bytes); start != std::string_view::npos) {
      open_.clear();
      bytes.remove_prefix(start);
    }
  }
  open_ += bytes.substr(0, kOpenBytesMax - std::min(kOpenBytesMax, open_.size()));
}

void StreamEnding::examine(std::string_view bytes, bool whole) {
  open_ += bytes.substr(0, kErrorEventBytesMax - std::min(kErrorEventBytesMax, open_.size()));
  doubtful_ = !whole;
  if (doubtful_) return;
  if (framing_ == Framing::sse) {
    examine_events();
  } else {
    examine_elements();
  }
  if (!error_ && end_.mark() == dialects::StreamMark::error) error_ = ErrorKind::upstream_failed;
  open_.clear();
}

void StreamEnding::judge(const chat::WireEvent& event) {
  // Of several (Responses has two for one failure) the first that says more than that it failed.
  if (error_ && *error_ != ErrorKind::upstream_failed) return;
  if (const auto error = error_in_event(dialect_, event, parser_)) error_ = error;
}

void StreamEnding::examine_events() {
  http::SseReader reader;
  std::string_view rest = open_;
  std::string_view before = rest;
  for (auto event = reader.next(rest); event && *event; event = reader.next(rest)) {
    if ((*event)->data == "[DONE]") return;
    judge({.name = (*event)->event, .data = (*event)->data});
    before = rest;
  }
  if (const auto tail = reader.finish(); tail.event) {
    judge({.name = tail.event->event, .data = tail.event->data});
    return;
  }
  // Google's error comes without "data:".
  const size_t start = before.find_first_not_of(kBlanks);
  if (start != std::string_view::npos && before[start] == '{') judge({.name = {}, .data = before.substr(start)});
}

void StreamEnding::examine_elements() {
  struct Judge final : json::ElementSink {
    explicit Judge(StreamEnding& ending) : own(ending) {}
    void element(std::string_view json) override { own.judge({.name = {}, .data = json}); }
    StreamEnding& own;
  };
  // What is kept begins with the stream, or behind an element.
  const size_t start = std::min(open_.find_first_not_of(" \t\r\n,["), open_.size());
  Judge judging(*this);
  json::ArraySplitter elements;
  (void)(elements.feed("[", judging) && elements.feed(std::string_view(open_).substr(start), judging));
}

bool StreamEnding::said_end() const {
  if (unreadable_) return true;
  if (finished_ && at_boundary()) return true;
  const bool end = end_.mark() == dialects::StreamMark::end || error_;
  // [DONE] is the whole event, also without the empty line that some servers leave out. Google's error never has one,
  // and would not have been understood if it were cut.
  return end && (at_boundary() || dialect_ == chat::Dialect::openai_chat || is_google());
}

std::optional<ErrorKind> StreamEnding::failure() const {
  if (error_) return error_;
  if (unreadable_ || !ends_known_ || finished_) return std::nullopt;
  if (end_.mark() == dialects::StreamMark::end && !is_only_end()) return std::nullopt;
  return ErrorKind::upstream_failed;
}

}  // namespace llmgw::gateway
