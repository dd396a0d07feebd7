// Looks into an AWS event stream that passes through: the tokens in it, when the model begins to speak, where it may be
// ended, whether it has said that it is over. Keeps no payload; under a kilobyte of state. One answer, one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "accounting/answer_details.h"
#include "accounting/text_scanner.h"
#include "accounting/usage_scanner.h"
#include "gateway/failover/first_content.h"
#include "http/event_stream.h"

namespace llmgw::gateway {

// Takes the base64 text out of InvokeModel's payloads, {"bytes":"..."}, in whatever pieces they come: the model's own
// events.
class ChunkDecoder {
 public:
  // A new payload begins.
  void reset();
  // Takes bytes from the front of `payload` until `buffer` is full, or all of them; what they say.
  std::string_view decode(std::string_view& payload, std::span<char> buffer);

 private:
  enum class Place : uint8_t { before, value, inside, behind };
  void find(char c);

  Place place_ = Place::before;
  size_t matched_ = 0;  // of the member's name
  uint32_t bits_ = 0;
  uint8_t bit_count_ = 0;
};

// The event inside such a payload that is there whole, appended to `event`. False if there is none.
bool unwrap_chunk(std::string_view payload, std::string& event);

class EventStreamTap {
 public:
  enum class Payload : uint8_t {
    plain,    // Converse: JSON
    wrapped,  // InvokeModel: the model's own JSON in base64
  };
  explicit EventStreamTap(Payload payload) : payload_(payload) {}

  // Who is given the payloads; null: nobody.
  struct Scanners {
    accounting::UsageScanner* usage = nullptr;
    accounting::TextScanner* text = nullptr;
    accounting::AnswerDetails* details = nullptr;
  };
  void feed(std::string_view bytes, const Scanners& scanners);
  // Between two messages: one may be appended.
  bool at_boundary() const { return walker_.between_messages(); }
  // What no client can read has come: a damaged frame, or an event whose payload, as far as UsageScanner sees, is no
  // JSON. Nothing behind it is looked at. So many of the bytes fed last stand before it; nothing: it began before them.
  bool malformed() const { return malformed_; }
  std::optional<size_t> bytes_before() const { return message_at_; }
  // The stream's last message has begun, or an exception. InvokeModel's streams have none of a known name, so that any
  // may be the last.
  bool ended() const { return ended_; }
  // A message has begun that is no event; its name, as long as no other one has begun.
  bool exception() const { return exception_; }
  std::string_view exception_type() const { return walker_.event_type(); }
  // Claude's own event of an error, whole, inside a chunk; empty: none.
  std::string_view said_error() const { return said_error_; }
  // By either of the two the provider has told an error.
  bool told_error() const { return exception() || !said_error_.empty(); }
  // The answer's last event has begun; usage may follow. Known of Converse's, of Claude's and of Nova's
  // streams.
  bool stopped() const { return stopped_; }
  bool end_known() const { return payload_ == Payload::plain || stops_; }
  std::optional<size_t> bytes_left() const { return walker_.bytes_left(); }
  // A message has begun that says something, as far as its name tells: see first_content.h. What is malformed says
  // something, too.
  bool content() const { return content_ || malformed_; }

 private:
  void begin_message();
  void read_chunk(std::string_view payload, const Scanners& scanners);
  void read_name(std::string_view text);
  void note_name(std::string_view name);
  void keep_error(std::string_view text);

  Payload payload_;
  http::EventStreamWalker walker_;
  ChunkDecoder chunk_;
  bool ended_ = false;
  bool content_ = false;
  bool exception_ = false;
  bool stopped_ = false;
  bool malformed_ = false;
  std::optional<size_t> message_at_;  // of the bytes fed last, where the message at hand begins
  bool stops_ = false;                // the events inside of the chunks are of a kind that ends with a stop
  bool in_error_ = false;             // the event inside the chunk at hand is an error
  std::string said_error_;
  bool unnamed_ = false;                       // the message at hand: its name is inside and has not come
  std::array<char, kNameInsideBytes> inside_;  // its first bytes
  size_t inside_size_ = 0;
};

}  // namespace llmgw::gateway
