// Lists of words that are parted by single spaces, as tables of constants have them. Pure; any thread.
#pragma once

#include <algorithm>
#include <string_view>

namespace llmgw::base {

// Whether is(word) holds for one of them. An empty list has none.
template <class Is>
bool any_word(std::string_view words, Is is) {
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(' '));
    if (is(word)) return true;
    words.remove_prefix(std::min(words.size(), word.size() + 1));
  }
  return false;
}

}  // namespace llmgw::base
