// Counts what a model says in a stream while its bytes pass: text, thoughts and arguments of calls, in bytes of UTF-8,
// whatever the envelope around them. It is what remains to estimate tokens from where the provider does not report
// them, so the same text has to count the same in every protocol. A hundred bytes of state, no allocation; any cuts.
// One answer, one thread.
//
// It looks for the names that the dialect gives such texts, followed by a colon and a string. Inside a string the quote
// behind a name is escaped, so no text is taken for a name. What it does not tell apart is where a name stands: sources
// that a search quotes may count, too. On its way it sees whether an event may be an error, and the reason that ends an
// answer where that tells a whole one from a cut one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "chat/dialect.h"

namespace llmgw::accounting {

class TextScanner {
 public:
  explicit TextScanner(chat::Dialect dialect);

  void feed(std::string_view bytes);
  // Where the framing is not made of lines: the bytes that follow are another event's payload.
  void next_document() { mode_ = Mode::search; }

  uint64_t bytes() const;

  // Whether "error" has come, as a name with a value that is not null, or as a value. An event in which it stands is
  // one or not: that takes a closer look.
  bool says_error() const { return says_error_; }
  void forget_error() { says_error_ = false; }

  // Whether the answer, or one of several, has a reason for its end: OpenAI's finish_reason, Gemini's finishReason or
  // blockReason. Other APIs have an event for that.
  bool finished() const { return finished_; }

 private:
  static constexpr size_t kNamesMax = 6;
  static constexpr uint8_t kErrorIndex = kNamesMax;
  static constexpr uint8_t kReasonIndex = kErrorIndex + 1;
  static constexpr size_t kNameBytesMax = 17;  // "reasoning_content"
  using Names = std::span<const std::string_view>;
  enum class Mode : uint8_t {
    search,
    name,
    colon,
    value,
    text,
    escape,
    code_unit,
    object,
    object_text,
    object_escape,
    reason
  };

  // Each takes bytes from the front until they are used up or the mode changes.
  void search(std::string_view& bytes);
  bool begin_value(std::string_view name);
  void read_name(std::string_view& bytes);
  void read_mark(std::string_view& bytes);
  void read_text(std::string_view& bytes);
  void read_escape(std::string_view& bytes);
  void read_object(std::string_view& bytes);
  void add(uint64_t count) { counts_[current_] += count; }

  const Names names_;
  const Names reasons_;
  uint32_t first_letters_ = 0;  // of the names: bit 0 is a
  Mode mode_ = Mode::search;
  uint8_t name_size_ = 0;
  bool says_error_ = false;
  bool finished_ = false;
  uint8_t current_ = 0;  // index of the name whose text it is; kErrorIndex, kReasonIndex
  uint8_t digits_ = 0;   // of the code unit
  uint16_t code_unit_ = 0;
  uint32_t depth_ = 0;  // of arguments that are an object
  std::array<char, kNameBytesMax> name_{};
  std::array<uint64_t, kNamesMax> counts_{};
};

}  // namespace llmgw::accounting
