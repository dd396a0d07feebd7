// Server-sent events: WHATWG HTML, section 9.2 "Server-sent events" (living standard, 2024). A reader of any split of
// the bytes, a writer, and a tracker that says whether a stream stands between two events. Pure. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llmgw::http {

// The largest events known carry a whole image in base64 (4K PNG, 12 MB).
inline constexpr size_t kSseEventBytesMax = 16 * 1024 * 1024;

struct SseEvent {
  std::string_view event;            // the event field; empty when there was none, which means "message"
  std::string_view data;             // the data lines, joined by line feeds
  std::string_view id;               // the stream's last event id so far
  std::optional<uint64_t> retry_ms;  // the last retry field since the previous event
};

// Turns bytes into events. An event that lies whole in the bytes given and has one data line is not copied. Bytes are
// not checked to be UTF-8.
class SseReader {
 public:
  explicit SseReader(size_t event_bytes_max = kSseEventBytesMax) : event_bytes_max_(event_bytes_max) {}

  // Takes bytes from the front of `bytes` up to the end of the next event, or all of them: then nothing is returned and
  // more must come. The event's views hold until the next call, and no longer than the memory behind `bytes`.
  // An event larger than the limit, comments inside it included, is too_large; that error repeats.
  base::Result<std::optional<SseEvent>> next(std::string_view& bytes);

  struct Tail {
    std::optional<SseEvent> event;  // what the bytes after the last blank line say, if they hold any data
    bool unterminated = false;      // such bytes were there: the stream was cut, or its writer is careless
    bool inside_line = false;       // the last of them did not even end its line
  };
  // The stream ended. By the standard the rest is thrown away; which of the two it is the caller has to judge.
  Tail finish();

 private:
  // The length of the bytes that complete the current block, blank line included; 0 when they do not.
  size_t find_block_end(std::string_view bytes);
  std::optional<SseEvent> parse_block(std::string_view block);
  void parse_line(std::string_view line, SseEvent& event, bool& has_data);

  size_t event_bytes_max_;
  std::string carry_;   // the start of an event whose end has not come
  std::string joined_;  // the data of an event of several data lines
  std::string last_id_;
  std::optional<uint64_t> retry_ms_;
  bool at_line_start_ = true;
  bool after_return_ = false;  // the last byte was a CR that ended a line: an LF now belongs to it
  bool first_block_ = true;    // a byte order mark may stand at its start
  bool carry_used_ = false;    // the event returned last points into carry_
  bool failed_ = false;
};

// Knows whether the bytes of a stream so far end between two events, so that a whole event may be appended. Looks at
// the last bytes of each piece only.
class SseBoundary {
 public:
  void add(std::string_view bytes);
  // At the start, or right behind a blank line.
  bool between_events() const;
  // At the start, or right behind the end of a line.
  bool between_lines() const;

 private:
  static constexpr size_t kTail = 3;  // CR LF of a blank line, and the end of the line before it
  char tail_[kTail] = {};
  size_t size_ = 0;
};

// Appends "event: <event>\ndata: <json>\n\n"; no event line for an empty `event`. Line ends in `json`, whitespace there
// and nowhere else, become spaces: not every client joins several data lines as the specification says
// (@google/genai 2026-08 does not). False, and nothing appended, when `event` holds a line end or NUL.
bool append_event(std::string& out, std::string_view event, std::string_view json);
// Appends ": <text>\n\n", which clients ignore; keeps idle connections open. Line ends in `text` become spaces.
void append_comment(std::string& out, std::string_view text);

}  // namespace llmgw::http
