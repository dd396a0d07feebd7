// Where a stream of the Responses API stands: the number of its last event and the response it is about, so that an
// error event put at its end can go on counting. Follows the structure of each event's JSON, so neither a text nor a
// schema that holds such a name counts. Some 300 bytes of state, no allocation; one stream, one thread.
//
// Source: OpenAI's streaming events of the Responses API (2026-08): every event has "sequence_number"; those of the
// response itself have it whole under "response".
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace llmgw::dialects::openai {

class ResponseCursor {
 public:
  // Ids are 53 to 68 characters long, those that carry a session 120.
  static constexpr size_t kIdBytesMax = 192;

  // Bytes of the event stream, however cut.
  void feed(std::string_view bytes);

  uint64_t next_sequence_number() const { return next_; }
  // "resp_..."; empty if no event had one.
  std::string_view id() const { return {id_.data(), id_size_}; }
  int64_t created_at() const { return static_cast<int64_t>(created_at_); }  // seconds since 1970; 0: not said

 private:
  enum class Line : uint8_t { start, data, other };
  enum class Member : uint8_t { none, sequence_number, response, id, created_at };

  void feed_json(std::string_view text);
  size_t skip_string(std::string_view text);
  void structural(char c);
  void end_value();
  void end_string();
  Member member_of(std::string_view name) const;

  static constexpr size_t kNameBytesMax = 16;  // "sequence_number" has 15

  Line line_ = Line::start;
  uint8_t line_matched_ = 0;  // bytes of "data:" seen
  uint32_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool in_response_ = false;  // the object at depth 2 is the response
  bool expects_value_ = false;
  bool has_number_ = false;
  Member member_ = Member::none;
  uint64_t number_ = 0;
  std::array<char, kNameBytesMax> name_;  // the last string at depth 1 or 2, if it was short
  uint8_t name_size_ = 0;

  uint64_t next_ = 0;
  uint64_t created_at_ = 0;
  std::array<char, kIdBytesMax> id_;
  uint8_t id_size_ = 0;
  bool id_done_ = false;
};

}  // namespace llmgw::dialects::openai
