// Texts of a URL's query, where "+" is a space (WHATWG URL Standard, application/x-www-form-urlencoded): so libraries
// write it. Pure; any thread.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"

namespace llmgw::base {

// Still escaped, with its spaces.
inline std::string query_text(std::string_view escaped) {
  std::string text(escaped);
  std::ranges::replace(text, '+', ' ');
  return text;
}

// Nothing: an escape is broken.
inline std::optional<std::string> decode_query_text(std::string_view escaped) {
  return percent_decode(query_text(escaped));
}

}  // namespace llmgw::base
