// The elements of a JSON array that comes in pieces, each given out as soon as it is whole: how Gemini streams without
// `alt=sse`. Brackets, quotes and commas between elements are checked; what is inside an element is its reader's
// business. A document that is one object instead of an array (an error) is its own one element. Pure; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llmgw::json {

class ElementSink {
 public:
  virtual ~ElementSink() = default;
  // The view lives until the call returns.
  virtual void element(std::string_view json) = 0;
};

class ArraySplitter {
 public:
  // One element is one chunk of a model's answer; the largest hold a 4K image in base64.
  static constexpr size_t kElementBytesMax = size_t{64} << 20;

  // protocol: what came is no array. too_large: an element above the limit, or nested too deep. Errors stick.
  base::Result<void> feed(std::string_view bytes, ElementSink& sink);
  // protocol: the document ended before the array did.
  base::Result<void> finish() const;
  // The array's end was seen.
  bool complete() const { return state_ == State::over; }

 private:
  enum class State : uint8_t {
    start,    // before the document's first byte
    first,    // behind the opening bracket
    element,  // inside an element
    behind,   // behind an element: a comma or the end
    next,     // behind a comma
    over,
    failed,
  };

  bool take(char c);
  bool open_element(char c);
  bool in_element(char c);
  bool fail(base::ErrorCode code, const char* context);

  std::string kept_;  // of an element that came in several pieces
  State state_ = State::start;
  bool single_ = false;  // one object, no array
  bool in_string_ = false;
  bool escaped_ = false;
  bool scalar_ = false;  // the element is neither an object nor an array
  bool ended_ = false;   // the byte at hand ended an element, as its last byte or, for a scalar, behind it
  uint32_t depth_ = 0;
  base::Error error_;
};

}  // namespace llmgw::json
