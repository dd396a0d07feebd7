// What readers of JSON know of a token by one of its bytes. Any thread.
#pragma once

#include "base/text.h"
#include "json/reader.h"

namespace llmgw::json {

// RFC 8259, section 2.
constexpr bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// Of the value that begins so.
constexpr Kind kind_of(char first) {
  switch (first) {
    case '{': return Kind::object;
    case '[': return Kind::array;
    case '"': return Kind::string;
    case 't':
    case 'f': return Kind::boolean;
    case 'n': return Kind::null;
    default: return first == '-' || base::is_digit(first) ? Kind::number : Kind::invalid;
  }
}

// What readers refuse a document with that goes deeper than kDepthMax.
inline constexpr const char* kTooDeep = "the JSON document is nested deeper than 256 levels";
static_assert(kDepthMax == 256, "kTooDeep names the limit");

}  // namespace llmgw::json
