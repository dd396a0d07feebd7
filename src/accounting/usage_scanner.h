// Reads the token usage out of an answer while its bytes pass, whatever their cuts, without keeping them: about 400
// bytes of state a request, no allocation. One answer, one thread.
//
// It follows the document's structure, so only a member called "usage" (Gemini: "usageMetadata") at the place the
// dialect has it counts: neither that word in a text nor a member of that name inside what the model or the client
// wrote. Of several usages the last one wins, count by count: Anthropic's message_start and message_delta add up to
// one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "accounting/media_tokens.h"
#include "accounting/structure_scan.h"
#include "chat/dialect.h"
#include "chat/usage.h"

namespace llmgw::accounting {

class UsageScanner {
 public:
  // Real usage objects stay below 1 KiB; a longer one is not one, and is left out.
  static constexpr size_t kUsageBytesMax = 4096;

  UsageScanner(chat::Dialect dialect, chat::Framing framing);

  void feed(std::string_view bytes);
  // Framing::event_stream: the bytes that follow are another event's payload.
  void next_document();

  // Framing::json and json_array: the document has begun, and no container or string of it is open. One that was cut
  // is not whole; whether a whole one is valid is not told.
  bool whole() const { return began_ && mode_ == Mode::structure && depth_ <= 0 && carry_.in_string == 0; }

  // Framing::event_stream: a container or string of the payload at hand is open, or more were closed than opened. At
  // its end that is one that cannot be JSON.
  bool open() const { return mode_ != Mode::structure || depth_ != 0 || carry_.in_string != 0; }

  // Framing::sse: an event has come that cannot be JSON: its data begin with neither a brace nor a bracket, or a
  // string, brace or bracket of them is open at their end or was closed without having been opened. That is what cuts
  // and mixed writes leave; wrong commas, names without quotes, what stands behind a complete value and bytes that are
  // not UTF-8 are not seen. Stays set.
  bool malformed() const { return malformed_; }

  // Whether a usage object has been read to its end.
  bool seen() const { return seen_; }
  // What is known so far, in the neutral split. Call when the answer has ended, or where it broke off.
  chat::Usage usage() const;
  MediaTokens media() const;

 private:
  enum class Arithmetic : uint8_t { openai, anthropic, gemini };
  enum class Mode : uint8_t { structure, name, colon, value, object };
  enum class Line : uint8_t { start, data, other };

  // The counts as the providers name them.
  enum Count : uint8_t {
    kInput,
    kOutput,
    kTotal,
    kCacheRead,
    kCacheWrite,
    kCacheWrite1h,
    kReasoning,
    kToolInput,
    kBilledInput,
    kBilledOutput,
    kAudioInput,
    kImageInput,
    kAudioOutput,
    kImageOutput,
    kCachedAudio,  // parts of kCacheRead
    kCachedImage,
    kEntry,  // of the entry at hand, until it is known of what
    kCounts,
    kNoCount = kCounts,
  };
  enum class Part : uint8_t {
    usage,
    input_details,
    output_details,
    cached_details,    // of OpenAI, inside the input's: the kinds of what came from the cache
    input_modalities,  // Gemini's: a list of {"modality": "AUDIO", "tokenCount": 5}
    output_modalities,
    cached_modalities,
    cache_lifetimes,  // Bedrock's: a list of {"ttl": "1h", "inputTokens": 5}
    cache_creation,
    tokens,
    billed,
    unknown
  };
  // What the entry of a list counts.
  enum class Label : uint8_t { other, audio, image, one_hour };

  struct Counts {
    std::array<uint64_t, kCounts> values{};
    uint32_t known = 0;  // bit set of Count
    bool has(Count count) const { return ((known >> count) & 1) != 0; }
    void set(Count count, uint64_t value) {
      values[count] = value;
      known |= 1U << count;
    }
  };

  void feed_sse(std::string_view bytes);
  void begin_data(std::string_view bytes);
  void end_event();
  void feed_json(std::string_view bytes);
  // Each takes bytes from the front of the text until it is used up or the mode changes.
  void scan(std::string_view& text);
  void match_name(std::string_view& text);
  void skip_to(std::string_view& text);
  void read_object(std::string_view& text);

  void object_byte(char c);
  const char* read_digits(const char* p, const char* end);
  const char* read_string(const char* p, const char* end);
  void open_part();
  void close_part();
  void end_number();
  void end_label();
  void take_entry();
  Part part() const { return level_ < parts_.size() ? parts_[level_] : Part::unknown; }
  // A list of entries, or one of them.
  bool in_list() const { return part() >= Part::input_modalities && part() <= Part::cache_lifetimes; }
  bool in_entry() const { return level_ == 3 && in_list(); }
  void back_to_structure(bool in_string);

  static Count count_of(Part part, std::string_view key);
  static Count count_of_entry(Part part, Label label);
  static Part part_of(std::string_view key);
  std::string_view key() const { return {key_.data(), key_size_}; }

  const std::string_view name_;
  const Arithmetic arithmetic_;
  const chat::Framing framing_;
  const uint32_t depths_;  // bit set of the depths at which the member may stand

  bool began_ = false;  // there was more than white space
  Mode mode_ = Mode::structure;
  Line line_ = Line::start;
  uint8_t line_matched_ = 0;  // bytes of "data:" seen
  bool event_began_ = false;  // the event at hand has data
  bool malformed_ = false;
  StructureCarry carry_;
  int64_t depth_ = 0;
  uint8_t name_matched_ = 0;

  // Inside a usage object.
  static constexpr size_t kKeyBytesMax = 32;  // the longest key that means something has 27
  std::array<char, kKeyBytesMax> key_;
  uint8_t key_size_ = 0;
  bool key_unusable_ = false;  // too long, or with an escape
  bool in_string_ = false;
  bool escaped_ = false;
  enum class Number : uint8_t { none, whole, fraction, unusable } number_ = Number::none;
  uint32_t level_ = 0;  // 1 is the usage object itself
  uint32_t object_bytes_ = 0;
  std::array<Part, 4> parts_{Part::unknown, Part::usage};  // by level: of each container that is open
  Count count_ = kNoCount;
  Part key_part_ = Part::unknown;
  bool labelled_ = false;  // the string to come, or that has just come, says what the entry counts
  Label label_ = Label::other;
  uint64_t value_ = 0;
  Counts pending_;

  Counts counts_;
  bool seen_ = false;
};

}  // namespace llmgw::accounting
