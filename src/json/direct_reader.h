// Reads JSON forward straight off its text, with the interface and the grammar of Reader but no index: a string is
// passed over by comparing 16 to 64 bytes at a time, so a long one costs next to nothing, escapes or not. For one pass
// in which most of the document is skipped. It knows no reasons: who must say what is wrong with a document reads it
// with Reader.
//
// Errors stick. What it takes and is_utf8(), Reader takes and reads alike. Texts point into the document, which must
// outlive it. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "json/reader.h"

namespace llmgw::json {

class DirectReader {
 public:
  explicit DirectReader(std::string_view text);

  // As Reader's.
  Kind kind() const;
  bool enter_object();
  bool next_member(std::string_view& key);
  bool enter_array();
  bool next_element();
  std::string_view string();
  bool boolean();
  void null();
  std::optional<uint64_t> unsigned_integer();
  void skip();
  bool failed() const { return failed_; }
  base::Result<void> finish();
  size_t position() const { return static_cast<size_t>(at_ - text_.data()); }
  size_t consumed() const { return static_cast<size_t>(consumed_ - text_.data()); }

  // Of the whole document; to be asked when it is read.
  bool is_utf8() const;

 private:
  char current() const { return at_ < end_ ? *at_ : '\0'; }
  bool fail();
  void advance(const char* to);  // behind a token, and over the white space that follows
  void step() { advance(at_ + 1); }
  bool read_string(std::string_view& raw);
  bool read_scalar();
  std::string_view number_text() const;
  bool word(std::string_view text);
  bool skip_key();
  void skip_container();

  std::string_view text_;
  const char* end_;
  const char* at_;        // the token at hand
  const char* consumed_;  // where the last token ended
  uint32_t depth_ = 0;
  bool first_ = false;  // an object or array was just entered
  bool failed_ = false;
  bool ascii_ = true;  // the strings passed so far
};

// Where in [from, end) the first quote, backslash or control character stands; `end` if there is none. `ascii` turns
// false if a byte that was looked at is not ASCII; up to 31 bytes behind the result may have been.
const char* find_string_stop(const char* from, const char* end, bool& ascii);
// Where in [from, end) the first quote that is not escaped or control character stands; `end` if there is none. The
// byte at `from` is not escaped. `ascii` turns false if a byte before the result is not ASCII.
const char* find_string_end(const char* from, const char* end, bool& ascii);
// What it does on a processor without AVX2. For the test that compares the two.
const char* find_string_end_narrow(const char* from, const char* end, bool& ascii);

}  // namespace llmgw::json
