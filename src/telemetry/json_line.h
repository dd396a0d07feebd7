// One JSON object on one line (RFC 8259), written into a fixed buffer: no allocation, and always valid and complete,
// whatever the values. Text is escaped, bytes that are not UTF-8 become U+FFFD, long text is cut and ends in "…"; a
// field that does not fit is left out. Pure; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/time.h"

namespace llmgw::telemetry {

inline constexpr size_t kLineBytesMax = 4096;  // one write to a pipe of at most this size is atomic (pipe(7))

class JsonLine {
 public:
  JsonLine() { clear(); }
  void clear() {
    cursor_ = buffer_.data();
    *cursor_++ = '{';
  }

  // `name` is a constant of the program: letters, digits and underscores. `value_bytes_max` bounds the value before
  // escaping.
  void text(std::string_view name, std::string_view value, size_t value_bytes_max = kTextBytesMax);
  void number(std::string_view name, uint64_t value);
  void number(std::string_view name, int64_t value);
  void number(std::string_view name, double value);  // not finite: null
  void boolean(std::string_view name, bool value);
  // With three decimals, exact to the microsecond or nanosecond; negative reads 0.
  void milliseconds(std::string_view name, base::Duration value);
  void microseconds(std::string_view name, base::Duration value);

  // Closes the object. The view, line feed included, holds until the next call.
  std::string_view finish();

  static constexpr size_t kTextBytesMax = 1024;

 private:
  static constexpr size_t kTailBytes = 2;        // "}\n"
  static constexpr size_t kNumberBytesMax = 32;  // the longest double or integer
  size_t room() const { return static_cast<size_t>(buffer_.data() + kLineBytesMax - kTailBytes - cursor_); }
  bool begin_field(std::string_view name, size_t value_bytes);
  void append(std::string_view text);
  void thousandths(std::string_view name, uint64_t value);

  char* cursor_;
  std::array<char, kLineBytesMax> buffer_;
};

}  // namespace llmgw::telemetry
