// How an answer that passes through has ended: whole, with an error that its provider told with a 200, or cut, though
// the transfer ended in order. What a conversion knows because it reads every event is here found on the way, so that
// logs, metrics, health and ledger tell the same of both. Pure. One answer, one thread.
//
// Costs a look at the beginning of each line. An event is only read where TextScanner has seen that it may be an error;
// for that the beginning of one that comes in several pieces is kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "accounting/text_scanner.h"
#include "chat/dialect.h"
#include "chat/error.h"
#include "chat/stream.h"
#include "dialects/codec.h"
#include "dialects/stream_boundary.h"
#include "dialects/stream_end.h"
#include "http/message.h"
#include "json/reader.h"

namespace llmgw::gateway {

class EventStreamTap;

// Why an answer broke off whose transfer ended in order.
inline constexpr const char* kNoEnd = "the answer has no end";

// How an answer has ended whose transfer ended in order.
struct AnswerEnding {
  std::optional<chat::ErrorKind> failure = {};  // why it is no success; nothing: it is one, as far as can be seen
  bool told = false;                            // the provider said so; else it just broke off
};

// Every API without a codec of its own (completions, embeddings, files, ...) tells errors as OpenAI's chat does.
const dialects::Codec& codec_of(chat::Dialect dialect);

// What the event of a stream fails with, or nothing if it is no error: read as a conversion reads it.
std::optional<chat::ErrorKind> error_in_event(chat::Dialect dialect, const chat::WireEvent& event,
                                              json::Parser& parser);

// The same of a whole document with status 200. A page of some proxy is an error, too; other texts may be what was
// asked for.
std::optional<chat::ErrorKind> error_in_document(chat::Dialect dialect, std::string_view document,
                                                 json::Parser& parser);

// The same of AWS's frames, when the last of them have been fed. Of models whose events are not known by name it is
// not told whether they were cut.
std::optional<chat::ErrorKind> failure_of(const EventStreamTap& tap, json::Parser& parser);

// A JSON document that came as it is, so that it shows whether it came to its end.
bool is_plain_json(const http::ResponseHead& head);

// Only the end of the connection ends it, so that a cut looks like an end: the answer itself must say that it is whole.
// That is HTTP/1 without length and chunks. HTTP/2 has END_STREAM for an end, whatever length the head tells.
bool only_close_ends(const http::ResponseHead& head);

// Of all that came of a JSON document: it was not cut.
bool is_whole_document(std::string_view document);

// Of the bytes of server-sent events of which one cannot be JSON (UsageScanner::malformed): how many stand before it.
// `between`: they begin between two events; else what stands before the first end of an event belongs to one that has
// begun to go out. Nothing: it is that one.
std::optional<size_t> bytes_before_malformed(std::string_view events, bool between, chat::Dialect dialect);

// Of all that came of a model's stream (sse or json_array): it came to its end, and told no error. `to_close`: only the
// end of the connection ended it, so it must have said that it is over. A pass over all of it.
bool is_whole_stream(std::string_view stream, chat::Dialect dialect, chat::Framing framing, bool to_close,
                     json::Parser& parser);
// Of server-sent events: their last bytes say that the stream is over. False tells nothing. A look at a few hundred
// bytes.
bool ends_with_its_end(std::string_view stream);

class StreamEnding {
 public:
  // `framing`: sse or json_array. `ends_known`: the API's streams say that they are over; else only errors are looked
  // for. `parser` is used while a call of feed() runs.
  StreamEnding(chat::Dialect dialect, chat::Framing framing, bool ends_known, json::Parser& parser);

  // Takes the next bytes; `done`: the last ones. `text` has been given them already; null: nothing in them can be read,
  // and nothing will be said of the stream.
  void feed(std::string_view bytes, bool done, const accounting::TextScanner* text);

  // Between two events.
  bool at_boundary() const { return boundary_.at_boundary(); }
  // Of an array, see StreamBoundary: it is none any more, from so many of the bytes fed last on.
  bool malformed() const { return boundary_.malformed(); }
  std::optional<size_t> bytes_before() const { return boundary_.bytes_before(); }
  // The stream has said that it is over, or told an error: all that tells a whole one from a cut one where only the end
  // of the connection ends it. A finish_reason will do, for not every server sends [DONE]: of one that does, what comes
  // in between (the usage) may be cut off unseen.
  bool said_end() const;
  // With its last bytes fed: why it is no success. Nothing: it is one, as far as can be seen.
  std::optional<chat::ErrorKind> failure() const;
  // It is one that the provider told, and not a cut.
  bool told_error() const { return error_.has_value(); }
  // With its last bytes fed: it stops in the middle of what the model says, and its client must not take that for all.
  // Google's streams have no event that ends them: where nothing was said, there is no middle. An array has an end.
  bool cut() const {
    const bool array = framing_ == chat::Framing::json_array && ends_known_ && !unreadable_;
    return (array && !boundary_.complete()) ||
           (failure() && !told_error() && !is_only_end() && (!is_google() || spoke_));
  }

 private:
  // It says that it is over, and nothing else.
  bool is_only_end() const { return end_.mark() == dialects::StreamMark::end && !any_event_; }
  bool is_google() const { return dialect_ == chat::Dialect::gemini || dialect_ == chat::Dialect::vertex; }
  void keep(std::string_view bytes, bool whole);
  void examine(std::string_view bytes, bool whole);
  void examine_events();
  void examine_elements();
  void judge(const chat::WireEvent& event);

  chat::Dialect dialect_;
  chat::Framing framing_;
  bool ends_known_;
  bool unreadable_ = false;
  bool finished_ = false;  // the model's answer has a reason for its end
  bool spoke_ = false;
  bool any_event_ = false;
  bool doubtful_ = false;  // the event at hand may be an error
  json::Parser& parser_;
  dialects::StreamBoundary boundary_;
  dialects::StreamEnd end_;
  std::optional<chat::ErrorKind> error_;
  std::string open_;  // the beginning of the event at hand; all of it if it is doubtful
};

}  // namespace llmgw::gateway
