// AWS event streams (application/vnd.amazon.eventstream): "Event Stream Encoding" of the Smithy 2.0 specification, with
// botocore's limits. A reader of any split of the bytes that checks both checksums, a writer, and a walker for streams
// that are only passed on. Pure. One thread.
//
//   u32 total length | u32 length of headers | u32 CRC-32 of these 8 bytes | headers | payload | u32 CRC-32 of all
//   before
//
// all big-endian. A header is: u8 length of name, name, u8 type, value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace llmgw::http {

inline constexpr std::string_view kEventStreamType = "application/vnd.amazon.eventstream";
inline constexpr size_t kEventStreamHeaderBytesMax = 128 * 1024;         // botocore's
inline constexpr size_t kEventStreamPayloadBytesMax = 24 * 1024 * 1024;  // botocore's
inline constexpr size_t kEventStreamHeadersMax = 64;                     // Bedrock sends three; bounds the look-ups
inline constexpr size_t kEventStreamOverheadBytes = 16;                  // lengths and checksums

struct EventStreamHeader {
  // As numbered on the wire.
  enum class Type : uint8_t { yes, no, int8, int16, int32, int64, bytes, string, timestamp, uuid };
  std::string_view name;
  Type type = Type::string;
  std::string_view value;  // the bytes on the wire, without a length before them; empty for yes and no

  // Of the integer types and of timestamp (milliseconds since 1970); 1 for yes; else 0.
  int64_t number() const;
};

struct EventStreamMessage {
  std::span<const EventStreamHeader> headers;
  std::string_view payload;

  // The value of a string header; empty when there is none of that name.
  std::string_view text(std::string_view name) const;
  // ":message-type" is event, exception or error; an exception's name is in ":exception-type", an error's in
  // ":error-code" with ":error-message".
  bool is_event() const { return text(":message-type") == "event"; }
};

// Turns bytes into messages. A message that lies whole in the bytes given is not copied.
class EventStreamReader {
 public:
  // Takes bytes from the front of `bytes` up to the end of the next message, or all of them: then nothing is returned
  // and more must come. The message's views hold until the next call, and no longer than the memory behind `bytes`.
  // Errors: protocol for a wrong checksum or a malformed header, too_large above a limit. An error repeats.
  base::Result<std::optional<EventStreamMessage>> next(std::string_view& bytes);
  // Whether the stream may end here. Elsewhere it was cut.
  bool between_messages() const { return carry_used_ || carry_.empty(); }

 private:
  base::Result<size_t> message_length(std::string_view start);
  base::Result<EventStreamMessage> parse(std::string_view message);
  base::Result<void> parse_headers(std::string_view block);

  std::string carry_;  // the start of a message whose end has not come
  std::vector<EventStreamHeader> headers_;
  bool carry_used_ = false;  // the message returned last points into carry_
  std::optional<base::Error> failed_;
};

// Follows a stream that is passed on as it came: where messages begin and end, their types, the bytes of their
// payloads, whether their checksums are right. Keeps no payload. About 500 bytes of state.
class EventStreamWalker {
 public:
  // What follows in the bytes just fed: the start of a message (its headers are known), payload bytes of it, its end.
  struct Step {
    bool starts = false;  // a new message: event_type() and is_event() are of it from now on
    bool ends = false;    // it was whole, and its checksum is right
    std::string_view payload = {};
  };

  // Takes bytes from the front of `bytes` up to the next step, or all of them. Nothing: they are used up, or the stream
  // is none (broken()).
  std::optional<Step> next(std::string_view& bytes);
  bool between_messages() const { return place_ == Place::prelude && size_ == 0; }
  // Of the message at hand, 0 between two; nothing where its headers are not known yet.
  std::optional<size_t> bytes_left() const {
    if (place_ == Place::payload || place_ == Place::checksum) return payload_left_ + checksum_left_;
    return between_messages() ? std::optional<size_t>(0) : std::nullopt;
  }
  // What comes is not framed as an event stream: lengths that cannot be, or a wrong checksum.
  bool broken() const { return place_ == Place::broken; }
  // Of the message at hand, of an exception its name, of an error its code; empty where its headers are longer than any
  // that a known service sends.
  std::string_view event_type() const { return {event_type_.data(), event_type_size_}; }
  bool is_event() const { return is_event_; }

 private:
  static constexpr size_t kPreludeBytes = 12;
  static constexpr size_t kHeaderBytesKept = 384;  // Bedrock's take about 90
  static constexpr size_t kTypeBytesMax = 64;      // the longest known exception has 27

  enum class Place : uint8_t { prelude, headers, payload, checksum, broken };
  void read_prelude();
  void read_headers();

  Place place_ = Place::prelude;
  std::array<char, kHeaderBytesKept> kept_;  // of the prelude, then of the headers
  size_t size_ = 0;                          // bytes seen of the prelude or the headers
  size_t headers_left_ = 0;
  size_t payload_left_ = 0;
  size_t checksum_left_ = 0;
  uint32_t checksum_ = 0;  // of the message so far
  uint32_t told_ = 0;      // what its end says
  std::array<char, kTypeBytesMax> event_type_;
  size_t event_type_size_ = 0;
  bool is_event_ = false;
};

struct EventStreamField {
  std::string_view name;   // 1 to 255 bytes
  std::string_view value;  // at most 65,535 bytes
};

// Appends a message whose headers are strings. False, and nothing appended, above a limit.
bool append_event_stream_message(std::string& out, std::span<const EventStreamField> headers, std::string_view payload);
// The same with the headers a service gives to an event or an exception with a JSON payload.
bool append_event_stream_event(std::string& out, std::string_view event_type, std::string_view json);
bool append_event_stream_exception(std::string& out, std::string_view exception_type, std::string_view json);

}  // namespace llmgw::http
